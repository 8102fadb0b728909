package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Decodes guest code into blocks. Belongs to one vCPU's thread. */
public final class BlockBuilder {
    private static final int MAX_LENGTH = 15;

    private final Cpu cpu;
    private final Mmu mmu;
    private final byte[] bytes = new byte[4096 + 2 * MAX_LENGTH];
    private final List<Insn> insns = new ArrayList<>();
    private final Lowering lowering = new Lowering();

    public BlockBuilder(Cpu cpu) {
        this.cpu = cpu;
        this.mmu = cpu.mmu;
    }

    /**
     * Decodes at most {@code limit} instructions.
     *
     * @param physical translation of {@code linear}
     * @throws GuestFault if the first instruction reaches into a page that faults, or is too long
     */
    public Block build(long linear, long ip, int key, long physical, int limit) {
        int mode = key & ~1;
        int available = 4096 - (int) (linear & 0xFFF);
        long offset = mmu.ram().memory.offsetOf(physical, 1);
        int page = offset < 0 ? -1 : (int) (offset >>> 12);
        // The version is read before the bytes: a write in between makes the block stale, not
        // wrong.
        int version = page < 0 ? 0 : mmu.ram().codePages.markCode(page);
        int window = Math.min(available, limit * MAX_LENGTH);
        fetch(physical, offset, 0, window);
        insns.clear();
        int at = 0;
        int wraps = mode == 64 ? -1 : 0;
        while (insns.size() < limit) {
            Insn in = new Insn();
            long inIp = wraps < 0 ? ip + at : (ip + at) & 0xFFFFFFFFL;
            int length = Decoder.decode(bytes, at, window, mode, inIp, in);
            if (length == Decoder.TOO_LONG) {
                if (insns.isEmpty()) {
                    throw cpu.gp0();
                }
                break;
            }
            if (length == Decoder.TRUNCATED) {
                if (insns.isEmpty() && window == available) {
                    return buildCrossing(linear, ip, key, page, version, available);
                }
                break;
            }
            insns.add(in);
            at += length;
            if (endsBlock(in)) {
                break;
            }
        }
        long endIp = ip + at;
        Insn[] code = lowering.lower(insns, mode);
        return new Block(linear, ip, key, page, version, -1, 0, code, insns.size(), endIp);
    }

    /** One instruction whose bytes go on in the next page. */
    private Block buildCrossing(
            long linear, long ip, int key, int page, int version, int available) {
        int mode = key & ~1;
        long next = linear + available;
        if (mode != 64) {
            next &= 0xFFFFFFFFL;
        }
        long physical = mmu.translateFetch(next);
        long offset = mmu.ram().memory.offsetOf(physical, 1);
        int page2 = offset < 0 ? -1 : (int) (offset >>> 12);
        int version2 = page2 < 0 ? 0 : mmu.ram().codePages.markCode(page2);
        fetch(physical, offset, available, MAX_LENGTH);
        Insn in = new Insn();
        int length = Decoder.decode(bytes, 0, available + MAX_LENGTH, mode, ip, in);
        if (length == Decoder.TOO_LONG || length == Decoder.TRUNCATED) {
            throw cpu.gp0();
        }
        insns.clear();
        insns.add(in);
        Insn[] code = lowering.lower(insns, mode);
        return new Block(linear, ip, key, page, version, page2, version2, code, 1, ip + length);
    }

    private void fetch(long physical, long offset, int at, int count) {
        if (offset >= 0) {
            MemorySegment.copy(mmu.backing(), ValueLayout.JAVA_BYTE, offset, bytes, at, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            bytes[at + i] = (byte) mmu.readPhysical(physical + i, 1);
        }
    }

    /** Whether control, mode or interrupt state may differ after it: see Cpu's contract. */
    public static boolean endsBlock(Insn in) {
        return switch (in.op.family()) {
            case BRANCH -> true;
            // Frequent in kernels, and they change nothing that a block or region relies on.
            case SYSTEM ->
                    switch (in.op) {
                        case SWAPGS, CLI -> false;
                        default -> true;
                    };
            case STRING -> in.rep != 0;
            case STATE -> in.op == Op.XRSTOR || in.op == Op.XRSTORS;
            case INTEGER -> in.op == Op.POPF;
            case DECIMAL, X87, SSE, CRYPTO, AVX -> false;
        };
    }
}
