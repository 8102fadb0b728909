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

    /** Jumps backwards between looks at requests: these wait microseconds. */
    private static final int JUMPS = 1024;

    /** Place, in a budget, of how often it may be renewed. */
    public static final int ROUNDS_SHIFT = 16;

    /**
     * How often, where the region does not begin: tier one goes on there, so it should be seldom;
     * but code that was written meanwhile is noticed then.
     */
    public static final int INNER_ROUNDS = 64;

    /** How often, where it begins. */
    private static final int ROUNDS = 64;

    /**
     * Of the first runs: so few jumps that HotSpot's counter of calls reaches its limits (600
     * calls) before that of loops does (40,000 jumps), which would only give code for entering in
     * the middle of a loop, and double the JIT's work.
     */
    private static final int SHORT_JUMPS = 24;

    private static final int SHORT_RUNS = 500_000;

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
    private final RegionExits exits;

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
     * @param exits by the number that {@link #run} returns
     */
    protected Region(
            RegionPages pages, int context, int vectorUse, boolean cut, RegionExits exits) {
        this.pages = pages;
        this.context = context;
        this.vectorUse = vectorUse;
        this.cut = cut;
        this.exits = exits;
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

    /** Jumps backwards that the next run may make, and how often it may have as many again. */
    public final int budget() {
        return ++entries < SHORT_RUNS
                ? SHORT_JUMPS | INNER_ROUNDS << ROUNDS_SHIFT
                : JUMPS | INNER_ROUNDS + ROUNDS << ROUNDS_SHIFT;
    }

    /** True once, if it was cut short and runs often. */
    public final boolean wantsMore() {
        return entries == LARGE_RUNS && cut;
    }

    /**
     * Runs from the root block.
     *
     * @param budget most jumps backwards, and above them how often it is renewed while nobody asks
     *     for attention
     * @return {@link #NEXT} or {@link #SIDE_EXIT}
     * @throws dev.javisor.softcpu.core.GuestFault of {@link Cpu#calledOut}, all state exact
     */
    public final int enter(Cpu cpu, int budget) {
        return exits.leave(cpu, run(cpu, budget));
    }

    /**
     * The translated code; for {@link #enter} alone.
     *
     * @return number of the exit
     */
    public abstract int run(Cpu cpu, int budget);
}
