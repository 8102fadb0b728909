package dev.javisor.kvm;

/**
 * Numbers of the KVM API (Linux Documentation/virt/kvm/api.rst, include/uapi/linux/kvm.h, x86-64).
 * An ioctl's number holds the size of its structure (asm-generic/ioctl.h).
 */
final class KvmAbi {
    static final int API_VERSION = 12;

    // System ioctls.
    static final long GET_API_VERSION = io(0x00);
    static final long CREATE_VM = io(0x01);
    static final long GET_MSR_INDEX_LIST = iowr(0x02, 4);
    static final long CHECK_EXTENSION = io(0x03);
    static final long GET_VCPU_MMAP_SIZE = io(0x04);
    static final long GET_SUPPORTED_CPUID = iowr(0x05, 8);

    // VM ioctls.
    static final long CREATE_VCPU = io(0x41);
    static final long GET_DIRTY_LOG = iow(0x42, 16);
    static final long SET_USER_MEMORY_REGION = iow(0x46, 32);
    static final long SET_TSS_ADDR = io(0x47);
    static final long SET_IDENTITY_MAP_ADDR = iow(0x48, 8);
    static final long SET_GSI_ROUTING = iow(0x6A, 8);
    static final long IRQFD = iow(0x76, 32);
    static final long IOEVENTFD = iow(0x79, 64);
    static final long SET_CLOCK = iow(0x7B, 48);
    static final long GET_CLOCK = ior(0x7C, 48);
    static final long SET_TSC_KHZ = io(0xA2);
    static final long GET_TSC_KHZ = io(0xA3);
    static final long ENABLE_CAP = iow(0xA3, 104);
    static final long SIGNAL_MSI = iow(0xA5, 32);
    static final long CLEAR_DIRTY_LOG = iowr(0xC0, 24);
    static final long X86_SET_MSR_FILTER = iow(0xC6, 392);
    static final long RESET_DIRTY_RINGS = io(0xC7);

    // vCPU ioctls.
    static final long RUN = io(0x80);
    static final long GET_REGS = ior(0x81, RegsLayout.SIZE_BYTES);
    static final long SET_REGS = iow(0x82, RegsLayout.SIZE_BYTES);
    static final long GET_SREGS = ior(0x83, SregsLayout.SIZE_BYTES);
    static final long SET_SREGS = iow(0x84, SregsLayout.SIZE_BYTES);
    static final long GET_MSRS = iowr(0x88, 8);
    static final long SET_MSRS = iow(0x89, 8);
    static final long GET_LAPIC = ior(0x8E, 1024);
    static final long SET_LAPIC = iow(0x8F, 1024);
    static final long SET_CPUID2 = iow(0x90, 8);
    static final long GET_MP_STATE = ior(0x98, 4);
    static final long SET_MP_STATE = iow(0x99, 4);
    static final long NMI = io(0x9A);
    static final long SET_GUEST_DEBUG = iow(0x9B, 72);
    static final long GET_VCPU_EVENTS = ior(0x9F, EventsLayout.SIZE_BYTES);
    static final long SET_VCPU_EVENTS = iow(0xA0, EventsLayout.SIZE_BYTES);
    static final long GET_DEBUGREGS = ior(0xA1, DebugLayout.SIZE_BYTES);
    static final long SET_DEBUGREGS = iow(0xA2, DebugLayout.SIZE_BYTES);
    static final long GET_XSAVE = ior(0xA4, 4096);
    static final long SET_XSAVE = iow(0xA5, 4096);
    static final long GET_XCRS = ior(0xA6, XcrsLayout.SIZE_BYTES);
    static final long SET_XCRS = iow(0xA7, XcrsLayout.SIZE_BYTES);
    static final long GET_XSAVE2 = ior(0xCF, 4096);
    static final long SET_DEVICE_ATTR = iow(0xE1, 24);
    static final long GET_DEVICE_ATTR = iow(0xE2, 24);
    static final long HAS_DEVICE_ATTR = iow(0xE3, 24);

    // Exit reasons (struct kvm_run.exit_reason).
    static final int EXIT_UNKNOWN = 0;
    static final int EXIT_EXCEPTION = 1;
    static final int EXIT_IO = 2;
    static final int EXIT_HYPERCALL = 3;
    static final int EXIT_DEBUG = 4;
    static final int EXIT_HLT = 5;
    static final int EXIT_MMIO = 6;
    static final int EXIT_IRQ_WINDOW_OPEN = 7;
    static final int EXIT_SHUTDOWN = 8;
    static final int EXIT_FAIL_ENTRY = 9;
    static final int EXIT_INTR = 10;
    static final int EXIT_SET_TPR = 11;
    static final int EXIT_TPR_ACCESS = 12;
    static final int EXIT_NMI = 16;
    static final int EXIT_INTERNAL_ERROR = 17;
    static final int EXIT_SYSTEM_EVENT = 24;
    static final int EXIT_IOAPIC_EOI = 26;
    static final int EXIT_HYPERV = 27;
    static final int EXIT_X86_RDMSR = 29;
    static final int EXIT_X86_WRMSR = 30;
    static final int EXIT_DIRTY_RING_FULL = 31;
    static final int EXIT_AP_RESET_HOLD = 32;
    static final int EXIT_X86_BUS_LOCK = 33;
    static final int EXIT_XEN = 34;
    static final int EXIT_NOTIFY = 37;
    static final int EXIT_MEMORY_FAULT = 39;
    static final int EXIT_TDX = 40;

    /** By number, those of other architectures among them; last looked up in Linux 6.19. */
    private static final String[] EXIT_NAMES = {
        "UNKNOWN",
        "EXCEPTION",
        "IO",
        "HYPERCALL",
        "DEBUG",
        "HLT",
        "MMIO",
        "IRQ_WINDOW_OPEN",
        "SHUTDOWN",
        "FAIL_ENTRY",
        "INTR",
        "SET_TPR",
        "TPR_ACCESS",
        "S390_SIEIC",
        "S390_RESET",
        "DCR",
        "NMI",
        "INTERNAL_ERROR",
        "OSI",
        "PAPR_HCALL",
        "S390_UCONTROL",
        "WATCHDOG",
        "S390_TSCH",
        "EPR",
        "SYSTEM_EVENT",
        "S390_STSI",
        "IOAPIC_EOI",
        "HYPERV",
        "ARM_NISV",
        "X86_RDMSR",
        "X86_WRMSR",
        "DIRTY_RING_FULL",
        "AP_RESET_HOLD",
        "X86_BUS_LOCK",
        "XEN",
        "RISCV_SBI",
        "RISCV_CSR",
        "NOTIFY",
        "LOONGARCH_IOCSR",
        "MEMORY_FAULT",
        "TDX",
        "ARM_SEA"
    };

    static final int INTERNAL_ERROR_EMULATION = 1;

    /** Of the internal error's flags: instruction bytes follow. */
    static final long EMULATION_HAS_BYTES = 1;

    static final int SYSTEM_EVENT_SHUTDOWN = 1;
    static final int SYSTEM_EVENT_RESET = 2;

    // KVM_SET_USER_MEMORY_REGION flags.
    static final int MEM_LOG_DIRTY_PAGES = 1;

    // KVM_GET_CLOCK flags.
    static final int CLOCK_HOST_TSC = 8;

    // KVM_GET_MP_STATE.
    static final int MP_RUNNABLE = 0;
    static final int MP_UNINITIALIZED = 1;
    static final int MP_INIT_RECEIVED = 2;
    static final int MP_HALTED = 3;
    static final int MP_SIPI_RECEIVED = 4;

    // KVM_CAP_X2APIC_API.
    static final long X2APIC_32BIT_IDS = 1;
    static final long X2APIC_NO_BROADCAST_QUIRK = 2;

    private KvmAbi() {}

    private static long io(int number) {
        return 0xAE00L | number;
    }

    private static long ior(int number, int sizeBytes) {
        return 2L << 30 | (long) sizeBytes << 16 | io(number);
    }

    private static long iow(int number, int sizeBytes) {
        return 1L << 30 | (long) sizeBytes << 16 | io(number);
    }

    private static long iowr(int number, int sizeBytes) {
        return 3L << 30 | (long) sizeBytes << 16 | io(number);
    }

    /** The name of an exit reason, for a person. */
    static String exitName(int reason) {
        return reason >= 0 && reason < EXIT_NAMES.length ? EXIT_NAMES[reason] : "reason " + reason;
    }
}
