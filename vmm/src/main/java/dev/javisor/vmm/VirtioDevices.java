package dev.javisor.vmm;

import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.machine.PciBus;
import dev.javisor.virtio.IoLoop;
import dev.javisor.virtio.IoThread;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioEndpoint;
import dev.javisor.virtio.VirtioPciTransport;
import dev.javisor.virtio.balloon.BalloonDevice;
import dev.javisor.virtio.balloon.BalloonStatistics;
import dev.javisor.virtio.block.BlockConfig;
import dev.javisor.virtio.block.BlockDevice;
import dev.javisor.virtio.console.ConsoleDevice;
import dev.javisor.virtio.console.ConsolePort;
import dev.javisor.virtio.console.ConsolePortSpec;
import dev.javisor.virtio.console.ConsoleSizeOrder;
import dev.javisor.virtio.net.NetDevice;
import dev.javisor.virtio.rng.RngDevice;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The board's virtio devices, each a PCI function with an I/O thread: console, entropy, disks,
 * network interfaces, memory balloon.
 */
final class VirtioDevices implements AutoCloseable {
    private static final long DRAIN_POLL_NANOS = 1_000_000;

    private final VmSpec spec;
    private final VirtualMachine machine;
    private final PciBus pci;
    private final List<VirtioPciTransport> transports = new ArrayList<>();
    private final ConsoleDevice console;
    private final List<BlockDevice> blocks = new ArrayList<>();
    private final ConsoleStreams streams;
    private final BalloonDevice balloon;

    VirtioDevices(
            VmSpec spec,
            VirtualMachine machine,
            PciBus pci,
            VmConsole host,
            Disks disks,
            List<Network> networks) {
        this.spec = spec;
        this.machine = machine;
        this.pci = pci;
        List<ConsolePortSpec> ports = new ArrayList<>();
        ports.add(ConsolePortSpec.terminal());
        spec.ports().forEach(name -> ports.add(ConsolePortSpec.stream(name)));
        // As specified; Debian's 6.1.192 and later read it so, kernels from before 2026 do not.
        console = new ConsoleDevice(ports, ConsoleSizeOrder.COLUMNS_FIRST);
        attach("console", console);
        attach("rng", new RngDevice(new SecureRandom()));
        int queues = Math.min(spec.cpus(), BlockConfig.MAX_QUEUES);
        for (int i = 0; i < disks.backends().size(); i++) {
            BlockDevice block =
                    new BlockDevice(
                            disks.backends().get(i),
                            new BlockConfig(queues, spec.disks().get(i).errors(), disks::stopped));
            blocks.add(block);
            attach("disk " + i, block);
        }
        for (Network network : networks) {
            attach(
                    new NetDevice(network.backend(), network.mac(), network.queuePairs()),
                    network.loop());
        }
        // The last, so that what came before it stays where it was.
        balloon = new BalloonDevice(machine.memory());
        attach("balloon", balloon);
        streams = new ConsoleStreams(spec.name(), console, host);
    }

    private void attach(String what, VirtioDevice device) {
        attach(device, new IoThread(spec.name() + " " + what));
    }

    private void attach(VirtioDevice device, IoLoop loop) {
        VirtioEndpoint endpoint = new VirtioEndpoint(device, machine.memory(), loop);
        VirtioPciTransport transport =
                new VirtioPciTransport(endpoint, machine::signalMsi, machine::bindDoorbell);
        transports.add(transport);
        pci.attach(transport);
    }

    void pause() {
        transports.forEach(transport -> transport.endpoint().pause());
    }

    void resume() {
        transports.forEach(transport -> transport.endpoint().resume());
    }

    /** The machine was reset; the devices by their bus. */
    void reset() {
        streams.forget();
    }

    void resize(int columns, int rows) {
        console.resize(columns, rows);
    }

    /** Tells the guest that a disk has grown. */
    void diskResized(int index) {
        blocks.get(index).resized();
    }

    /** Asks the guest to make do with that much of its memory. */
    void balloon(long guestBytes) {
        balloon.setTarget(guestBytes);
    }

    /** As the guest said last; asks it again. */
    VmMemory memory() {
        balloon.askForStatistics();
        Optional<BalloonStatistics> said = balloon.statistics();
        return new VmMemory(
                balloon.balloonBytes(),
                balloon.targetBytes(),
                balloon.discardedBytes(),
                said.map(BalloonStatistics::freeBytes).orElse(-1L),
                said.map(BalloonStatistics::availableBytes).orElse(-1L));
    }

    /** Types into the virtio console. False if the guest does not use it. */
    boolean terminalInput(byte[] bytes, int offset, int length) throws InterruptedException {
        ConsolePort terminal = console.ports().getFirst();
        if (!terminal.isGuestOpen() || !streams.isTerminalUsed()) {
            return false;
        }
        write(terminal, bytes, offset, length);
        return true;
    }

    GuestPort port(String name) {
        if (!spec.ports().contains(name)) {
            throw new VmException("%s has no port %s".formatted(spec.name(), name));
        }
        return new Port(console.port(name));
    }

    long guestFaults() {
        return transports.stream().mapToLong(t -> t.endpoint().guestFaults()).sum();
    }

    /**
     * Takes what the guest left in the console's queues to the host. Ends because each round moves
     * bytes and the guest, whose vCPUs are held, adds none.
     */
    void drain(BooleanSupplier hurried) {
        VirtioEndpoint endpoint = transports.getFirst().endpoint();
        do {
            while (streams.isBacklogged() && !hurried.getAsBoolean()) {
                LockSupport.parkNanos(DRAIN_POLL_NANOS);
            }
            endpoint.drain();
        } while (streams.isBacklogged() && !hurried.getAsBoolean());
    }

    /** Ends the I/O threads, then those of the streams. */
    @Override
    public void close() {
        transports.forEach(VirtioPciTransport::close);
        streams.close();
    }

    private static void write(ConsolePort port, byte[] bytes, int offset, int length)
            throws InterruptedException {
        try {
            port.input().write(bytes, offset, length);
        } catch (InterruptedIOException e) {
            throw new InterruptedException();
        } catch (IOException e) {
            // Closed: the machine has ended, or the host closed the port before.
            TraceCategory.VMM.log("port %s: %s", port.name(), e);
        }
    }

    private record Port(ConsolePort end) implements GuestPort {
        @Override
        public String name() {
            return end.name();
        }

        @Override
        public boolean isOpen() {
            return end.isGuestOpen();
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws InterruptedException {
            VirtioDevices.write(end, bytes, offset, length);
        }

        @Override
        public void close() {
            try {
                end.input().close();
            } catch (IOException e) {
                throw new VmException("closing port " + end.name(), e);
            }
        }
    }
}
