package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.core.Cpu;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.attribute.CodeAttribute;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Makes regions of one vCPU's hot blocks. {@link #request} is called by the vCPU's thread, the work
 * is done by the executor, and the result appears in {@link Block#region}.
 */
public final class Translator {
    /** HotSpot never compiles methods of more bytes. */
    private static final int MAX_METHOD_BYTES = 8000;

    /** Of the next attempt, after one that was larger. */
    private static final int AIMED_METHOD_BYTES = 7000;

    /** A shorter region would not pay for entering it. */
    private static final int LEAST_CODES = 4;

    /**
     * Dispatch codes of a region: enough for most functions, as several regions that overlap cost
     * the JIT more than one that has all.
     */
    private static final int CODES = 136;

    /** For what runs so often that better code pays. */
    private static final int MANY_CODES = 240;

    /** Requests beyond this are dropped: their blocks will ask again if they stay hot. */
    private static final int MOST_PENDING = 2_000;

    /** Heat limit from which on time counts more than that every block has a region. */
    private static final int LEAST_SPARING_LIMIT = 1000;

    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();

    private final Cpu cpu;
    private final BlockFinder finder;
    private final int heatLimit;
    private final Executor executor;

    /** Whether what is in a region of another root must become hot again before it has its own. */
    private final boolean spares;

    private final AtomicLong regions = new AtomicLong();
    private final AtomicLong nanos = new AtomicLong();

    /** Whether regions keep what their listings need. */
    private volatile boolean listings = RegionTranslation.listings();

    /** Requests that wait. */
    private final AtomicInteger pending = new AtomicInteger();

    private final RegionLedger ledger;

    /** Of the class files of this vCPU's regions. */
    private final LongSupplier limitBytes;

    /** Of the region made last; on the executor's thread. */
    private int classBytes;

    /** Finds a block that tier one knows, from any thread. */
    public interface BlockFinder {
        @Nullable Block find(long linear, int key);
    }

    /**
     * @param heatLimit {@link Block#heat} at which a translation is asked for
     * @param executor where translations are made
     */
    public Translator(Cpu cpu, BlockFinder finder, int heatLimit, Executor executor) {
        this(cpu, finder, heatLimit, executor, () -> Long.MAX_VALUE);
    }

    /**
     * @param limitBytes beyond which the coldest regions are evicted, in bytes of class files
     */
    public Translator(
            Cpu cpu,
            BlockFinder finder,
            int heatLimit,
            Executor executor,
            LongSupplier limitBytes) {
        this.limitBytes = limitBytes;
        this.ledger = new RegionLedger(cpu.mmu.ram().codePages);
        Placeholders.load();
        this.heatLimit = heatLimit;
        this.spares = heatLimit >= LEAST_SPARING_LIMIT;
        this.cpu = cpu;
        this.finder = finder;
        this.executor = executor;
    }

    /** Whether code of this kind is translated at all. */
    public static boolean handles(Block block) {
        return (block.key & ~1) == 64 && block.page >= 0 && block.page2 < 0;
    }

    /** Asks for a region from {@code root} on, in the vCPU's present mode. */
    public void request(Block root) {
        if (pending.incrementAndGet() > MOST_PENDING) {
            pending.decrementAndGet();
            root.heat = 0;
            return;
        }
        int context = cpu.mmu.context();
        executor.execute(() -> {
            pending.decrementAndGet();
            if (spares && root.covered) {
                // Asked for while the region that has it was being made: that may do.
                root.covered = false;
                root.heat = heatLimit / 2;
            } else if (root.region == null) {
                place(translate(root, context, CODES), root);
            }
        });
    }

    /** Asks for a larger region than {@code root} has. */
    public void requestLarge(Block root) {
        int context = cpu.mmu.context();
        executor.execute(() -> {
            place(translate(root, context, MANY_CODES), root);
        });
    }

    private void place(@Nullable Region region, Block root) {
        if (region != null) {
            region.placeIn(root);
            ledger.add(region, classBytes, limitBytes.getAsLong());
        }
    }

    /** For diagnosis: regions made from now on can tell what they are made of. */
    public void keepListings() {
        listings = true;
    }

    public int heatLimit() {
        return heatLimit;
    }

    /** Made so far. */
    public long regions() {
        return regions.get();
    }

    /** Lost their place to others so far. On the executor's thread, or when it rests. */
    public long evicted() {
        return ledger.evicted();
    }

    /** May be alive now. On the executor's thread, or when it rests. */
    public int alive() {
        return ledger.size();
    }

    /** Time spent so far. */
    public long nanos() {
        return nanos.get();
    }

    /** Null if nothing useful came of it. */
    private @Nullable Region translate(Block root, int context, int maxCodes) {
        long start = System.nanoTime();
        RegionTranslation event = new RegionTranslation();
        event.begin();
        event.vcpu = cpu.id;
        event.address = Long.toHexString(root.linear);
        event.large = maxCodes > CODES;
        Region region = null;
        try {
            RegionShape.Limits limits = new RegionShape.Limits(maxCodes, Integer.MAX_VALUE);
            int last = Integer.MAX_VALUE;
            while (true) {
                RegionShape shape = new RegionShape(root, finder, heatLimit, limits);
                if (shape.blocks.isEmpty()) {
                    return null;
                }
                RegionWriter writer = new RegionWriter(shape, cpu.mmu.ram());
                if (listings) {
                    writer.withLines();
                }
                byte[] bytes = writer.write("At_" + Long.toHexString(root.linear));
                event.blocks = shape.blocks.size();
                event.codes = shape.codes();
                event.methodBytes = methodBytes(bytes);
                if (event.methodBytes < MAX_METHOD_BYTES) {
                    regions.incrementAndGet();
                    classBytes = bytes.length;
                    region = define(bytes, writer, shape, context, maxCodes == CODES);
                    if (spares) {
                        shape.cover();
                    }
                    if (listings) {
                        region.setListing(() -> RegionListing.of(bytes, shape.blocks));
                    }
                    return region;
                }
                int fit = (int) ((long) shape.codes() * AIMED_METHOD_BYTES / event.methodBytes);
                if (fit < LEAST_CODES || shape.codes() >= last) {
                    return null;
                }
                last = shape.codes();
                limits = new RegionShape.Limits(fit, fit);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("a region's class is not accepted", e);
        } finally {
            long took = System.nanoTime() - start;
            nanos.addAndGet(took);
            event.end(region, took);
        }
    }

    private Region define(
            byte[] bytes, RegionWriter writer, RegionShape shape, int context, boolean mayGrow)
            throws ReflectiveOperationException {
        synchronized (RegionRuntime.class) {
            RegionRuntime.hand(
                    new RegionRuntime.Constants(
                            cpu.mmu.entries(context),
                            cpu.vec,
                            cpu.mmu.backing(),
                            writer.calledOut()));
            try {
                MethodHandles.Lookup made = LOOKUP.defineHiddenClass(bytes, true);
                return (Region)
                        made.lookupClass()
                                .getDeclaredConstructor(
                                        RegionPages.class,
                                        int.class,
                                        int.class,
                                        boolean.class,
                                        RegionExits.class)
                                .newInstance(
                                        shape.pages(),
                                        context,
                                        writer.vectorUse(),
                                        mayGrow && shape.isCut(),
                                        writer.exits());
            } finally {
                RegionRuntime.hand(null);
            }
        }
    }

    private static int methodBytes(byte[] bytes) {
        return ClassFile.of().parse(bytes).methods().stream()
                .filter(m -> m.methodName().equalsString("run"))
                .map(m ->
                        m.findAttribute(Attributes.code()).map(CodeAttribute::codeLength).orElse(0))
                .findFirst()
                .orElse(0);
    }
}
