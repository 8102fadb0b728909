package dev.javisor.kvm;

/** Extensions of the KVM API that this module uses (KVM_CHECK_EXTENSION). */
enum Capability {
    IRQCHIP(0, true),
    USER_MEMORY(3, true),
    SET_TSS_ADDR(4, true),
    EXT_CPUID(7, true),
    MP_STATE(14, true),
    DESTROY_MEMORY_REGION_WORKS(21, true),
    SET_GUEST_DEBUG(23, true),
    IRQ_ROUTING(25, true),
    IRQFD(32, true),
    IOEVENTFD(36, true),
    SET_IDENTITY_MAP_ADDR(37, true),
    ADJUST_CLOCK(39, true),
    VCPU_EVENTS(41, true),
    DEBUGREGS(50, true),
    XSAVE(55, true),
    XCRS(56, true),
    GET_TSC_KHZ(61, true),
    SIGNAL_MSI(77, true),
    SPLIT_IRQCHIP(121, true),
    IMMEDIATE_EXIT(136, true),

    MAX_VCPUS(66, false),
    TSC_CONTROL(60, false),
    TSC_DEADLINE_TIMER(72, false),
    SYNC_REGS(74, false),
    IOEVENTFD_ANY_LENGTH(122, false),
    VCPU_ATTRIBUTES(127, false),
    X2APIC_API(129, false),
    MANUAL_DIRTY_LOG_PROTECT2(168, false),
    X86_USER_SPACE_MSR(188, false),
    X86_MSR_FILTER(189, false),
    DIRTY_LOG_RING(192, false),
    SET_GUEST_DEBUG2(195, false),
    EXIT_ON_EMULATION_FAILURE(204, false),
    XSAVE2(208, false),
    DIRTY_LOG_RING_ACQ_REL(223, false);

    private final int number;
    private final boolean required;

    Capability(int number, boolean required) {
        this.number = number;
        this.required = required;
    }

    /** KVM_CAP_ of the same name. */
    int number() {
        return number;
    }

    /** Whether nothing works without it. All of these are in Linux 4.12 and newer. */
    boolean isRequired() {
        return required;
    }
}
