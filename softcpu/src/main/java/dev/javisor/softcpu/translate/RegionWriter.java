package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.PendingFlags;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.block.Uop;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.classfile.instruction.SwitchCase;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns a region's blocks into the bytes of a class that extends {@link Region}. */
final class RegionWriter {
    private static final ClassDesc REGION = Region.class.describeConstable().orElseThrow();
    private static final ClassDesc PAGES = RegionPages.class.describeConstable().orElseThrow();
    private static final ClassDesc EXITS = RegionExits.class.describeConstable().orElseThrow();
    private static final ClassDesc CONSTANTS =
            RegionRuntime.Constants.class.describeConstable().orElseThrow();
    private static final MethodTypeDesc CONSTRUCTOR =
            MethodTypeDesc.of(
                    ConstantDescs.CD_void,
                    PAGES,
                    ConstantDescs.CD_int,
                    ConstantDescs.CD_int,
                    ConstantDescs.CD_boolean,
                    EXITS);
    private static final MethodTypeDesc RUN =
            MethodTypeDesc.of(ConstantDescs.CD_int, Frame.CPU, ConstantDescs.CD_int);
    private static final MethodTypeDesc CALL_OUT =
            MethodTypeDesc.of(
                    ConstantDescs.CD_boolean,
                    Frame.CPU,
                    Frame.INSN,
                    ConstantDescs.CD_int,
                    ConstantDescs.CD_int);

    /** With more targets a switch is better than a chain of compares. */
    private static final int MAX_COMPARES = 4;

    private final RegionShape shape;

    private final Ram ram;

    /** Null for a block that nothing in the region leads to. */
    private final @Nullable FlagKind[] kindAtEntry;

    /** Words of vector registers that instructions name, by bit. */
    private long vectorWords;

    private int vectorUse;

    private final List<Insn> calledOut = new ArrayList<>();
    private boolean lines;

    /** Dispatch codes of the blocks before the one being written. */
    private int codesBefore;

    private int line;

    /**
     * A place where a family executes an instruction: written behind the code.
     *
     * @param kind where the flags are, before and, if the instruction keeps them, after it
     */
    private record CallOut(
            Insn in,
            int number,
            int uncounted,
            int page,
            FlagKind kind,
            Label start,
            Label resume,
            int line) {
        FlagKind kindAfter() {
            return VectorWriter.keepsFlags(in) ? kind : FlagKind.STORED;
        }
    }

    private final List<CallOut> callOuts = new ArrayList<>();

    /** Where a jump backwards to a block finds that its budget is spent: behind the code. */
    private record Poll(int to, long ip, FlagKind kind) {}

    private final Map<Poll, Label> polls = new LinkedHashMap<>();
    private ClassDesc self = REGION;
    private Label[] starts = {};
    private Frame f;
    private CodeBuilder code;
    private FlagWriter flags;
    private MemoryWriter memory;
    private CodeWriter codes;
    private IntegerWriter integers;
    private BmiWriter bmi;
    private VectorWriter vectors;
    private AtomicWriter atomics;
    private Exits exits;
    private RegionExits exitTable;

    @SuppressWarnings("NullAway.Init") // the writers are made with the method's builder
    RegionWriter(RegionShape shape, Ram ram) {
        this.shape = shape;
        this.ram = ram;
        this.kindAtEntry = new FlagFlow(shape).kinds();
        for (Block b : shape.blocks) {
            for (Insn in : b.code) {
                vectorWords |= VectorWriter.words(in);
                if (VectorWriter.isVector(in)) {
                    int use = in.vexBytes == 0 ? Region.USES_SSE : Region.USES_AVX;
                    vectorUse |= use;
                }
            }
        }
    }

    /** With the line numbers that {@link RegionListing} reads. */
    RegionWriter withLines() {
        lines = true;
        return this;
    }

    /** Instructions that families execute, in the order of the class's constant. */
    Insn[] calledOut() {
        return calledOut.toArray(Insn[]::new);
    }

    /** What leaving the code means, once it is written. */
    RegionExits exits() {
        return exitTable;
    }

    /** Which vector instructions the code does without asking whether it may. */
    int vectorUse() {
        return vectorUse;
    }

    /** The class file. */
    byte[] write(String name) {
        self = ClassDesc.of("dev.javisor.softcpu.translate", name);
        return ClassFile.of(
                        ClassFile.DebugElementsOption.DROP_DEBUG,
                        lines
                                ? ClassFile.LineNumbersOption.PASS_LINE_NUMBERS
                                : ClassFile.LineNumbersOption.DROP_LINE_NUMBERS)
                .build(
                        self,
                        c -> {
                            c.withSuperclass(REGION);
                            c.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SUPER);
                            int constant = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;
                            c.withField("TLB", Frame.LONGS, constant);
                            c.withField("VECTORS", Frame.LONGS, constant);
                            c.withField("MEMORY", Frame.MEMORY, constant);
                            c.withField("CALLED_OUT", Frame.INSNS, constant);
                            c.withMethodBody(
                                    ConstantDescs.CLASS_INIT_NAME,
                                    ConstantDescs.MTD_void,
                                    ClassFile.ACC_STATIC,
                                    this::writeInitializer);
                            c.withMethodBody(
                                    ConstantDescs.INIT_NAME,
                                    CONSTRUCTOR,
                                    0,
                                    this::writeConstructor);
                            c.withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, this::writeRun);
                        });
    }

    private void writeInitializer(CodeBuilder b) {
        constant(b, "tlb", "TLB", Frame.LONGS);
        constant(b, "vectors", "VECTORS", Frame.LONGS);
        constant(b, "memory", "MEMORY", Frame.MEMORY);
        constant(b, "calledOut", "CALLED_OUT", Frame.INSNS);
        b.return_();
    }

    private void constant(CodeBuilder b, String component, String field, ClassDesc type) {
        b.invokestatic(Frame.RUNTIME, "handed", MethodTypeDesc.of(CONSTANTS));
        b.invokevirtual(CONSTANTS, component, MethodTypeDesc.of(type));
        b.putstatic(self, field, type);
    }

    private void writeConstructor(CodeBuilder b) {
        b.aload(0)
                .aload(1)
                .iload(2)
                .iload(3)
                .iload(4)
                .aload(5)
                .invokespecial(REGION, ConstantDescs.INIT_NAME, CONSTRUCTOR);
        b.return_();
    }

    private void writeRun(CodeBuilder b) {
        calledOut.clear();
        callOuts.clear();
        polls.clear();
        codesBefore = 0;
        code = b;
        f = new Frame(b, self, vectorWords, vectorUse != 0);
        flags = new FlagWriter(f);
        memory = new MemoryWriter(f, new PageSlots(shape), ram);
        codes = new CodeWriter(f, memory, flags);
        integers = new IntegerWriter(f, memory, flags);
        bmi = new BmiWriter(f, flags, integers);
        vectors = new VectorWriter(f, memory, flags);
        atomics = new AtomicWriter(f, memory, flags);
        exits = new Exits(f);
        int n = shape.blocks.size();
        starts = new Label[n];
        for (int i = 0; i < n; i++) {
            starts[i] = b.newLabel();
        }
        f.enter();
        memory.forgetPages();
        for (int i = 0; i < n; i++) {
            FlagKind kind = kindAtEntry[i];
            if (kind != null) {
                flags.kind = kind;
                vectors.forget();
                writeBlock(i);
            }
            codesBefore += shape.blocks.get(i).code.length;
        }
        for (CallOut callOut : callOuts) {
            startLine(callOut.line);
            writeCallOut(callOut);
        }
        startLine(RegionListing.EXITS);
        polls.forEach((poll, label) -> {
            code.labelBinding(label);
            writePoll(poll);
        });
        exitTable = exits.write();
    }

    private void startLine(int number) {
        line = number;
        if (lines) {
            code.lineNumber(number);
        }
    }

    private void writeBlock(int index) {
        Block b = shape.blocks.get(index);
        code.labelBinding(starts[index]);
        code.iinc(Frame.COUNT, b.instructions);
        Insn[] insns = b.code;
        int count = shape.codesOf(b);
        for (int i = 0; i < count; i++) {
            Insn in = insns[i];
            int uncounted = b.instructions - in.ordinal;
            startLine(codesBefore + i + 1);
            Label miss =
                    CodeWriter.canLeave(in)
                            ? exits.aside(in.ip, flags.kind, uncounted)
                            : code.newLabel();
            if (i == insns.length - 1 && writeEnd(index, in, miss)) {
                return;
            }
            if (in.uop == Uop.GENERIC) {
                generic(b, in, uncounted, miss);
            } else if (!codes.write(in, miss)) {
                code.goto_(exits.aside(in.ip, flags.kind, uncounted));
                return;
            }
        }
        if (count < insns.length) {
            Insn next = insns[count];
            code.goto_(exits.next(next.ip, flags.kind, b.instructions - next.ordinal));
            return;
        }
        edge(index, insns[insns.length - 1].nextIp);
    }

    /** False if the instruction is not a branch. */
    private boolean writeEnd(int index, Insn in, Label miss) {
        int uop = in.uop;
        if (uop >= Uop.JCC && uop < Uop.JCC + 16) {
            conditional(index, in, uop - Uop.JCC);
            return true;
        }
        if (uop >= Uop.CMP_RR_JZ && uop <= Uop.TEST_EE_JNZ) {
            fused(index, in, uop - Uop.CMP_RR_JZ);
            return true;
        }
        switch (uop) {
            case Uop.JMP_REL -> edge(index, in.imm);
            case Uop.CALL_REL -> {
                codes.pushStack(() -> f.constant(in.nextIp), miss);
                edge(index, in.imm);
            }
            case Uop.JMP_R -> {
                f.get(in.reg0);
                canonicalTarget(miss);
                indirect(index, List.of());
            }
            case Uop.CALL_R -> {
                f.get(in.reg0);
                canonicalTarget(miss);
                codes.pushStack(() -> f.constant(in.nextIp), miss);
                indirect(index, List.of());
            }
            case Uop.RET -> {
                f.get(4);
                memory.loadAt(8, miss);
                canonicalTarget(miss);
                codes.moveStack(8 + in.imm);
                indirect(index, shape.returnSites);
            }
            case Uop.GENERIC_END, Uop.GENERIC_JUMP -> code.goto_(miss);
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Pops a branch target into RIP; leaves if it is not canonical in 48 bits. */
    private void canonicalTarget(Label miss) {
        code.lstore(Frame.RIP);
        code.lload(Frame.RIP).bipush(16).lshl().bipush(16).lshr();
        code.lload(Frame.RIP).lcmp().ifne(miss);
    }

    /** Goes on at RIP: inside the region where it has led before, or to a place in {@code more}. */
    private void indirect(int index, List<Block> more) {
        Block b = shape.blocks.get(index);
        Set<Integer> targets = new LinkedHashSet<>();
        for (Block target : shape.indirectTargets(b)) {
            targets.add(shape.indexOf(target.ip));
        }
        for (Block target : more) {
            targets.add(shape.indexOf(target.ip));
        }
        targets.remove(-1);
        List<Long> ips = targets.stream().map(target -> shape.blocks.get(target).ip).toList();
        long distinct = ips.stream().map(Long::intValue).distinct().count();
        if (targets.size() > MAX_COMPARES && distinct == targets.size()) {
            switchOn(index, ips);
            return;
        }
        for (long ip : ips) {
            Label other = code.newLabel();
            code.lload(Frame.RIP).loadConstant(ip).lcmp().ifne(other);
            FlagKind kind = flags.kind;
            edge(index, ip);
            flags.kind = kind;
            code.labelBinding(other);
        }
        code.goto_(exits.indirect(flags.kind));
    }

    /** Goes on at RIP by its low half, of which all are different. */
    private void switchOn(int index, List<Long> ips) {
        FlagKind kind = flags.kind;
        Label out = exits.indirect(kind);
        List<SwitchCase> cases = new ArrayList<>();
        for (long ip : ips) {
            cases.add(SwitchCase.of((int) ip, code.newLabel()));
        }
        code.lload(Frame.RIP).l2i().lookupswitch(out, cases);
        for (int i = 0; i < ips.size(); i++) {
            code.labelBinding(cases.get(i).target());
            code.lload(Frame.RIP).loadConstant((long) ips.get(i)).lcmp().ifne(out);
            flags.kind = kind;
            edge(index, ips.get(i));
        }
    }

    private void conditional(int index, Insn in, int cond) {
        Label taken = code.newLabel();
        FlagKind kind = flags.kind;
        flags.branch(cond, taken);
        edge(index, in.nextIp);
        flags.kind = kind;
        code.labelBinding(taken);
        edge(index, in.imm);
    }

    private void fused(int index, Insn in, int n) {
        // Forms in the order RR, EE, RI, EI of CMP, then RR, EE of TEST, each JZ then JNZ.
        int form = n >> 1;
        long imm = in.imm;
        Insn compare = new Insn();
        compare.reg0 = in.reg0;
        compare.reg1 = in.reg1;
        compare.imm = in.disp;
        boolean narrow = (form & 1) != 0;
        boolean immediate = form == 2 || form == 3;
        codes.arithmetic(compare, form < 4 ? 5 : 6, (narrow ? 2 : 0) + (immediate ? 1 : 0));
        Insn jump = new Insn();
        jump.imm = imm;
        jump.nextIp = in.nextIp;
        conditional(index, jump, 4 + (n & 1));
    }

    /** Goes on at {@code ip}: inside the region if it is there, else out. */
    private void edge(int from, long ip) {
        int to = shape.indexOf(ip);
        if (to < 0) {
            code.goto_(exits.next(ip, flags.kind, 0));
            return;
        }
        if (kindAtEntry[to] == FlagKind.STORED) {
            flags.store();
        } else if (kindAtEntry[to] != flags.kind) {
            throw new IllegalStateException(
                    "flags are %s, not %s".formatted(flags.kind, kindAtEntry[to]));
        }
        if (to <= from) {
            Poll poll = new Poll(to, ip, flags.kind);
            code.iinc(Frame.BUDGET, -1);
            code.iload(Frame.BUDGET);
            code.branch(Opcode.IFLE, polls.computeIfAbsent(poll, p -> code.newLabel()));
        }
        code.goto_(starts[to]);
    }

    /**
     * Goes on if nobody asks for attention, and the region need not end for another reason. Where
     * the root begins it ends sooner, for it can be entered again there.
     */
    private void writePoll(Poll poll) {
        Label leave = exits.next(poll.ip, poll.kind, 0);
        code.aload(Frame.CPU_LOCAL).getfield(Frame.CPU, "requests", ConstantDescs.CD_int);
        code.ifne(leave);
        code.iinc(Frame.ROUNDS, -1);
        code.iload(Frame.ROUNDS);
        if (poll.to == 0) {
            code.loadConstant(Region.INNER_ROUNDS).if_icmple(leave);
        } else {
            code.ifle(leave);
        }
        code.iload(Frame.JUMPS).istore(Frame.BUDGET);
        code.goto_(starts[poll.to]);
    }

    private void generic(Block b, Insn in, int uncounted, Label miss) {
        boolean exchanges = in.op == Op.XCHG && (in.kind0 == Insn.MEM || in.kind1 == Insn.MEM);
        if (in.lock || exchanges ? atomics.write(in, miss) : integers.write(in, miss)) {
            return;
        }
        if (bmi.write(in, miss) || vectors.write(in, miss)) {
            return;
        }
        CallOut callOut = callOut(b, in, uncounted);
        code.goto_(callOut.start);
        flags.kind = callOut.kindAfter();
        code.labelBinding(callOut.resume);
    }

    private CallOut callOut(Block b, Insn in, int uncounted) {
        CallOut callOut =
                new CallOut(
                        in,
                        calledOut.size(),
                        uncounted,
                        b.page,
                        flags.kind,
                        code.newLabel(),
                        code.newLabel(),
                        line);
        calledOut.add(in);
        callOuts.add(callOut);
        f.written |= mayWrite(in);
        return callOut;
    }

    private void writeCallOut(CallOut c) {
        code.labelBinding(c.start);
        int pending = c.kind.pending();
        if (pending != PendingFlags.STORED) {
            code.lload(Frame.A).lstore(Frame.RESULT).lload(Frame.B).lstore(Frame.AUX);
        }
        // If it faults, only what came before has been executed.
        code.iinc(Frame.COUNT, -c.uncounted);
        f.spill();
        code.loadConstant(c.uncounted).istore(Frame.COUNT);
        code.aload(Frame.CPU_LOCAL).getstatic(self, "CALLED_OUT", Frame.INSNS);
        code.loadConstant(c.number).aaload().loadConstant(c.page).loadConstant(pending);
        code.invokestatic(Frame.RUNTIME, ignoresFlags(c.in) ? "callPlain" : "callOut", CALL_OUT);
        code.istore(Frame.CODE);
        f.reloadAll(mayWrite(c.in));
        if (c.in.op.family() != Op.Family.X87) {
            memory.forgetPages();
            f.reloadVectors();
        }
        if (!VectorWriter.keepsFlags(c.in)) {
            f.reloadFlags();
        }
        code.iload(Frame.CODE).ifne(c.resume);
        code.goto_(exits.next(c.in.nextIp, c.kindAfter(), c.uncounted - 1));
    }

    /** Neither reads nor writes status flags. */
    private static boolean ignoresFlags(Insn in) {
        return VectorWriter.keepsFlags(in)
                && switch (in.op) {
                    case FCMOVB, FCMOVE, FCMOVBE, FCMOVU, FCMOVNB, FCMOVNE, FCMOVNBE, FCMOVNU ->
                            false;
                    default -> true;
                };
    }

    /** General registers that the instruction may write, by bit. */
    private static int mayWrite(Insn in) {
        int set = bit(in.kind0, in.reg0) | bit(in.kind1, in.reg1) | bit(in.kind2, in.reg2);
        set |= bit(in.kind3, in.reg3);
        return set
                | switch (in.op.family()) {
                    // RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI: implied operands.
                    case INTEGER, STRING, DECIMAL -> 0xFF;
                    // RAX: FNSTSW.
                    case X87 -> 1;
                    // RAX, RCX, RDX: PCMPESTRI, XGETBV and the like.
                    default -> in.op == Op.INVALID ? 0 : 7;
                };
    }

    private static int bit(int kind, int reg) {
        return kind == Insn.GPR || kind == Insn.GPR_HIGH ? 1 << reg & 0xFFFF : 0;
    }
}
