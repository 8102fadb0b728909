package dev.javisor.softcpu.block;

import dev.javisor.softcpu.decode.Insn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A straight run of decoded instructions, in one page of code (a single instruction may reach into
 * a second). Belongs to one vCPU's cache and thread.
 *
 * <p>A block may run while its pages have the versions it was decoded at, and may be entered
 * without a new translation while {@link #generation} is the MMU's: then its linear address still
 * means its page.
 */
public final class Block {
    /** Linear address of the first instruction. */
    public final long linear;

    /** The same as an offset in CS. */
    public final long ip;

    /** Code size in bits, plus 1 in user mode. */
    public final int key;

    /** Backing page, and version at decoding. */
    public final int page;

    public final int version;

    /** Second page if the only instruction crosses into it, else -1. */
    public final int page2;

    public final int version2;

    /** What tier one executes: instructions after lowering. */
    public final Insn[] code;

    /** The same for the hot loop: see {@link Words}. */
    public final long[] words;

    /** Guest instructions, before lowering. */
    public final int instructions;

    /** Offset in CS after the last instruction. */
    public final long endIp;

    /** The same, truncated to the code size: where a branch that is not taken leads. */
    public final long nextIp;

    /** MMU code generation at which the translation was last known to hold. */
    public int generation;

    /** Successor when the block falls through or its branch is not taken. */
    public @Nullable Block fallThrough;

    /** Successor when its direct branch is taken, or the last one of an indirect branch. */
    public @Nullable Block taken;

    /** Where its indirect branch has led but for {@link #taken}, the first ones; read racily. */
    private volatile Block[] others = NONE;

    /** What one execution adds to {@link #heat}: long blocks take tier one longer. */
    public final int weight;

    /**
     * Times executed by tier one, by weight, loop heads and call targets counted several times; far
     * below zero once a translation was asked for. Approximate: it only decides what is translated.
     */
    public int heat;

    /** It is in the region of another block that was made lately. On the translator's thread. */
    public boolean covered;

    /** Translation of the code from here on. Published by a plain write of a safe object. */
    public @Nullable Region region;

    /** Next in the cache's bucket. */
    public @Nullable Block bucketNext;

    private static final Block[] NONE = {};
    private static final int MAX_OTHERS = 15;

    /**
     * Lets go of what it led to. A block whose code has changed may stay linked from others that
     * never run again; with its own links, chains of dead blocks would grow without bound.
     */
    public void unlink() {
        fallThrough = null;
        taken = null;
        others = NONE;
        region = null;
    }

    public Block(
            long linear,
            long ip,
            int key,
            int page,
            int version,
            int page2,
            int version2,
            Insn[] code,
            int instructions,
            long endIp) {
        this.linear = linear;
        this.ip = ip;
        this.key = key;
        this.page = page;
        this.version = version;
        this.page2 = page2;
        this.version2 = version2;
        this.code = code;
        this.words = Words.of(code);
        this.weight = 1 + code.length / 8;
        this.instructions = instructions;
        this.endIp = endIp;
        this.nextIp = code.length == 0 ? endIp : code[code.length - 1].nextIp;
    }

    /** Its indirect branch leads to {@code next} for once. */
    public void branches(Block next) {
        Block last = taken;
        taken = next;
        Block[] known = others;
        if (last == null || known.length == MAX_OTHERS) {
            return;
        }
        for (Block b : known) {
            if (b.ip == last.ip) {
                return;
            }
        }
        Block[] more = Arrays.copyOf(known, known.length + 1);
        more[known.length] = last;
        others = more;
    }

    /** Where its indirect branch has led. */
    public List<Block> targets() {
        List<Block> list = new ArrayList<>(List.of(others));
        Block last = taken;
        if (last != null && list.stream().noneMatch(b -> b.ip == last.ip)) {
            list.add(last);
        }
        return list;
    }
}
