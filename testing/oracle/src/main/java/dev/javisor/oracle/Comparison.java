package dev.javisor.oracle;

import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.decode.Disassembly;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.exec.UndefinedFlags;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Executes a case on the software CPU and compares with what silicon left. */
final class Comparison {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final String[] GPR = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15"
    };

    /** #BP, where every case ends that does not fault. */
    private static final int BREAKPOINT = 3;

    private static final int FETCH = 1 << 4;

    /** Offset of the upper halves of YMM in an XSAVE area. */
    private static final int AVX_AREA = 576;

    private final MemorySegment shared;
    private final SoftwareSide software = new SoftwareSide();
    private final boolean strict;
    private final boolean upperHalves;
    private final boolean translated;
    private final StringBuilder difference = new StringBuilder();

    private long caseAt;
    private long resultAt;

    /**
     * @param strict compare undefined flags too
     * @param upperHalves the host has YMM registers
     * @param translated execute what has one in translated form
     */
    Comparison(MemorySegment shared, boolean strict, boolean upperHalves, boolean translated) {
        this.translated = translated;
        this.shared = shared;
        this.upperHalves = upperHalves;
        this.strict = strict;
    }

    Op op() {
        return software.insn.op;
    }

    /** Whether the last case ended in a fault on the software CPU. */
    boolean faulted;

    /** Whether the last case's instruction was executed in translated form. */
    boolean wasTranslated() {
        return software.translated;
    }

    /** An empty string if both sides agree about case {@code index}. */
    String compare(int index) {
        caseAt = OracleLayout.CASES + (long) index * OracleLayout.CASE_BYTES;
        resultAt = OracleLayout.RESULTS + (long) index * OracleLayout.RESULT_BYTES;
        difference.setLength(0);
        software.load(shared, caseAt);
        int vector = translated ? software.executeTranslated() : software.execute();
        faulted = vector >= 0;
        int trap = (int) silicon(OracleLayout.TRAP);
        if (faulted && Leeway.faultOnly(software.insn)) {
            if (trap == BREAKPOINT) {
                add("end: fault %d; silicon none%n".formatted(vector));
            }
        } else if (faulted && Leeway.fault(software.insn, vector, trap, software.cpu.cr2)) {
            return "";
        } else if (sameEnd(vector)) {
            registers();
            floatingState();
            memory();
        }
        if (difference.length() == 0) {
            return "";
        }
        return describe() + difference;
    }

    private long silicon(int offset) {
        return shared.get(LONG, resultAt + offset);
    }

    private boolean sameEnd(int vector) {
        int trap = (int) silicon(OracleLayout.TRAP);
        long rip = silicon(OracleLayout.RIP);
        int error = (int) silicon(OracleLayout.ERROR_CODE);
        long expected = software.cpu.rip;
        if (vector < 0) {
            boolean stopped = trap == BREAKPOINT && rip == expected + 1;
            // A branch out of the code page: done, and the next fetch faults.
            boolean fetch = trap == GuestFault.PF && (error & FETCH) != 0 && rip == expected;
            if (trap != BREAKPOINT && Leeway.mayReachFurther(software.insn)) {
                return false;
            }
            if (!stopped && !fetch) {
                add(
                        "end: no fault, rip %x; silicon trap %d error %x rip %x cr2 %x%n"
                                .formatted(expected, trap, error, rip, silicon(OracleLayout.CR2)));
            }
            return stopped || fetch;
        }
        if (trap != vector || rip != expected) {
            add(
                    "end: fault %d at %x cr2 %x; silicon trap %d error %x rip %x cr2 %x%n"
                            .formatted(
                                    vector,
                                    expected,
                                    software.cpu.cr2,
                                    trap,
                                    error,
                                    rip,
                                    silicon(OracleLayout.CR2)));
            return false;
        }
        if (vector == GuestFault.PF) {
            long cr2 = silicon(OracleLayout.CR2);
            // Linux hides from user code whether kernel addresses are present.
            int mask = Long.compareUnsigned(cr2, OracleLayout.USER_END) >= 0 ? ~1 : ~0;
            int own = software.errorCode();
            if (cr2 != software.cpu.cr2 || ((error ^ own) & mask) != 0) {
                add(
                        "page fault: cr2 %x error %x; silicon %x %x%n"
                                .formatted(software.cpu.cr2, own, cr2, error));
            }
        }
        return true;
    }

    private void registers() {
        long mask = software.cpu.long64 ? -1L : 0xFFFFFFFFL;
        boolean undefinedResult = UndefinedFlags.result(software.insn, clBefore());
        for (int i = 0; i < 16; i++) {
            long a = software.cpu.regs[i] & mask;
            long b = silicon(OracleLayout.GPR[i]) & mask;
            if (a != b && !(undefinedResult && !strict && i == software.insn.reg0)) {
                add("%s: %x; silicon %x%n".formatted(GPR[i], a, b));
            }
        }
        int undefined = strict || faulted ? 0 : UndefinedFlags.of(software.insn, clBefore());
        int flags = (Flags.STATUS | Flags.DF | Flags.TF | Flags.NT) & ~undefined;
        long a = software.cpu.flags.rflags() & flags;
        long b = silicon(OracleLayout.RFLAGS) & flags;
        if (a != b) {
            add("flags: %x; silicon %x (%s differ)%n".formatted(a, b, names((int) (a ^ b))));
        }
    }

    private static String names(int flags) {
        String text = "";
        text += (flags & Flags.CF) != 0 ? " CF" : "";
        text += (flags & Flags.PF) != 0 ? " PF" : "";
        text += (flags & Flags.AF) != 0 ? " AF" : "";
        text += (flags & Flags.ZF) != 0 ? " ZF" : "";
        text += (flags & Flags.SF) != 0 ? " SF" : "";
        text += (flags & Flags.TF) != 0 ? " TF" : "";
        text += (flags & Flags.DF) != 0 ? " DF" : "";
        text += (flags & Flags.OF) != 0 ? " OF" : "";
        return text + ((flags & Flags.NT) != 0 ? " NT" : "");
    }

    private int clBefore() {
        return (int) shared.get(LONG, caseAt + OracleLayout.GPR[1]) & 0xFF;
    }

    /** All but the last opcode, instruction and data pointers, and MXCSR_MASK. */
    private void floatingState() {
        byte[] area = software.floatingState();
        for (int i = 0; i < OracleLayout.FX_BYTES; i++) {
            boolean pointers = i >= 6 && i < 24;
            boolean padding = i >= 32 && i < 160 && (i & 15) >= 10;
            if (i == 28) {
                i = 31;
                continue;
            }
            byte silicon = shared.get(ValueLayout.JAVA_BYTE, resultAt + OracleLayout.FX + i);
            int ignored = i == 3 ? Leeway.statusWord(software.insn) >> 8 : 0;
            if (!pointers && !padding && ((area[i] ^ silicon) & ~ignored) != 0) {
                int start = i < 32 ? i : i & ~15;
                int size = i < 6 ? 2 : i < 32 ? 4 : 16;
                int from = i < 32 ? start & -size : start;
                add(
                        "%s: %s; silicon %s%n"
                                .formatted(
                                        place(i), hex(area, from, size), hexSilicon(from, size)));
                i = from + size - 1;
            }
        }
        if (upperHalves) {
            upperHalves(area);
        }
    }

    private void upperHalves(byte[] area) {
        for (int i = 0; i < OracleLayout.YMM_BYTES; i += 16) {
            String own = hex(area, AVX_AREA + i, 16);
            String other = hexSilicon(OracleLayout.FX_BYTES + i, 16);
            if (!own.equals(other)) {
                add("ymm%d, upper half: %s; silicon %s%n".formatted(i / 16, own, other));
            }
        }
    }

    private static String place(int offset) {
        if (offset >= 160) {
            return "xmm" + (offset - 160) / 16;
        }
        if (offset >= 32) {
            return "st" + (offset - 32) / 16;
        }
        return offset < 2 ? "fcw" : offset < 4 ? "fsw" : offset < 6 ? "ftw" : "mxcsr";
    }

    private static String hex(byte[] bytes, int from, int size) {
        StringBuilder text = new StringBuilder();
        for (int i = from + size - 1; i >= from; i--) {
            text.append("%02x".formatted(bytes[i]));
        }
        return text.toString();
    }

    private String hexSilicon(int from, int size) {
        byte[] bytes = new byte[size];
        MemorySegment.copy(
                shared, ValueLayout.JAVA_BYTE, resultAt + OracleLayout.FX + from, bytes, 0, size);
        return hex(bytes, 0, size);
    }

    private void memory() {
        long at = software.memoryMismatch(shared, resultAt + OracleLayout.MEMORY);
        if (at < 0 || (UndefinedFlags.result(software.insn, clBefore()) && !strict)) {
            return;
        }
        add("memory %x:".formatted(OracleLayout.DATA + at));
        for (long i = at; i < Math.min(at + 16, OracleLayout.PAGE); i++) {
            add(" %02x".formatted(software.dataByte(i)));
        }
        add("; silicon");
        for (long i = at; i < Math.min(at + 16, OracleLayout.PAGE); i++) {
            long offset = resultAt + OracleLayout.MEMORY + i;
            add(" %02x".formatted(shared.get(ValueLayout.JAVA_BYTE, offset)));
        }
        add("%n".formatted());
    }

    private void add(String text) {
        difference.append(text);
    }

    private String describe() {
        Insn in = software.insn;
        StringBuilder text = new StringBuilder();
        text.append(in.mode).append("-bit: ");
        for (int i = 0; i < in.length; i++) {
            long at = caseAt + OracleLayout.CODE_BYTES + i;
            text.append("%02x ".formatted(shared.get(ValueLayout.JAVA_BYTE, at)));
        }
        text.append(" ").append(Disassembly.format(in)).append("\n  before:");
        for (int i = 0; i < (in.mode == 64 ? 16 : 8); i++) {
            long value = shared.get(LONG, caseAt + OracleLayout.GPR[i]);
            text.append(" %s %x".formatted(GPR[i], value));
        }
        long flags = shared.get(LONG, caseAt + OracleLayout.RFLAGS);
        text.append(" flags %x%n".formatted(flags));
        switch (in.op.family()) {
            case X87, SSE, CRYPTO, STATE, AVX -> floatingBefore(text, in);
            default -> {}
        }
        return text.toString();
    }

    private void floatingBefore(StringBuilder text, Insn in) {
        long fx = caseAt + OracleLayout.FX;
        text.append(
                "  fcw/fsw/ftw %x mxcsr %x"
                        .formatted(shared.get(LONG, fx), (int) shared.get(LONG, fx + 24)));
        boolean xmm = in.vectorBytes >= 16;
        int first = xmm ? 160 : 32;
        for (int i = 0; i < (xmm ? 16 : 8); i++) {
            boolean used =
                    !xmm
                            || (in.kind0 == Insn.XMM && in.reg0 == i)
                            || (in.kind1 == Insn.XMM && in.reg1 == i)
                            || (in.kind2 == Insn.XMM && in.reg2 == i)
                            || (in.kind3 == Insn.XMM && in.reg3 == i)
                            || (i == 0 && in.vexBytes == 0)
                            || (i == in.index && CaseGenerator.isGather(in));
            if (used) {
                text.append(
                        " %s %x:%016x"
                                .formatted(
                                        place(first + 16 * i),
                                        shared.get(LONG, fx + first + 16 * i + 8),
                                        shared.get(LONG, fx + first + 16 * i)));
            }
            if (used && in.vectorBytes == 32) {
                long upper = caseAt + OracleLayout.YMM_HIGH + 16 * i;
                text.append(
                        " upper %x:%016x"
                                .formatted(shared.get(LONG, upper + 8), shared.get(LONG, upper)));
            }
        }
        if (CaseGenerator.hasMemory(in)) {
            long ea = software.cpu.effectiveAddress(in) - OracleLayout.DATA;
            if (ea >= 0 && ea <= OracleLayout.PAGE - 16) {
                long pool = OracleLayout.POOL + shared.get(LONG, caseAt + OracleLayout.POOL_OFFSET);
                text.append(
                        " mem? %x:%016x"
                                .formatted(
                                        shared.get(LONG, pool + ea + 8),
                                        shared.get(LONG, pool + ea)));
            }
        }
        text.append("\n");
    }
}
