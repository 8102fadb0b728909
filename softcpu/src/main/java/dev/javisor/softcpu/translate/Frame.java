package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Alu;
import dev.javisor.softcpu.block.Lowering;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/** The locals of a region's method, and the idioms of reading and writing them. */
final class Frame {
    static final ClassDesc CPU = Cpu.class.describeConstable().orElseThrow();
    static final ClassDesc FLAGS = Flags.class.describeConstable().orElseThrow();
    static final ClassDesc INSN = Insn.class.describeConstable().orElseThrow();
    static final ClassDesc ALU = Alu.class.describeConstable().orElseThrow();
    static final ClassDesc RUNTIME = RegionRuntime.class.describeConstable().orElseThrow();
    static final ClassDesc LONGS = ConstantDescs.CD_long.arrayType();
    static final ClassDesc INSNS = INSN.arrayType();
    static final ClassDesc MEMORY = ClassDesc.of("java.lang.foreign.MemorySegment");
    static final MethodTypeDesc J_JJ = method("JJJ");
    static final MethodTypeDesc J_JJJ = method("JJJJ");
    static final MethodTypeDesc J_JI = method("JJI");
    static final MethodTypeDesc J_J = method("JJ");
    static final MethodTypeDesc J_JIJ = method("JJIJ");
    static final MethodTypeDesc J_JJI = method("JJJI");
    static final MethodTypeDesc LOAD =
            MethodTypeDesc.of(ConstantDescs.CD_long, MEMORY, ConstantDescs.CD_long);
    static final MethodTypeDesc STORE =
            LOAD.changeReturnType(ConstantDescs.CD_void)
                    .insertParameterTypes(2, ConstantDescs.CD_long);
    static final MethodTypeDesc Z_JJ = method("ZJJ");
    static final MethodTypeDesc Z_JJJ = method("ZJJJ");
    static final MethodTypeDesc I_J = method("IJ");

    // Locals; 0 is the region, longs take two.
    static final int CPU_LOCAL = 1;
    static final int BUDGET = 2;
    static final int COUNT = 3;

    /** Number of the register that holds memory operands between the parts of an instruction. */
    static final int TEMPORARY = Lowering.TMP;

    private static final int REGS = 4;
    private static final int TMP = 36;

    /** Flags as stored: {@link Flags#result} and {@link Flags#aux}. */
    static final int RESULT = 38;

    static final int AUX = 40;

    /** Operands of the last operation with flags: see {@link FlagKind}. */
    static final int A = 42;

    static final int B = 44;
    static final int ADDRESS = 46;
    static final int SLOT = 48;
    static final int RIP = 49;
    static final int CODE = 51;
    static final int VALUE = 52;
    static final int VALUE2 = 54;

    /** Page and offset in the backing of the access being checked. */
    static final int PAGE = 56;

    static final int OFFSET = 58;

    /** Pages that were accessed last: see {@link PageSlots}. */
    static final int SLOTS = 60;

    /** What MXCSR allows: see {@link RegionRuntime#floatMode}. */
    static final int FLOAT_MODE = 72;

    /** Four words of a vector operand in memory, then of a result. */
    static final int SOURCE = 74;

    static final int TARGET = 82;
    private static final int VECTORS = 90;

    /** How often the budget may still be renewed. */
    static final int ROUNDS = VECTORS + 2 * 64;

    /** What it is then. */
    static final int JUMPS = ROUNDS + 1;

    final CodeBuilder code;

    /** Class that is being made: its constants. */
    final ClassDesc self;

    /** Words of vector registers, four each, that are locals, by bit. */
    private final long vectorWords;

    /** Whether the code may ask for {@link #FLOAT_MODE}, with words in locals or without. */
    private final boolean floatMode;

    private long vectorsWritten;

    /** General registers written anywhere so far, by bit. */
    int written;

    Frame(CodeBuilder code, ClassDesc self, long vectorWords, boolean floatMode) {
        this.code = code;
        this.vectorWords = vectorWords;
        this.floatMode = floatMode;
        this.self = self;
    }

    /** From primitive descriptors, the result's first. */
    private static MethodTypeDesc method(String types) {
        return MethodTypeDesc.ofDescriptor("(" + types.substring(1) + ")" + types.charAt(0));
    }

    static int local(int reg) {
        return reg == Lowering.TMP ? TMP : REGS + 2 * reg;
    }

    /** For listings. */
    static String nameOf(int local) {
        if (local >= REGS && local < TMP) {
            return REGISTER_NAMES[(local - REGS) / 2];
        }
        return switch (local) {
            case 0 -> "this";
            case CPU_LOCAL -> "cpu";
            case BUDGET -> "budget";
            case COUNT -> "count";
            case TMP -> "tmp";
            case RESULT -> "flags.result";
            case AUX -> "flags.aux";
            case A -> "a";
            case B -> "b";
            case ADDRESS -> "address";
            case SLOT -> "slot";
            case RIP -> "rip";
            case CODE -> "code";
            case VALUE -> "value";
            case VALUE2 -> "value2";
            default -> "local" + local;
        };
    }

    private static final String[] REGISTER_NAMES = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15"
    };

    /** Pushes a general register, or the constant zero. */
    void get(int reg) {
        if (reg == Insn.ZERO) {
            code.lconst_0();
        } else {
            code.lload(local(reg));
        }
    }

    /** Pops into a general register. */
    void set(int reg) {
        if (reg < 16) {
            written |= 1 << reg;
        }
        code.lstore(local(reg));
    }

    void constant(long value) {
        code.loadConstant(value);
    }

    /** Zero-extends the 32-bit value on the stack. */
    void zeroExtend32() {
        code.loadConstant(0xFFFFFFFFL).land();
    }

    /** Sign-extends the 32-bit value on the stack. */
    void signExtend32() {
        code.l2i().i2l();
    }

    void alu(String name, MethodTypeDesc type) {
        code.invokestatic(ALU, name, type);
    }

    void runtime(String name, MethodTypeDesc type) {
        code.invokestatic(RUNTIME, name, type);
    }

    void tlb() {
        code.getstatic(self, "TLB", LONGS);
    }

    void memory() {
        code.getstatic(self, "MEMORY", MEMORY);
    }

    void vectors() {
        code.getstatic(self, "VECTORS", LONGS);
    }

    /** Local of a vector register's word. */
    int vector(int reg, int word) {
        if (!isLocal(reg, word)) {
            throw new IllegalStateException(
                    "word %d of vector %d is no local".formatted(word, reg));
        }
        return VECTORS + 2 * (4 * reg + word);
    }

    boolean isLocal(int reg, int word) {
        return (vectorWords >>> (4 * reg + word) & 1) != 0;
    }

    /** Pops into a word of a vector register. */
    void setVector(int reg, int word) {
        vectorsWritten |= 1L << (4 * reg + word);
        code.lstore(vector(reg, word));
    }

    /** Loads the vector words that are locals, and what MXCSR says. */
    void reloadVectors() {
        for (int i = 0; i < 64; i++) {
            if ((vectorWords >>> i & 1) != 0) {
                vectors();
                code.loadConstant(i).laload().lstore(VECTORS + 2 * i);
            }
        }
        if (floatMode) {
            code.aload(CPU_LOCAL);
            runtime("floatMode", MethodTypeDesc.of(ConstantDescs.CD_int, CPU));
            code.istore(FLOAT_MODE);
        }
    }

    /** Loads all registers and flags from the CPU: the method's first instructions. */
    void enter() {
        code.iload(BUDGET).bipush(Region.ROUNDS_SHIFT).iushr().istore(ROUNDS);
        code.iload(BUDGET).loadConstant((1 << Region.ROUNDS_SHIFT) - 1).iand().istore(JUMPS);
        code.iload(JUMPS).istore(BUDGET);
        for (int r = 0; r < 16; r++) {
            reload(r);
        }
        code.lconst_0().lstore(TMP);
        code.lconst_0().lstore(A);
        code.lconst_0().lstore(B);
        code.iconst_0().istore(COUNT);
        reloadFlags();
        reloadVectors();
    }

    private void registers() {
        code.aload(CPU_LOCAL).getfield(CPU, "regs", LONGS);
    }

    private void flags() {
        code.aload(CPU_LOCAL).getfield(CPU, "flags", FLAGS);
    }

    private void reload(int r) {
        registers();
        code.loadConstant(r).laload().lstore(local(r));
    }

    void reloadFlags() {
        flags();
        code.getfield(FLAGS, "result", ConstantDescs.CD_long).lstore(RESULT);
        flags();
        code.getfield(FLAGS, "aux", ConstantDescs.CD_long).lstore(AUX);
    }

    /** Reloads the registers of {@code set}. */
    void reloadAll(int set) {
        for (int r = 0; r < 16; r++) {
            if ((set & 1 << r) != 0) {
                reload(r);
            }
        }
    }

    /** Writes back whatever the region may have changed, and the count. Flags are stored. */
    void spill() {
        for (int r = 0; r < 16; r++) {
            if ((written & 1 << r) != 0) {
                registers();
                code.loadConstant(r).lload(local(r)).lastore();
            }
        }
        for (int i = 0; i < 64; i++) {
            if ((vectorsWritten >>> i & 1) != 0) {
                vectors();
                code.loadConstant(i).lload(VECTORS + 2 * i).lastore();
            }
        }
        flags();
        code.lload(RESULT).putfield(FLAGS, "result", ConstantDescs.CD_long);
        flags();
        code.lload(AUX).putfield(FLAGS, "aux", ConstantDescs.CD_long);
        code.aload(CPU_LOCAL).aload(CPU_LOCAL).getfield(CPU, "retired", ConstantDescs.CD_long);
        code.iload(COUNT).i2l().ladd().putfield(CPU, "retired", ConstantDescs.CD_long);
    }
}
