package dev.javisor.oracle;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.exec.BranchOps;
import dev.javisor.softcpu.exec.DecimalOps;
import dev.javisor.softcpu.exec.IntegerOps;
import dev.javisor.softcpu.exec.StringOps;
import dev.javisor.softcpu.fp.AvxOps;
import dev.javisor.softcpu.fp.CryptoOps;
import dev.javisor.softcpu.fp.FpuArea;
import dev.javisor.softcpu.fp.SseOps;
import dev.javisor.softcpu.fp.StateOps;
import dev.javisor.softcpu.fp.X87Ops;
import dev.javisor.softcpu.translate.Translator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A software CPU in user mode whose address space is that of the runner: one code, one data page.
 */
final class SoftwareSide {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int RAM_BYTES = 0x10000;

    // Physical pages.
    private static final int PML4 = 0x1000;
    private static final int PDPT = 0x2000;
    private static final int DIRECTORY = 0x3000;
    private static final int CODE_TABLE = 0x4000;
    private static final int DATA_TABLE = 0x5000;
    private static final int CODE_PAGE = 0x8000;
    private static final int DATA_PAGE = 0x9000;

    /** Present, writable, user, accessed, dirty. */
    private static final long ENTRY = 0x67;

    final Cpu cpu;
    final Insn insn = new Insn();
    private final MemorySegment memory;
    private int errorCode;
    private final BlockBuilder builder;
    private final Translator translator;

    /** Whether {@link #executeTranslated} found a translation that executed the instruction. */
    boolean translated;

    private final byte[] code = new byte[16];
    private final byte[] area = new byte[FpuArea.SIZE_BYTES];

    SoftwareSide() {
        memory = Arena.ofAuto().allocate(RAM_BYTES + 4096, 4096);
        GuestMemory ram =
                new GuestMemory(memory, List.of(new GuestMemory.Region(0, 0, RAM_BYTES)), () -> {});
        cpu = new Cpu(0, new Ram(ram));
        memory.set(LONG, PML4, PDPT | ENTRY);
        memory.set(LONG, PDPT, DIRECTORY | ENTRY);
        memory.set(LONG, DIRECTORY + (OracleLayout.CODE >>> 21) * 8, CODE_TABLE | ENTRY);
        memory.set(LONG, DIRECTORY + (OracleLayout.DATA >>> 21) * 8, DATA_TABLE | ENTRY);
        memory.set(LONG, CODE_TABLE, CODE_PAGE | ENTRY & ~2);
        memory.set(LONG, DATA_TABLE, DATA_PAGE | ENTRY | Long.MIN_VALUE);
        memory.asSlice(CODE_PAGE, 4096).fill((byte) 0xCC);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_PG;
        cpu.cr3 = PML4;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_OSXSAVE;
        cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE | Cpu.EFER_SCE;
        cpu.xcr0 = 7;
        int user = Seg.PRESENT | Seg.S | 3 << Seg.DPL_SHIFT | Seg.G | Seg.DB;
        for (int s : new int[] {Seg.ES, Seg.SS, Seg.DS}) {
            cpu.segLimit[s] = 0xFFFFFFFFL;
            cpu.segSelector[s] = OracleLayout.SS_USER;
            cpu.segAttributes[s] = user | Seg.RW | Seg.ACCESSED;
        }
        cpu.segAttributes[Seg.FS] = Seg.UNUSABLE;
        cpu.segAttributes[Seg.GS] = Seg.UNUSABLE;
        cpu.segLimit[Seg.CS] = 0xFFFFFFFFL;
        builder = new BlockBuilder(cpu);
        translator = new Translator(cpu, (linear, key) -> null, 1, Runnable::run);
    }

    private void mode(int selector) {
        if (cpu.segSelector[Seg.CS] == selector) {
            return;
        }
        int size = selector == OracleLayout.CS_64 ? Seg.L : Seg.DB;
        cpu.segSelector[Seg.CS] = selector;
        cpu.segAttributes[Seg.CS] =
                Seg.PRESENT
                        | Seg.S
                        | Seg.CODE
                        | Seg.RW
                        | Seg.ACCESSED
                        | 3 << Seg.DPL_SHIFT
                        | Seg.G
                        | size;
        cpu.updateMode();
    }

    /** Loads the case at offset {@code at} of the shared file and decodes its instruction. */
    void load(MemorySegment shared, long at) {
        mode((int) shared.get(LONG, at + OracleLayout.SELECTORS) & 0xFFFF);
        cpu.flags.setRflags(shared.get(LONG, at + OracleLayout.RFLAGS));
        cpu.mmu.selectContext();
        for (int i = 0; i < 16; i++) {
            cpu.regs[i] = shared.get(LONG, at + OracleLayout.GPR[i]);
        }
        MemorySegment.copy(
                shared,
                at + OracleLayout.FX,
                MemorySegment.ofArray(area),
                0,
                OracleLayout.FX_BYTES);
        MemorySegment.copy(
                shared,
                at + OracleLayout.YMM_HIGH,
                MemorySegment.ofArray(area),
                576,
                OracleLayout.YMM_BYTES);
        area[512] = 7;
        FpuArea.load(cpu, area);
        long pool = OracleLayout.POOL + shared.get(LONG, at + OracleLayout.POOL_OFFSET);
        MemorySegment.copy(shared, pool, memory, DATA_PAGE, OracleLayout.PAGE);
        long ip = shared.get(LONG, at + OracleLayout.RIP);
        MemorySegment.copy(
                shared, ValueLayout.JAVA_BYTE, at + OracleLayout.CODE_BYTES, code, 0, 16);
        // Last page offset first: the previous case's bytes may reach further.
        long codeAt = CODE_PAGE + (ip & 0xFFF);
        memory.asSlice(CODE_PAGE + 0x800, 0x40).fill((byte) 0xCC);
        MemorySegment.copy(code, 0, memory, ValueLayout.JAVA_BYTE, codeAt, 16);
        Decoder.decode(code, 0, code.length, cpu.codeBits, ip, insn);
    }

    /**
     * Executes the loaded instruction to its end.
     *
     * @return vector of the fault, or -1
     */
    int execute() {
        Insn in = insn;
        try {
            do {
                cpu.rip = in.nextIp;
                switch (in.op.family()) {
                    case INTEGER -> IntegerOps.execute(cpu, in);
                    case DECIMAL -> DecimalOps.execute(cpu, in);
                    case BRANCH -> BranchOps.execute(cpu, in);
                    case STRING -> StringOps.execute(cpu, in);
                    case X87 -> X87Ops.execute(cpu, in);
                    case STATE -> StateOps.execute(cpu, in);
                    case SSE -> SseOps.execute(cpu, in);
                    case CRYPTO -> CryptoOps.execute(cpu, in);
                    case AVX -> AvxOps.execute(cpu, in);
                    case SYSTEM -> throw new IllegalStateException("not selected: " + in.op);
                }
            } while (in.op.family() == Op.Family.STRING && cpu.rip == in.ip);
            return -1;
        } catch (GuestFault fault) {
            return fault(fault);
        }
    }

    /**
     * Executes the loaded instruction to its end, in translated form if it has one: {@link
     * #translated} tells.
     *
     * @return vector of the fault, or -1
     */
    int executeTranslated() {
        translated = false;
        if (!cpu.long64) {
            return execute();
        }
        warm();
        cpu.rip = insn.ip;
        Block block;
        try {
            long physical = cpu.mmu.translateFetch(insn.ip);
            block = builder.build(insn.ip, insn.ip, 64 | 1, physical, 1);
        } catch (GuestFault fetch) {
            return execute();
        }
        if (!Translator.handles(block)) {
            return execute();
        }
        translator.request(block);
        Region region = block.region;
        if (region == null || !region.isUsable(cpu)) {
            return execute();
        }
        long before = cpu.retired;
        try {
            region.enter(cpu, 1);
        } catch (GuestFault fault) {
            translated = true;
            return fault(fault);
        }
        if (cpu.retired == before) {
            // Left before the instruction: tier one executes it.
            return execute();
        }
        translated = true;
        return -1;
    }

    /** The first access to a page always leaves a region. */
    private void warm() {
        cpu.mmu.probeWrite(OracleLayout.DATA, 1);
        cpu.mmu.read(OracleLayout.DATA, 1);
    }

    private int fault(GuestFault fault) {
        cpu.rip = insn.ip;
        errorCode = fault.errorCode();
        boolean stack = cpu.mmu.nonCanonical && usesStack();
        cpu.mmu.nonCanonical = false;
        // As the run loop delivers it.
        return stack && fault.vector() == GuestFault.GP ? GuestFault.SS : fault.vector();
    }

    /** Whether the instruction accesses memory through SS. */
    private boolean usesStack() {
        if (CaseGenerator.hasMemory(insn)) {
            return insn.seg == Seg.SS;
        }
        return switch (insn.op) {
            case PUSH, POP, PUSHF, POPF, ENTER, LEAVE, CALL, RET -> true;
            default -> false;
        };
    }

    /** Error code of the last fault, or -1. */
    int errorCode() {
        return errorCode;
    }

    /** x87, MXCSR, XMM, YMM now, as an XSAVE area. */
    byte[] floatingState() {
        FpuArea.save(cpu, area);
        return area;
    }

    /** Position of the first byte of the data page that differs from {@code at}, or -1. */
    long memoryMismatch(MemorySegment shared, long at) {
        return MemorySegment.mismatch(
                memory,
                DATA_PAGE,
                DATA_PAGE + OracleLayout.PAGE,
                shared,
                at,
                at + OracleLayout.PAGE);
    }

    int dataByte(long offset) {
        return memory.get(ValueLayout.JAVA_BYTE, DATA_PAGE + offset) & 0xFF;
    }
}
