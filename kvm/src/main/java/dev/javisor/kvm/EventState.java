package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.Events;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Pending events and activity of one vCPU: struct kvm_vcpu_events and struct kvm_mp_state. */
final class EventState {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    private static final int LAPIC_LINT1 = 0x360;
    private static final int LVT_MASKED = 1 << 16;
    private static final int LVT_MODE = 0x700;
    private static final int LVT_NMI = 0x400;

    private final VcpuBuffers buffers;
    private final MemorySegment events;

    /** An ExtINT message waits; KVM has no place for it. */
    private boolean externalPending;

    EventState(VcpuBuffers buffers) {
        this.buffers = buffers;
        this.events = buffers.events;
    }

    int octet(int offset) {
        return events.get(BYTE, offset) & 0xFF;
    }

    private void octet(int offset, int value) {
        events.set(BYTE, offset, (byte) value);
    }

    private int mp() {
        return buffers.mpState.get(INT, 0);
    }

    // ------------------------------------------------------------------ from the machine

    /** Lets the next entry inject an interrupt; only when the vCPU is ready for one. */
    void injectInterrupt(int vector) {
        buffers.getEvents();
        octet(EventsLayout.INTERRUPT_INJECTED, 1);
        octet(EventsLayout.INTERRUPT_NR, vector);
        octet(EventsLayout.INTERRUPT_SOFT, 0);
        events.set(INT, EventsLayout.FLAGS, 0);
        buffers.setEvents();
        buffers.getMpState();
        if (mp() == KvmAbi.MP_HALTED) {
            buffers.mpState.set(INT, 0, KvmAbi.MP_RUNNABLE);
            buffers.setMpState();
        }
    }

    /** The NMI input is wired to LINT1: it counts if that is open and set to NMI. */
    void pulseNmi() {
        buffers.getLapic();
        int entry = buffers.lapic.get(INT, LAPIC_LINT1);
        if ((entry & (LVT_MASKED | LVT_MODE)) == LVT_NMI) {
            buffers.nmi();
        }
    }

    boolean isExternalPending() {
        return externalPending;
    }

    /** Its vector was fetched. */
    void externalTaken() {
        externalPending = false;
    }

    // ------------------------------------------------------------------ what the buffers hold

    int exceptionVector() {
        boolean exception =
                octet(EventsLayout.EXCEPTION_INJECTED) != 0
                        || octet(EventsLayout.EXCEPTION_PENDING) != 0;
        return exception ? octet(EventsLayout.EXCEPTION_NR) : -1;
    }

    long exceptionErrorCode() {
        return exceptionVector() >= 0 && octet(EventsLayout.EXCEPTION_HAS_ERROR_CODE) != 0
                ? events.get(INT, EventsLayout.EXCEPTION_ERROR_CODE) & 0xFFFFFFFFL
                : -1;
    }

    int interruptVector() {
        return octet(EventsLayout.INTERRUPT_INJECTED) != 0 ? octet(EventsLayout.INTERRUPT_NR) : -1;
    }

    Events events() {
        // An NMI under way is delivered once more, which masks again.
        boolean nmiInjected = octet(EventsLayout.NMI_INJECTED) != 0;
        boolean sipi = mp() == KvmAbi.MP_SIPI_RECEIVED;
        return new Events(
                exceptionVector(),
                exceptionErrorCode(),
                interruptVector(),
                nmiInjected || octet(EventsLayout.NMI_PENDING) != 0,
                !nmiInjected && octet(EventsLayout.NMI_MASKED) != 0,
                octet(EventsLayout.INTERRUPT_SHADOW) != 0,
                sipi ? events.get(INT, EventsLayout.SIPI_VECTOR) & 0xFF : -1,
                externalPending);
    }

    Activity activity() {
        return switch (mp()) {
            case KvmAbi.MP_UNINITIALIZED -> Activity.WAIT_FOR_INIT;
            case KvmAbi.MP_INIT_RECEIVED, KvmAbi.MP_SIPI_RECEIVED -> Activity.WAIT_FOR_SIPI;
            case KvmAbi.MP_HALTED -> Activity.HALTED;
            default -> Activity.RUNNING;
        };
    }

    // ------------------------------------------------------------------ into the buffers

    void setException(int vector, long errorCode) {
        octet(EventsLayout.EXCEPTION_INJECTED, vector >= 0 ? 1 : 0);
        octet(EventsLayout.EXCEPTION_PENDING, 0);
        octet(EventsLayout.EXCEPTION_NR, Math.max(vector, 0));
        boolean code = vector >= 0 && errorCode >= 0;
        octet(EventsLayout.EXCEPTION_HAS_ERROR_CODE, code ? 1 : 0);
        events.set(INT, EventsLayout.EXCEPTION_ERROR_CODE, code ? (int) errorCode : 0);
    }

    void setInterrupt(int vector) {
        octet(EventsLayout.INTERRUPT_INJECTED, vector >= 0 ? 1 : 0);
        octet(EventsLayout.INTERRUPT_NR, Math.max(vector, 0));
        octet(EventsLayout.INTERRUPT_SOFT, 0);
    }

    void setMasks(boolean nmiMasked, boolean shadow) {
        octet(EventsLayout.NMI_MASKED, nmiMasked ? 1 : 0);
        octet(EventsLayout.INTERRUPT_SHADOW, shadow ? EventsLayout.SHADOW_STI : 0);
    }

    /** Which of the fields that are there by choice count. */
    void setFlags(int flags) {
        events.set(INT, EventsLayout.FLAGS, flags);
    }

    void set(Events e) {
        events.fill((byte) 0);
        externalPending = e.externalPending();
        setException(e.exceptionVector(), e.exceptionErrorCode());
        setInterrupt(e.exceptionVector() >= 0 ? -1 : e.interruptVector());
        setMasks(e.nmiMasked(), e.interruptShadow());
        octet(EventsLayout.NMI_PENDING, e.nmiPending() ? 1 : 0);
        events.set(INT, EventsLayout.SIPI_VECTOR, Math.max(e.sipiVector(), 0));
        setFlags(
                EventsLayout.VALID_NMI_PENDING
                        | EventsLayout.VALID_SHADOW
                        | EventsLayout.VALID_SIPI_VECTOR);
    }

    void set(Activity activity, int sipiVector) {
        int mp =
                switch (activity) {
                    case RUNNING -> KvmAbi.MP_RUNNABLE;
                    case HALTED -> KvmAbi.MP_HALTED;
                    case WAIT_FOR_INIT -> KvmAbi.MP_UNINITIALIZED;
                    case WAIT_FOR_SIPI ->
                            sipiVector >= 0 ? KvmAbi.MP_SIPI_RECEIVED : KvmAbi.MP_INIT_RECEIVED;
                };
        buffers.mpState.set(INT, 0, mp);
    }
}
