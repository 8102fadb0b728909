package dev.javisor.softcpu.run;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.core.BlockBudget;
import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Finds the block for the current instruction address: first in a small direct-mapped table by
 * linear address, then by page, else it has it built. Belongs to one vCPU's thread.
 */
final class BlockCache {
    private static final int JUMP_BITS = 13;
    private static final int JUMP_MASK = (1 << JUMP_BITS) - 1;
    private static final int BUCKETS = 1 << 16;

    private final Cpu cpu;
    private final Mmu mmu;
    private final CodePages codePages;
    private final BlockBudget budget;
    private final BlockBuilder builder;
    private final @Nullable Block[] buckets = new Block[BUCKETS];
    private int blocks;
    private long built;

    /** By linear address; read by the hot loop as well. Holds a block or the never-matching one. */
    final Block[] jump = new Block[1 << JUMP_BITS];

    /** Matches nothing: its key is of no mode. */
    private final Block none;

    // Fetch translations, valid at fetchGeneration.
    private final long[] fetchTag = new long[256];
    private final long[] fetchPage = new long[256];
    private int fetchGeneration = -1;

    BlockCache(Cpu cpu, BlockBuilder builder) {
        this.cpu = cpu;
        this.mmu = cpu.mmu;
        this.codePages = mmu.ram().codePages;
        this.budget = mmu.ram().blockBudget;
        budget.join();
        this.builder = builder;
        this.none = new Block(0, 0, -1, 0, -1, -1, 0, new dev.javisor.softcpu.decode.Insn[0], 0, 0);
        Arrays.fill(jump, none);
    }

    /** What decoding and fetch rights depend on: code size, and user or supervisor. */
    static int key(Cpu cpu) {
        return cpu.codeBits | (cpu.cpl == 3 ? 1 : 0);
    }

    static int jumpIndex(long linear) {
        return (int) (linear ^ (linear >>> JUMP_BITS)) & JUMP_MASK;
    }

    long blocksBuilt() {
        return built;
    }

    /** Whether the block's bytes are still those it was decoded from. */
    boolean isCurrent(Block block) {
        return codePages.version(block.page) == block.version
                && (block.page2 < 0 || codePages.version(block.page2) == block.version2);
    }

    /**
     * The block at CS:RIP.
     *
     * @throws dev.javisor.softcpu.core.GuestFault if fetching the first instruction faults
     */
    Block lookup() {
        long ip = cpu.rip;
        long linear = cpu.long64 ? ip : (cpu.segBase[Seg.CS] + ip) & 0xFFFFFFFFL;
        int key = key(cpu);
        int index = jumpIndex(linear);
        Block block = jump[index];
        if (block.linear == linear
                && block.key == key
                && block.ip == ip
                && block.generation == mmu.codeGeneration
                && isCurrent(block)) {
            checkLimit(block);
            return block;
        }
        block = findOrBuild(linear, ip, key);
        block.generation = mmu.codeGeneration;
        if (block.page >= 0) {
            jump[index] = block;
        }
        checkLimit(block);
        return block;
    }

    /** Fetches beyond the limit of CS fault (SDM 3A §6.3). */
    private void checkLimit(Block block) {
        if (!cpu.long64 && block.endIp - 1 > cpu.segLimit[Seg.CS]) {
            throw cpu.gp0();
        }
    }

    /** The block at {@code rip} of 64-bit code if it can be entered at once, else null. */
    @Nullable Block ready(long rip, int key) {
        Block block = jump[jumpIndex(rip)];
        return block.linear == rip
                        && block.key == key
                        && block.ip == rip
                        && block.generation == mmu.codeGeneration
                        && block.page2 < 0
                        && codePages.version(block.page) == block.version
                ? block
                : null;
    }

    /** What {@link #jump} has for an address, whatever it is worth; from any thread. */
    @Nullable Block known(long linear, int key) {
        Block block = jump[jumpIndex(linear)];
        return block.linear == linear && block.key == key ? block : null;
    }

    private Block findOrBuild(long linear, long ip, int key) {
        long physical = fetchAddress(linear, key);
        long offset = mmu.ram().memory.offsetOf(physical, 1);
        if (offset < 0) {
            return builder.build(linear, ip, key, physical, 64);
        }
        int bucket = bucket(offset, linear);
        Block previous = null;
        for (Block b = buckets[bucket]; b != null; b = b.bucketNext) {
            if (b.linear == linear
                    && b.key == key
                    && b.ip == ip
                    && b.page == (int) (offset >>> 12)) {
                if (isCurrent(b) && (b.page2 < 0 || secondPageHolds(b, key))) {
                    return b;
                }
                if (previous == null) {
                    buckets[bucket] = b.bucketNext;
                } else {
                    previous.bucketNext = b.bucketNext;
                }
                b.unlink();
                blocks--;
                budget.add(-1);
                break;
            }
            previous = b;
        }
        if (!budget.grants(blocks)) {
            clear();
        }
        Block block = builder.build(linear, ip, key, physical, 64);
        block.bucketNext = buckets[bucket];
        buckets[bucket] = block;
        blocks++;
        budget.add(1);
        built++;
        return block;
    }

    private boolean secondPageHolds(Block block, int key) {
        long physical = fetchAddress((block.linear & ~0xFFFL) + 4096, key);
        return mmu.ram().memory.offsetOf(physical, 1) >>> 12 == block.page2;
    }

    private static int bucket(long offset, long linear) {
        long h = (offset ^ (linear >>> 12) * 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        return (int) (h >>> 48);
    }

    /** Drops all blocks; the running one stays alive by its own reference. */
    void clear() {
        Arrays.fill(buckets, null);
        Arrays.fill(jump, none);
        budget.add(-blocks);
        blocks = 0;
        // Links from the running block must not resurrect old ones.
        mmu.codeGeneration++;
    }

    /** Translates for fetching, remembering pages until the next flush. */
    private long fetchAddress(long linear, int key) {
        if (fetchGeneration != mmu.codeGeneration) {
            Arrays.fill(fetchTag, 1);
            fetchGeneration = mmu.codeGeneration;
        }
        // The key's low bit tells user from supervisor; tags are page aligned otherwise.
        long tag = (linear & ~0xFFFL) | (key & 1) << 1;
        int index = (int) ((linear >>> 12) ^ (key & 1) << 7) & 255;
        if (fetchTag[index] == tag) {
            return fetchPage[index] | (linear & 0xFFF);
        }
        long physical = mmu.translateFetch(linear);
        fetchTag[index] = tag;
        fetchPage[index] = physical & ~0xFFFL;
        return physical;
    }
}
