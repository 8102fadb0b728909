package dev.javisor.kvm;

import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** What one vCPU's thread does about each reason why KVM_RUN returned. No allocation for I/O. */
final class ExitHandler {
    /** Of what an exit says, if nothing is known about it. */
    private static final int UNION_WORDS = 8;

    private final RunPage run;
    private final VcpuState state;
    private final Assistance assistance;
    private final HostDebug debug;
    private final DirtyLog dirtyLog;

    /** Whether KVM still has to finish the instruction whose access was served. */
    private boolean incomplete;

    private String detail = "";

    ExitHandler(
            RunPage run,
            VcpuState state,
            Assistance assistance,
            HostDebug debug,
            DirtyLog dirtyLog) {
        this.run = run;
        this.dirtyLog = dirtyLog;
        this.debug = debug;
        this.assistance = assistance;
        this.state = state;
    }

    boolean isIncomplete() {
        return incomplete;
    }

    /** KVM_RUN was entered and came back without an exit. */
    void completed() {
        incomplete = false;
    }

    /** About the last exit that is not served here. */
    String detail() {
        return detail;
    }

    /**
     * @return what the machine must decide, or null to run on
     */
    @Nullable ExitReason handle(VcpuBus bus) {
        incomplete = false;
        int reason = run.exitReason();
        switch (reason) {
            case KvmAbi.EXIT_IO -> io(bus);
            case KvmAbi.EXIT_MMIO -> mmio(bus);
            case KvmAbi.EXIT_IOAPIC_EOI ->
                    bus.endOfInterrupt(run.unsignedByte(RunLayout.EOI_VECTOR));
            case KvmAbi.EXIT_X86_RDMSR -> readMsr();
            case KvmAbi.EXIT_X86_WRMSR -> writeMsr();
            case KvmAbi.EXIT_IRQ_WINDOW_OPEN, KvmAbi.EXIT_INTR, KvmAbi.EXIT_X86_BUS_LOCK -> {
                // The loop looks for interrupts and requests; a bus lock is legal, only slow.
            }
            case KvmAbi.EXIT_DIRTY_RING_FULL -> dirtyLog.harvest();
            case KvmAbi.EXIT_SHUTDOWN -> {
                detail = "triple fault";
                return ExitReason.SHUTDOWN;
            }
            case KvmAbi.EXIT_DEBUG -> {
                long dr6 = run.int64(RunLayout.DEBUG_DR6);
                if (debug.met(dr6)) {
                    detail = "%s at %#x".formatted(debug.stop(), run.int64(RunLayout.DEBUG_PC));
                    return ExitReason.DEBUG;
                }
                // While KVM watches for the machine, it hands over the guest's own as well.
                state.raiseDebug(dr6);
            }
            case KvmAbi.EXIT_SYSTEM_EVENT -> {
                int type = run.int32(RunLayout.SYSTEM_EVENT_TYPE);
                detail = "system event " + type;
                return type == KvmAbi.SYSTEM_EVENT_SHUTDOWN || type == KvmAbi.SYSTEM_EVENT_RESET
                        ? ExitReason.SHUTDOWN
                        : ExitReason.FAULT;
            }
            case KvmAbi.EXIT_INTERNAL_ERROR -> {
                return internalError(bus);
            }
            case KvmAbi.EXIT_UNKNOWN, KvmAbi.EXIT_FAIL_ENTRY, KvmAbi.EXIT_MEMORY_FAULT -> {
                return fault(reason);
            }
            case KvmAbi.EXIT_EXCEPTION, KvmAbi.EXIT_NMI -> {
                // No KVM of today has these.
                return fault(reason);
            }
            case KvmAbi.EXIT_HLT, KvmAbi.EXIT_SET_TPR, KvmAbi.EXIT_TPR_ACCESS -> {
                // The local APIC is in the kernel.
                return fault(reason);
            }
            case KvmAbi.EXIT_HYPERCALL,
                    KvmAbi.EXIT_HYPERV,
                    KvmAbi.EXIT_XEN,
                    KvmAbi.EXIT_NOTIFY,
                    KvmAbi.EXIT_AP_RESET_HOLD,
                    KvmAbi.EXIT_TDX -> {
                // Of capabilities and kinds of virtual machine that are not enabled.
                return fault(reason);
            }
            default -> {
                // Of other architectures, or newer than this.
                return fault(reason);
            }
        }
        return null;
    }

    private ExitReason fault(int reason) {
        detail = describe(reason);
        return ExitReason.FAULT;
    }

    private @Nullable ExitReason internalError(VcpuBus bus) {
        String why = "";
        if (run.int32(RunLayout.SUBERROR) == KvmAbi.INTERNAL_ERROR_EMULATION) {
            switch (assistance.assist(bus)) {
                case EXECUTED -> {
                    return debug.isOn() ? debugged() : null;
                }
                case SHUTDOWN -> {
                    detail = "triple fault";
                    return ExitReason.SHUTDOWN;
                }
                case DECLINED -> why = "; assistant: " + assistance.detail();
            }
        }
        detail = describe(KvmAbi.EXIT_INTERNAL_ERROR) + why;
        return ExitReason.FAULT;
    }

    /** The assistant has executed one instruction. */
    private @Nullable ExitReason debugged() {
        int hits = assistance.breakpoints();
        if (hits == 0 && !debug.isStepping()) {
            return null;
        }
        debug.stop(debug.isStepping(), hits);
        detail = debug.stop().toString();
        return ExitReason.DEBUG;
    }

    private void io(VcpuBus bus) {
        int size = run.unsignedByte(RunLayout.IO_SIZE);
        int port = run.unsignedShort(RunLayout.IO_PORT);
        int count = run.int32(RunLayout.IO_COUNT);
        long at = run.int64(RunLayout.IO_DATA_OFFSET);
        boolean out = run.unsignedByte(RunLayout.IO_DIRECTION) != 0;
        for (int i = 0; i < count; i++, at += size) {
            if (out) {
                bus.writePort(port, size, (int) run.value(at, size));
            } else {
                run.setValue(at, size, bus.readPort(port, size));
            }
        }
        incomplete = true;
    }

    /** KVM cuts accesses at pages and after 8 bytes; the bus wants powers of two, aligned. */
    private void mmio(VcpuBus bus) {
        long address = run.int64(RunLayout.MMIO_ADDRESS);
        int length = run.int32(RunLayout.MMIO_LENGTH);
        boolean write = run.unsignedByte(RunLayout.MMIO_IS_WRITE) != 0;
        if (length == 8 && (address & 7) == 0 || length == 4 && (address & 7) <= 4) {
            access(bus, address, RunLayout.MMIO_DATA, length, write);
        } else {
            int done = 0;
            while (done < length) {
                int size = piece(address + done, length - done);
                access(bus, address + done, RunLayout.MMIO_DATA + done, size, write);
                done += size;
            }
        }
        incomplete = true;
    }

    /** The largest power of two that fits what is left and does not cross 8 bytes. */
    private static int piece(long address, int left) {
        int room = Math.min(left, 8 - (int) (address & 7));
        return Integer.highestOneBit(room);
    }

    private void access(VcpuBus bus, long address, int at, int size, boolean write) {
        if (write) {
            bus.writeMemory(address, size, run.value(at, size));
        } else {
            run.setValue(at, size, bus.readMemory(address, size));
        }
    }

    private void readMsr() {
        int index = run.int32(RunLayout.MSR_INDEX);
        boolean known = state.platformMsrs().knows(index);
        if (known) {
            run.setInt64(RunLayout.MSR_DATA, state.platformMsrs().read(index));
        }
        run.setByte(RunLayout.MSR_ERROR, known ? 0 : 1);
        incomplete = true;
    }

    private void writeMsr() {
        int index = run.int32(RunLayout.MSR_INDEX);
        boolean known = state.platformMsrs().knows(index);
        if (known) {
            state.platformMsrs().write(index, run.int64(RunLayout.MSR_DATA));
        }
        run.setByte(RunLayout.MSR_ERROR, known ? 0 : 1);
        incomplete = true;
    }

    /** Everything that KVM says about an exit that ends the vCPU. */
    private String describe(int reason) {
        String name = "KVM exit " + KvmAbi.exitName(reason);
        return switch (reason) {
            case KvmAbi.EXIT_INTERNAL_ERROR -> name + ": " + internalError();
            case KvmAbi.EXIT_FAIL_ENTRY ->
                    "%s: hardware reason %#x on host CPU %d"
                            .formatted(
                                    name,
                                    run.int64(RunLayout.FAIL_REASON),
                                    run.int32(RunLayout.FAIL_CPU));
            case KvmAbi.EXIT_MEMORY_FAULT ->
                    "%s: %#x bytes at guest address %#x, flags %#x"
                            .formatted(
                                    name,
                                    run.int64(RunLayout.FAULT_SIZE),
                                    run.int64(RunLayout.FAULT_ADDRESS),
                                    run.int64(RunLayout.FAULT_FLAGS));
            default -> name + ":" + words(RunLayout.UNION, UNION_WORDS);
        };
    }

    private String words(int at, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(" %#x".formatted(run.int64(at + 8 * i)));
        }
        return text.toString();
    }

    private String internalError() {
        int suberror = run.int32(RunLayout.SUBERROR);
        if (suberror == KvmAbi.INTERNAL_ERROR_EMULATION) {
            boolean bytes =
                    run.int32(RunLayout.INTERNAL_COUNT) > 0
                            && (run.int64(RunLayout.EMULATION_FLAGS) & KvmAbi.EMULATION_HAS_BYTES)
                                    != 0;
            return bytes ? "cannot emulate " + instruction() : "cannot emulate an instruction";
        }
        int count = Math.clamp(run.int32(RunLayout.INTERNAL_COUNT), 0, 16);
        return "suberror " + suberror + words(RunLayout.INTERNAL_DATA, count);
    }

    private String instruction() {
        int size = Math.min(run.unsignedByte(RunLayout.EMULATION_SIZE), 15);
        byte[] code = new byte[size];
        for (int i = 0; i < size; i++) {
            code[i] = (byte) run.unsignedByte(RunLayout.EMULATION_BYTES + i);
        }
        return HexFormat.ofDelimiter(" ").formatHex(code);
    }
}
