package dev.javisor.hypervisor;

/**
 * The accelerator's side of one virtual machine: vCPUs with their local APICs, guest RAM, interrupt
 * delivery, doorbells, dirty-page tracking, the clock. The I/O APIC, the PICs and the PIT are
 * devices of the machine on every accelerator ("split irqchip").
 *
 * <p>All methods may be called from any thread unless they say otherwise.
 */
public interface VirtualMachine extends AutoCloseable {
    VirtualMachineConfig config();

    GuestMemory memory();

    /**
     * Creates a vCPU. vCPU 0 is the bootstrap processor and starts at its reset vector; the others
     * wait for INIT and SIPI.
     *
     * @param id also the initial APIC id
     */
    Vcpu createVcpu(int id);

    /**
     * Delivers a message-signalled interrupt, as a write of {@code data} to {@code address} in the
     * range 0xFEE00000..0xFEEFFFFF would (SDM 3A §12.11). Edge-triggered unless the message says
     * level. Never blocks.
     */
    void signalMsi(long address, int data);

    /**
     * Tells the accelerator which message a global system interrupt (an I/O APIC pin) is routed to,
     * whenever the I/O APIC is reprogrammed; null when masked. An accelerator with in-kernel EOI
     * handling needs this to report the EOI of level-triggered interrupts; {@link
     * VcpuBus#endOfInterrupt} is called for vectors of level-triggered messages.
     */
    void routeGsi(int gsi, @org.jspecify.annotations.Nullable MsiMessage message);

    /**
     * The level of the 8259 pair's INTR output, wired to LINT0 of every local APIC and taken where
     * LVT LINT0 is unmasked in ExtINT mode (or the APIC is disabled). The vector is fetched through
     * {@link VcpuBus#acknowledgeExternalInterrupt()}.
     */
    void setExternalInterrupt(boolean level);

    /** Pulses the NMI input (LINT1) of every local APIC. */
    void signalNmi();

    /**
     * Binds a guest address whose write rings a doorbell instead of reaching the bus: {@link
     * DoorbellHandler#ring()} runs on a thread of the accelerator's choice. Rings may be coalesced.
     * Closing the registration unbinds.
     */
    DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler);

    /**
     * Starts or stops dirty-page tracking of all RAM. After a start, pages are clean; every page
     * then written by a vCPU or through {@link GuestMemory} is dirty.
     */
    void setDirtyTracking(boolean enabled);

    /**
     * Fetches and clears the dirty bitmap of {@code region}: bit {@code n} of word {@code n / 64}
     * is page {@code n} of 4 KiB. {@code into} must hold one bit per page.
     */
    void fetchDirty(GuestMemory.Region region, long[] into);

    /** Frequency of the guest's TSC in Hz, as it is really; 0 if that is not known. */
    default long tscHz() {
        return config().tscHz();
    }

    /** Guest clock now: what the paravirtual clock and the TSC derive from. */
    ClockState clock();

    /**
     * Sets the guest clock. Only while no vCPU runs, and before vCPUs are restored whose {@link
     * CpuState#tscOffset} refers to it.
     */
    void setClock(ClockState state);

    /** Releases everything. All vCPU threads must have returned from {@link Vcpu#run}. */
    @Override
    void close();

    /** A message-signalled interrupt. */
    record MsiMessage(long address, int data) {}

    /**
     * Guest time.
     *
     * @param guestNanos nanoseconds of guest run time since the virtual machine's creation
     */
    record ClockState(long guestNanos) {}

    /** Which writes ring. */
    enum Space {
        PIO,
        MMIO
    }

    /**
     * A doorbell's address.
     *
     * @param sizeBytes 1, 2, 4, 8, or 0 for any size
     * @param matchData whether only writes of exactly {@code data} ring
     */
    record DoorbellAddress(
            Space space, long address, int sizeBytes, boolean matchData, long data) {}

    /** What a ring does: must be quick and must not block; typically wakes an I/O thread. */
    @FunctionalInterface
    interface DoorbellHandler {
        void ring();
    }

    /** A bound doorbell. */
    interface DoorbellRegistration extends AutoCloseable {
        @Override
        void close();
    }
}
