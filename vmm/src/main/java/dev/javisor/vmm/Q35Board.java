package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.devices.AcpiPm;
import dev.javisor.devices.DebugConsole;
import dev.javisor.devices.DebugExit;
import dev.javisor.devices.Hpet;
import dev.javisor.devices.I8042;
import dev.javisor.devices.InterruptRouter;
import dev.javisor.devices.IoApic;
import dev.javisor.devices.Pic8259Pair;
import dev.javisor.devices.Pit8254;
import dev.javisor.devices.ResetControl;
import dev.javisor.devices.Rtc;
import dev.javisor.devices.RtcState;
import dev.javisor.devices.SerialSink;
import dev.javisor.devices.SystemControlA;
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
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * The board: which devices there are and how they are wired, at the addresses of {@link
 * PlatformLayout}. The one place that knows all of them.
 *
 * <p>A reset puts each device back to the state that it had when it was made, except the real time
 * clock's time and the CMOS memory, which a battery keeps.
 */
final class Q35Board implements AutoCloseable {
    /** I/O APIC pins of the HPET's timers, as ICH9 has them: 20 to 23. */
    private static final int HPET_ROUTES = 0x00F0_0000;

    private static final int RTC_B = 0x0B;
    private static final int RTC_C = 0x0C;

    /** Periodic, alarm and update interrupt, square wave. */
    private static final int RTC_B_CLEARED_BY_RESET = 0x78;

    private final MachineBus bus = new MachineBus();
    private final List<Runnable> resets = new ArrayList<>();
    private final Uart16550A serial;
    private final AcpiPm acpiPm;
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
            Disks disks,
            List<Network> networks) {
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
        Rtc rtc = new Rtc(time, router.rtc(), machine.memory().sizeBytes());
        bus.claimPorts(PlatformLayout.RTC, rtc);
        Hpet hpet =
                new Hpet(
                        time,
                        IntStream.range(0, IoApic.PINS).mapToObj(router::gsi).toList(),
                        HPET_ROUTES,
                        router.isa(PlatformLayout.IRQ_PIT),
                        router.isa(PlatformLayout.IRQ_RTC),
                        machine::signalMsi,
                        router::setLegacyReplacement);
        bus.claimMemory(PlatformLayout.HPET, hpet);
        I8042 keyboard = new I8042(router.isa(PlatformLayout.IRQ_KEYBOARD), events);
        bus.claimPorts(PlatformLayout.I8042_DATA, keyboard);
        bus.claimPorts(PlatformLayout.I8042_COMMAND, keyboard);
        acpiPm = new AcpiPm(time, router.isa(PlatformLayout.IRQ_SCI), events);
        bus.claimPorts(PlatformLayout.ACPI_PM, acpiPm);
        bus.claimPorts(PlatformLayout.ACPI_GPE0, acpiPm);
        SystemControlA controlA = new SystemControlA(events);
        bus.claimPorts(PlatformLayout.SYSTEM_CONTROL_A, controlA);
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
        virtio = new VirtioDevices(spec, machine, pci, console, disks, networks);
        pci.assignBars(new PciAllocator(PlatformLayout.PCI_MEMORY_32, PlatformLayout.PCI_PORTS));
        tables =
                AcpiTables.build(
                        new AcpiConfig(spec.cpus(), machine.memory().sizeBytes(), true, true));

        // In this order at a reset: first what drives interrupt lines, then what they lead to.
        resets.add(pci::reset);
        resets.add(virtio::reset);
        onReset(pit.state(), pit::restore);
        onReset(hpet.state(), hpet::restore);
        onReset(serial.state(), serial::restore);
        onReset(keyboard.state(), keyboard::restore);
        onReset(acpiPm.state(), acpiPm::restore);
        onReset(controlA.state(), controlA::restore);
        resets.add(() -> rtc.restore(afterReset(rtc.state())));
        onReset(resetControl.state(), resetControl::restore);
        onReset(pic.state(), pic::restore);
        onReset(ioApic.state(), ioApic::restore);
    }

    /** The RESET# pin of an MC146818: interrupts off, everything else kept. */
    private static RtcState afterReset(RtcState state) {
        List<Integer> registers = new ArrayList<>(state.registers());
        registers.set(RTC_B, registers.get(RTC_B) & ~RTC_B_CLEARED_BY_RESET);
        registers.set(RTC_C, 0);
        return new RtcState(
                0, false, registers, state.seconds(), state.phaseNanos(), state.weekdayShift());
    }

    private <S> void onReset(S powerOn, Consumer<S> restore) {
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
        acpiPm.pressPowerButton();
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

    void diskResized(int index) {
        virtio.diskResized(index);
    }

    void balloon(long guestBytes) {
        virtio.balloon(guestBytes);
    }

    VmMemory guestMemory() {
        return virtio.memory();
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
