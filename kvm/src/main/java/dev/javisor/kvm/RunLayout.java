package dev.javisor.kvm;

/** struct kvm_run: offsets in bytes. */
final class RunLayout {
    static final int REQUEST_INTERRUPT_WINDOW = 0;
    static final int IMMEDIATE_EXIT = 1;
    static final int EXIT_REASON = 8;
    static final int READY_FOR_INTERRUPT_INJECTION = 12;
    static final int IF_FLAG = 13;
    static final int FLAGS = 14;
    static final int CR8 = 16;
    static final int APIC_BASE = 24;

    /** Where the union of what each exit says begins. */
    static final int UNION = 32;

    static final int IO_DIRECTION = 32;
    static final int IO_SIZE = 33;
    static final int IO_PORT = 34;
    static final int IO_COUNT = 36;
    static final int IO_DATA_OFFSET = 40;

    static final int MMIO_ADDRESS = 32;
    static final int MMIO_DATA = 40;
    static final int MMIO_LENGTH = 48;
    static final int MMIO_IS_WRITE = 52;

    static final int MSR_ERROR = 32;
    static final int MSR_REASON = 40;
    static final int MSR_INDEX = 44;
    static final int MSR_DATA = 48;

    static final int EOI_VECTOR = 32;

    static final int DEBUG_EXCEPTION = 32;
    static final int DEBUG_PC = 40;
    static final int DEBUG_DR6 = 48;
    static final int DEBUG_DR7 = 56;

    static final int SUBERROR = 32;
    static final int INTERNAL_COUNT = 36;
    static final int INTERNAL_DATA = 40;
    static final int EMULATION_FLAGS = 40;
    static final int EMULATION_SIZE = 48;
    static final int EMULATION_BYTES = 49;

    static final int FAIL_REASON = 32;
    static final int FAIL_CPU = 40;

    static final int SYSTEM_EVENT_TYPE = 32;

    static final int NOTIFY_FLAGS = 32;

    static final int FAULT_FLAGS = 32;
    static final int FAULT_ADDRESS = 40;
    static final int FAULT_SIZE = 48;

    /** Which of the structures below KVM fills at each exit, and takes at the next entry. */
    static final int VALID_REGISTERS = 288;

    static final int DIRTY_REGISTERS = 296;
    static final int SYNC_REGS = 304;
    static final int SYNC_SREGS = SYNC_REGS + RegsLayout.SIZE_BYTES;
    static final int SYNC_EVENTS = SYNC_SREGS + SregsLayout.SIZE_BYTES;

    private RunLayout() {}
}
