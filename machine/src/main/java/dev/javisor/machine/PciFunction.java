package dev.javisor.machine;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One PCI function: its configuration space, BARs, INTx pin and MSI-X. A device makes one, adds
 * what it has, and is then attached to a {@link PciBus}. Configuration accesses run under the bus's
 * lock; {@link #setInterrupt} and MSI-X signals come from any thread.
 */
public final class PciFunction {
    /** Sees guest accesses to configuration space. Runs under the bus's lock. */
    public interface ConfigHook {
        /** Before the guest reads: the last moment to refresh the bytes. */
        void beforeRead(int offset, int sizeBytes);

        /** After the guest wrote. */
        void afterWrite(int offset, int sizeBytes);
    }

    /** Learns where a BAR is mapped. Runs under the bus's lock. */
    @FunctionalInterface
    public interface BarListener {
        /**
         * @param address first address, or -1 if not mapped
         */
        void moved(int bar, long address);
    }

    private static final int COMMAND_WRITABLE =
            PciLayout.COMMAND_IO
                    | PciLayout.COMMAND_MEMORY
                    | PciLayout.COMMAND_BUS_MASTER
                    | PciLayout.COMMAND_PARITY
                    | PciLayout.COMMAND_SERR
                    | PciLayout.COMMAND_INTX_DISABLE;

    private final PciConfigSpace config = new PciConfigSpace();
    private final List<PciBar> bars = new ArrayList<>();
    private final Object interruptLock = new Object();
    private @Nullable ConfigHook hook;
    private @Nullable PciMsix msix;
    private int msixControl;

    /** Written under the bus's lock, read by any thread that signals. */
    private volatile boolean busMaster;

    /** Guarded by {@link #interruptLock}. */
    private boolean interruptAsserted;

    /** Guarded by {@link #interruptLock}. */
    private boolean interruptDisabled;

    /** Guarded by {@link #interruptLock}. */
    private InterruptLine line = InterruptLine.NONE;

    private byte[] resetImage = new byte[0];

    public PciFunction(PciIdentity identity) {
        config.set(PciLayout.VENDOR_ID, 2, identity.vendorId());
        config.set(PciLayout.DEVICE_ID, 2, identity.deviceId());
        config.set(PciLayout.REVISION_ID, 1, identity.revision());
        config.set(PciLayout.CLASS_CODE, 1, identity.classCode());
        config.set(PciLayout.CLASS_CODE + 1, 1, identity.classCode() >>> 8);
        config.set(PciLayout.CLASS_CODE + 2, 1, identity.classCode() >>> 16);
        config.set(PciLayout.SUBSYSTEM_VENDOR_ID, 2, identity.subsystemVendorId());
        config.set(PciLayout.SUBSYSTEM_ID, 2, identity.subsystemId());
        config.setWritable(PciLayout.COMMAND, 2, COMMAND_WRITABLE);
        config.setWritable(PciLayout.CACHE_LINE_SIZE, 1, 0xFF);
        config.setWritable(PciLayout.INTERRUPT_LINE, 1, 0xFF);
    }

    /** For the device that owns the function, before it is attached. */
    public PciConfigSpace config() {
        return config;
    }

    public void setConfigHook(ConfigHook newHook) {
        hook = newHook;
    }

    /** Says that the function has INTA#. */
    public void useInterruptPin() {
        config.set(PciLayout.INTERRUPT_PIN, 1, 1);
    }

    /**
     * Adds a base address register.
     *
     * @param index 0 to 5; a 64-bit one takes the next too
     * @param sizeBytes a power of two, at least 16 (memory) or 4 (ports)
     * @param device served at offsets from the BAR's start, ports too
     */
    public void addBar(
            int index,
            PciBarKind kind,
            long sizeBytes,
            MmioDevice device,
            @Nullable BarListener listener) {
        int last = kind == PciBarKind.MEMORY_64 ? index + 1 : index;
        if (index < 0 || last >= PciLayout.BAR_COUNT) {
            throw new IllegalArgumentException("no such BAR: " + index);
        }
        for (PciBar other : bars) {
            if (index <= other.lastIndex() && other.index() <= last) {
                throw new IllegalArgumentException("BAR " + index + " is taken");
            }
        }
        bars.add(new PciBar(config, index, kind, sizeBytes, device, listener));
    }

    /**
     * Adds the MSI-X capability (PCI 3.0 §6.8.2) with its table and pending bits in a 32-bit memory
     * BAR of their own.
     *
     * @param vectors 1 to 2048
     */
    public PciMsix addMsix(int bar, int vectors, MsiSink sink) {
        if (msix != null) {
            throw new IllegalStateException("MSI-X added twice");
        }
        PciMsix made = new PciMsix(vectors, (a, d) -> signalAsMaster(sink, a, d));
        addBar(bar, PciBarKind.MEMORY_32, made.barBytes(), made, null);
        int at = config.addCapability(PciLayout.CAPABILITY_MSIX, 12);
        config.set(at + 2, 2, vectors - 1);
        config.setWritable(at + 2, 2, PciLayout.MSIX_ENABLE | PciLayout.MSIX_FUNCTION_MASK);
        config.set(at + 4, 4, bar);
        config.set(at + 8, 4, made.pendingOffset() | bar);
        msixControl = at + 2;
        msix = made;
        return made;
    }

    /** A message is a memory write, which takes bus mastership (PCI 3.0 §6.8.3.1). */
    private void signalAsMaster(MsiSink sink, long address, int data) {
        if (busMaster) {
            sink.signal(address, data);
        }
    }

    /** Drives INTA#. Callable from any thread. */
    public void setInterrupt(boolean asserted) {
        synchronized (interruptLock) {
            interruptAsserted = asserted;
            line.set(asserted && !interruptDisabled);
        }
    }

    /** A configuration read by the guest, at most 4 bytes. */
    int readConfig(int offset, int sizeBytes) {
        if (hook != null) {
            hook.beforeRead(offset, sizeBytes);
        }
        if (offset <= PciLayout.STATUS && offset + sizeBytes > PciLayout.STATUS) {
            int status = config.read(PciLayout.STATUS, 2) & ~PciLayout.STATUS_INTERRUPT;
            synchronized (interruptLock) {
                if (interruptAsserted) {
                    status |= PciLayout.STATUS_INTERRUPT;
                }
            }
            config.set(PciLayout.STATUS, 2, status);
        }
        return config.read(offset, sizeBytes);
    }

    /**
     * A configuration write by the guest, at most 4 bytes.
     *
     * @return whether a BAR left or sought a place, so that others may now fit
     */
    boolean writeConfig(MachineBus bus, int offset, int sizeBytes, int value) {
        config.write(offset, sizeBytes, value);
        boolean moved = applyConfig(bus);
        if (hook != null) {
            hook.afterWrite(offset, sizeBytes);
        }
        return moved;
    }

    /** Makes what the configuration space now says true. */
    private boolean applyConfig(MachineBus bus) {
        int command = config.read(PciLayout.COMMAND, 2);
        busMaster = (command & PciLayout.COMMAND_BUS_MASTER) != 0;
        synchronized (interruptLock) {
            interruptDisabled = (command & PciLayout.COMMAND_INTX_DISABLE) != 0;
            line.set(interruptAsserted && !interruptDisabled);
        }
        if (msix != null) {
            int control = config.read(msixControl, 2);
            msix.control(
                    (control & PciLayout.MSIX_ENABLE) != 0,
                    (control & PciLayout.MSIX_FUNCTION_MASK) != 0);
        }
        return remap(bus);
    }

    /** Moves BARs to where they are programmed, if decoding is on and the place is free. */
    boolean remap(MachineBus bus) {
        int command = config.read(PciLayout.COMMAND, 2);
        boolean moved = false;
        for (PciBar bar : bars) {
            moved |= bar.remap(bus, command);
        }
        return moved;
    }

    /** Connects the pin. */
    void attached(InterruptLine to) {
        synchronized (interruptLock) {
            line = to;
        }
        resetImage = config.image();
    }

    boolean usesInterruptPin() {
        return config.read(PciLayout.INTERRUPT_PIN, 1) != 0;
    }

    List<PciBar> bars() {
        return bars;
    }

    /** What firmware would do: turns decoding on, and from now on a reset comes back to this. */
    void assigned(MachineBus bus) {
        int command = config.read(PciLayout.COMMAND, 2);
        for (PciBar bar : bars) {
            command |=
                    bar.kind() == PciBarKind.IO ? PciLayout.COMMAND_IO : PciLayout.COMMAND_MEMORY;
        }
        config.set(PciLayout.COMMAND, 2, command);
        applyConfig(bus);
        resetImage = config.image();
    }

    /** Back to the state in which the machine starts. */
    void reset(MachineBus bus) {
        setInterrupt(false);
        if (resetImage.length != 0) {
            config.reset(resetImage);
        }
        if (msix != null) {
            msix.reset();
        }
        applyConfig(bus);
    }

    /** What the guest made of the function; the device saves its own. */
    public PciFunctionState save() {
        synchronized (interruptLock) {
            return new PciFunctionState(
                    config.image(),
                    interruptAsserted,
                    msix == null ? new int[0] : msix.saveTable(),
                    msix == null ? new long[0] : msix.savePending());
        }
    }

    /** Takes over a saved state: only what a guest can write, so that no state is impossible. */
    public void restore(MachineBus bus, PciFunctionState state) {
        config.restoreWritable(state.config());
        if (msix != null) {
            msix.restore(state.msixTable(), state.msixPending());
        }
        setInterrupt(state.interruptAsserted());
        applyConfig(bus);
    }
}
