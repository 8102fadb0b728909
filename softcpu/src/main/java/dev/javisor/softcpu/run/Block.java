package dev.javisor.softcpu.run;

import dev.javisor.softcpu.decode.Insn;
import org.jspecify.annotations.Nullable;

/**
 * A straight run of decoded instructions, in one page of code (a single instruction may reach into
 * a second). Belongs to one vCPU's cache and thread.
 *
 * <p>A block may run while its pages have the versions it was decoded at, and may be entered
 * without a new translation while {@link #generation} is the MMU's: then its linear address still
 * means its page.
 */
final class Block {
    /** Linear address of the first instruction. */
    final long linear;

    /** The same as an offset in CS. */
    final long ip;

    /** {@link BlockCache#key}. */
    final int key;

    /** Backing page, and version at decoding. */
    final int page;

    final int version;

    /** Second page if the only instruction crosses into it, else -1. */
    final int page2;

    final int version2;

    /** What tier one executes: instructions after lowering. */
    final Insn[] code;

    /** Guest instructions, before lowering. */
    final int instructions;

    /** Offset in CS after the last instruction. */
    final long endIp;

    /** MMU code generation at which the translation was last known to hold. */
    int generation;

    /** Successor when the block falls through or its branch is not taken. */
    @Nullable Block fallThrough;

    /** Successor when its direct branch is taken. */
    @Nullable Block taken;

    /** Next in the cache's bucket. */
    @Nullable Block bucketNext;

    Block(
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
        this.instructions = instructions;
        this.endIp = endIp;
    }
}
