package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Translated code: a root block and what it was seen to lead to, as one Java method. Belongs to one
 * vCPU. Its registers and flags live in Java locals while it runs, so the state in {@link Cpu} is
 * exact only where it is left.
 */
public abstract class Region {
    /** Left with RIP exact: go on wherever RIP is. */
    public static final int NEXT = 0;

    /** Left before an instruction that tier one must execute: a TLB miss, a rare form. */
    public static final int SIDE_EXIT = 1;

    /** So many jumps that a request waits microseconds, and entering costs nothing beside them. */
    private static final int MAX_BUDGET = 1024;

    /** Place of the flags' kind in what {@link #run} returns. */
    protected static final int FLAGS_SHIFT = 8;

    /** Runs after which a region that was cut short is worth the JIT's time for a large one. */
    private static final int LARGE_RUNS = 1_000_000;

    /**
     * Entries refused after its pages were found to be mapped otherwise: the root may belong to
     * many processes, and another page be missing in this one. A page that comes without a flush is
     * then noticed late, which costs less than to walk the tables each time.
     */
    private static final int UNMAPPED_RUNS = 256;

    /** SSE in its legacy encoding (SDM 3A §2.5). */
    public static final int USES_SSE = 1;

    /** Instructions with VEX prefixes on vector registers (SDM 1 §14.3). */
    public static final int USES_AVX = 2;

    private final RegionPages pages;
    private final int context;
    private final int vectorUse;
    private final boolean cut;

    /** MMU code generation at which the pages' translations were last known to hold. */
    private int generation = -1;

    /** The generation at which they were last found not to hold, and how often to believe it. */
    private int unmappedGeneration = -1;

    private int unmappedFor;

    private Supplier<String> listing = () -> "no listing was kept";

    /** Times entered: short runs at first, so that the JIT counts invocations. */
    private long entries;

    /** Where it was put; the JVM unloads its class when no block has it any more. */
    private @Nullable Block root;

    /**
     * @param context the MMU's whose entries the code reads
     * @param vectorUse {@link #USES_SSE} and {@link #USES_AVX}: it may run only while they may
     * @param cut whether more would have belonged to it
     */
    protected Region(RegionPages pages, int context, int vectorUse, boolean cut) {
        this.pages = pages;
        this.context = context;
        this.vectorUse = vectorUse;
        this.cut = cut;
    }

    /** What it covers. */
    public RegionPages pages() {
        return pages;
    }

    /** Times entered so far; from any thread, approximately. */
    public final long entries() {
        return entries;
    }

    /** Makes it the translation of a block. */
    public final void placeIn(Block block) {
        root = block;
        block.region = this;
    }

    /** Whether it still is the translation of its block, and of its code. */
    public final boolean isInPlace(CodePages codePages) {
        Block block = root;
        return block != null && block.region == this && pages.current(codePages);
    }

    /**
     * Takes it away from its block, which may become hot again. On the translator's thread: the
     * vCPU may overwrite the heat, which then stays where it was.
     */
    public final void evict() {
        Block block = root;
        if (block != null && block.region == this) {
            block.region = null;
            block.heat = 0;
        }
    }

    /** For diagnosis: what {@link #listing} tells. */
    public final void setListing(Supplier<String> text) {
        listing = text;
    }

    /** Guest code beside its bytecode, where the translator keeps it. */
    public final String listing() {
        return listing.get();
    }

    /** Whether the code is still what was translated, and memory rights are those assumed. */
    public final boolean isUsable(Cpu cpu) {
        if (context != cpu.mmu.context() || !vectorsEnabled(cpu)) {
            return false;
        }
        int now = cpu.mmu.codeGeneration;
        if (generation != now) {
            if (unmappedGeneration == now && --unmappedFor > 0) {
                return false;
            }
            if (!pages.stillMapped(cpu)) {
                unmappedGeneration = now;
                unmappedFor = UNMAPPED_RUNS;
                return false;
            }
            generation = now;
        }
        return pages.current(cpu.mmu.ram().codePages);
    }

    private boolean vectorsEnabled(Cpu cpu) {
        if (vectorUse == 0) {
            return true;
        }
        boolean sse = (cpu.cr0 & Cpu.CR0_EM) == 0 && (cpu.cr4 & Cpu.CR4_OSFXSR) != 0;
        boolean avx = (cpu.cr4 & Cpu.CR4_OSXSAVE) != 0 && (cpu.xcr0 & 6) == 6;
        return (cpu.cr0 & Cpu.CR0_TS) == 0
                && (sse || (vectorUse & USES_SSE) == 0)
                && (avx || (vectorUse & USES_AVX) == 0);
    }

    /** Whether its code has changed for good. */
    public final boolean isVoid(Cpu cpu) {
        return !pages.current(cpu.mmu.ram().codePages);
    }

    /** Jumps backwards that the next run may make before it returns to the run loop. */
    public final int budget() {
        long n = ++entries;
        return n < 1000 ? 32 + (int) n : MAX_BUDGET;
    }

    /** True once, if it was cut short and runs often. */
    public final boolean wantsMore() {
        return entries == LARGE_RUNS && cut;
    }

    /**
     * Runs from the root block; at most {@code budget} jumps backwards.
     *
     * @return {@link #NEXT} or {@link #SIDE_EXIT}
     * @throws dev.javisor.softcpu.core.GuestFault of {@link Cpu#calledOut}, all state exact
     */
    public final int enter(Cpu cpu, int budget) {
        int left = run(cpu, budget);
        PendingFlags.settle(cpu.flags, left >> FLAGS_SHIFT);
        return left & (1 << FLAGS_SHIFT) - 1;
    }

    /**
     * The translated code; for {@link #enter} alone.
     *
     * @return why it was left, and the kind of {@link PendingFlags} above it
     */
    public abstract int run(Cpu cpu, int budget);
}
