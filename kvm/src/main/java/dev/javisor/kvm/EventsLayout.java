package dev.javisor.kvm;

/** struct kvm_vcpu_events: offsets in bytes. */
final class EventsLayout {
    static final int SIZE_BYTES = 64;
    static final int EXCEPTION_INJECTED = 0;
    static final int EXCEPTION_NR = 1;
    static final int EXCEPTION_HAS_ERROR_CODE = 2;
    static final int EXCEPTION_PENDING = 3;
    static final int EXCEPTION_ERROR_CODE = 4;
    static final int INTERRUPT_INJECTED = 8;
    static final int INTERRUPT_NR = 9;
    static final int INTERRUPT_SOFT = 10;
    static final int INTERRUPT_SHADOW = 11;
    static final int NMI_INJECTED = 12;
    static final int NMI_PENDING = 13;
    static final int NMI_MASKED = 14;
    static final int SIPI_VECTOR = 16;
    static final int FLAGS = 20;

    static final int VALID_NMI_PENDING = 1;
    static final int VALID_SIPI_VECTOR = 2;
    static final int VALID_SHADOW = 4;

    static final int SHADOW_STI = 2;

    private EventsLayout() {}
}
