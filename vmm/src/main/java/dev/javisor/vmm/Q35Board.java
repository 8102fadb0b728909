package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.block.BlockBackend;
import dev.javisor.devices.DebugConsole;
import dev.javisor.devices.DebugExit;
import dev.javisor.devices.InterruptRouter;
import dev.javisor.devices.IoApic;
import dev.javisor.devices.Pic8259Pair;
import dev.javisor.devices.Pit8254;
import dev.javisor.devices.ResetControl;
import dev.javisor.devices.SerialSink;
import dev.javisor.devices.Uart16550A;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.machine.AcpiConfig;
import dev.javisor.machine.AcpiTables;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineBus;
import dev.javisor.machine.MachineEvents;
import dev.javisor.machine.PciAllocator;
import dev.javisor.machine.PciBus;
import dev.javisor.machine.PciHostBridge;
import dev.javisor.machine.PciIsaBridge;
import dev.javisor.machine.PlatformLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * The board: which devices there are and how they are wired, at the addresses of {@link
 * PlatformLayout}. The one place that knows all of them.
 *
 * <p>A reset puts each device back to the state that it had when it was made, except the real time
 * clock's time and the CMOS memory, which a battery keeps.
 */
final class Q35Board implements AutoCloseable {
    private final MachineBus bus = new MachineBus();
    private final List<Runnable> resets = new ArrayList<>();
    private final Uart16550A serial;
    private final PciBus pci;
    private final VirtioDevices virtio;
    private final AcpiTables tables;

    /** The machine is over: nobody waits for the serial port any more. */
    private volatile boolean closed;

    Q35Board(
            VmSpec spec,
            VirtualMachine machine,
            TimeSource time,
            MachineEvents events,
            SerialSink serialSink,
            VmConsole console,
            List<BlockBackend> disks) {
        Pic8259Pair pic = new Pic8259Pair(machine::setExternalInterrupt);
        IoApic ioApic = new IoApic(machine::signalMsi, machine::routeGsi);
        InterruptRouter router = new InterruptRouter(pic, ioApic);
        bus.connectPic(pic);
        bus.connectIoApic(ioApic);
        bus.claimPorts(PlatformLayout.PIC_MASTER, pic);
        bus.claimPorts(PlatformLayout.PIC_SLAVE, pic);
        bus.claimPorts(PlatformLayout.PIC_ELCR, pic);
        bus.claimMemory(PlatformLayout.IO_APIC, ioApic);

        Pit8254 pit = new Pit8254(time, router.pit());
        bus.claimPorts(PlatformLayout.PIT, pit);
        bus.claimPorts(PlatformLayout.SYSTEM_CONTROL_B, pit);
        serial =
                new Uart16550A(
                        (int) PlatformLayout.COM1.start(),
                        time,
                        router.isa(PlatformLayout.IRQ_COM1),
                        serialSink);
        bus.claimPorts(PlatformLayout.COM1, serial);
        ResetControl resetControl = new ResetControl(events);
        bus.claimPorts(PlatformLayout.RESET_CONTROL, resetControl);
        bus.claimPorts(PlatformLayout.DEBUG_CONSOLE, new DebugConsole(serialSink));
        if (spec.debugExit()) {
            bus.claimPorts(PlatformLayout.DEBUG_EXIT, new DebugExit(events));
        }

        List<InterruptLine> pirqs = new ArrayList<>();
        for (int i = 0; i < PciBus.PIRQS; i++) {
            pirqs.add(router.gsi(PlatformLayout.pciGsi(0, 0) + i));
        }
        pci = new PciBus(bus, pirqs);
        pci.attach(new PciHostBridge(PlatformLayout.ECAM), PciHostBridge.ADDRESS);
        pci.attach(new PciIsaBridge((int) PlatformLayout.ACPI_PM.start()), PciIsaBridge.ADDRESS);
        virtio = new VirtioDevices(spec, machine, pci, console, disks);
        pci.assignBars(new PciAllocator(PlatformLayout.PCI_MEMORY_32, PlatformLayout.PCI_PORTS));
        tables =
                AcpiTables.build(
                        new AcpiConfig(spec.cpus(), machine.memory().sizeBytes(), true, true));

        // In this order at a reset: first what drives interrupt lines, then what they lead to.
        resets.add(pci::reset);
        onReset(pit.state(), pit::restore);
        onReset(serial.state(), serial::restore);
        onReset(resetControl.state(), resetControl::restore);
        onReset(pic.state(), pic::restore);
        onReset(ioApic.state(), ioApic::restore);
    }

    private <S> void onReset(S powerOn, java.util.function.Consumer<S> restore) {
        resets.add(() -> restore.accept(powerOn));
    }

    MachineBus bus() {
        return bus;
    }

    /** Puts the firmware's tables into guest memory. */
    void writeTables(GuestMemory memory) {
        if (memory.contains(tables.range().start(), tables.range().sizeBytes())) {
            tables.writeTo(memory);
        }
    }

    long rsdpAddress() {
        return tables.rsdpAddress();
    }

    /** With all vCPUs held. */
    void reset() {
        resets.forEach(Runnable::run);
    }

    /** With all vCPUs held: I/O threads come to rest. */
    void pause() {
        virtio.pause();
    }

    void resume() {
        virtio.resume();
    }

    void powerButton() {
        throw new VmException("the power button is not wired yet");
    }

    void serialInput(byte[] bytes, int offset, int length) throws InterruptedException {
        int done = 0;
        synchronized (serial) {
            while (!closed) {
                done += serial.offer(bytes, offset + done, length - done);
                if (done == length) {
                    return;
                }
                // The port notifies when the guest makes room; the bound is for `closed`.
                serial.wait(100);
            }
        }
    }

    void consoleInput(byte[] bytes, int offset, int length) throws InterruptedException {
        if (!virtio.terminalInput(bytes, offset, length)) {
            serialInput(bytes, offset, length);
        }
    }

    void resize(int columns, int rows) {
        virtio.resize(columns, rows);
    }

    GuestPort port(String name) {
        return virtio.port(name);
    }

    long unclaimedAccesses() {
        return bus.unclaimedAccesses();
    }

    long guestFaults() {
        return virtio.guestFaults();
    }

    /** Delivers what the guest wrote before it ended, until {@code hurried} says to give up. */
    void drain(BooleanSupplier hurried) {
        virtio.drain(hurried);
    }

    @Override
    public void close() {
        closed = true;
        virtio.close();
    }
}
