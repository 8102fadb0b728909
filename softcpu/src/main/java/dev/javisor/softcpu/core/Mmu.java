package dev.javisor.softcpu.core;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Linear memory of one vCPU: a direct-mapped soft TLB in front of {@link PageWalker}. Owned by the
 * vCPU's thread.
 *
 * <p>There is one TLB per access context, because what a translation permits depends on it; an
 * entry never permits more than its context does. An entry is four longs: read tag, write tag,
 * addend (backing offset = linear + addend), and {@code pageShift | GLOBAL}. A tag is the page's
 * linear address, or {@link #NEVER}. Comparing the tag with the page of the access's last byte
 * sends accesses that cross a page to the slow path. Only RAM gets entries: memory-mapped I/O
 * always takes the slow path.
 *
 * <p>x86's order between processors (SDM 3A §9.2.2): each load is followed by an acquire fence and
 * each store preceded by a release fence, which on x86 hosts only bind the compiler.
 */
public final class Mmu {
    /** Supervisor access that SMAP restricts (or would, were it on). */
    public static final int SUPERVISOR = 0;

    /** Supervisor access with SMAP off or RFLAGS.AC set. */
    public static final int SUPERVISOR_AC = 1;

    public static final int USER = 2;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT_ATOMIC =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    static final VarHandle LONG_ATOMIC =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private static final int ENTRIES = 1024;
    private static final int INDEX_MASK = ENTRIES - 1;
    private static final long PAGE_MASK = ~0xFFFL;
    private static final long NEVER = 1;
    static final long GLOBAL = 1 << 8;

    /** The local APIC's register page, part of the vCPU. */
    public interface ApicPage {
        /** Whether the guest-physical address is in the (enabled, xAPIC mode) register page. */
        boolean claims(long physical);

        long read(long physical, int sizeBytes);

        void write(long physical, int sizeBytes, long value);
    }

    private final Cpu cpu;
    private final Ram ram;
    private final MemorySegment mem;
    private final PageWalker walker;
    private final long[][] contexts = new long[3][ENTRIES * 4];

    private final FilledEntries[] filled = {
        new FilledEntries(), new FilledEntries(), new FilledEntries()
    };

    /** The TLB of the current context. */
    private long[] tlb = contexts[SUPERVISOR_AC];

    private int context = SUPERVISOR_AC;

    /** Large pages of which the TLB may have entries. */
    private final PageFilter large = new PageFilter();

    /** Pages whose translation for fetching may be remembered since {@link #codeGeneration}. */
    private final PageFilter fetched = new PageFilter();

    /** What lets this vCPU run an action while no other executes guest code. */
    private Exclusive exclusive = Runnable::run;

    public @Nullable ApicPage apicPage;

    /**
     * Counts events after which a linear code address may mean something else: every TLB flush that
     * may touch a page that code was fetched from. Whoever changes CR0, CR3, CR4 or EFER flushes.
     * Blocks need a new translation after it.
     */
    public int codeGeneration;

    /** Counts flushes of any kind. */
    public int flushes;

    /** Backing page of the running block and of its second page, or -1: see {@link #writeSlow}. */
    public int execPage = -1;

    public int execPage2 = -1;

    /**
     * The last #GP was for a non-canonical address; the run loop makes it #SS for accesses through
     * SS.
     */
    public boolean nonCanonical;

    /** Data breakpoints are enabled: see {@link Watchpoints}. */
    private boolean watching;

    /** The running block is a single instruction, so it may modify its own page. */
    public boolean alone;

    /** Hears of what goes into the soft TLB: for lockstep. */
    public interface FillWatch {
        /**
         * Before the entry is made.
         *
         * @param written the page may be written from now on
         */
        void filling(int backingPage, boolean written);
    }

    private @Nullable FillWatch fillWatch;

    /** Runs actions in exclusion from all other vCPUs. */
    public interface Exclusive {
        void run(Runnable action);
    }

    Mmu(Cpu cpu, Ram ram) {
        this.cpu = cpu;
        this.ram = ram;
        this.mem = ram.backing;
        this.walker = new PageWalker(cpu, ram);
        flushAll();
    }

    public void setExclusive(Exclusive value) {
        exclusive = value;
    }

    /** Drops the entries that are there, so that the watch hears of all. */
    public void setFillWatch(FillWatch watch) {
        fillWatch = watch;
        flushAll();
    }

    public PageWalker walker() {
        return walker;
    }

    public Ram ram() {
        return ram;
    }

    /** Which of the access contexts the mode selects: {@link #SUPERVISOR} and so on. */
    public int context() {
        return context;
    }

    /**
     * For translated code: the entries of an access context, laid out as the class comment says.
     * The array stays the same for ever; its contents change under the vCPU's thread only.
     */
    public long[] entries(int ctx) {
        return contexts[ctx];
    }

    // ------------------------------------------------------------------ contexts and flushes

    void updateMode() {
        int cs = cpu.segSelector[Seg.CS];
        cpu.cpl = !cpu.protectedMode ? 0 : cpu.virtual8086 ? 3 : currentPrivilege(cs);
        selectContext();
    }

    /** CPL is the DPL of SS, which also holds for conforming code (SDM 3A §5.5). */
    private int currentPrivilege(int cs) {
        int ss = cpu.segAttributes[Seg.SS];
        return (ss & Seg.UNUSABLE) != 0 ? cs & 3 : (ss >> Seg.DPL_SHIFT) & 3;
    }

    /** After a change of CPL or of RFLAGS.AC. */
    public void selectContext() {
        boolean smap = (cpu.cr4 & Cpu.CR4_SMAP) != 0;
        if (cpu.cpl == 3) {
            context = USER;
        } else {
            context = smap && (cpu.flags.system & Flags.AC) == 0 ? SUPERVISOR : SUPERVISOR_AC;
        }
        tlb = contexts[context];
    }

    /** After a change of the debug registers. */
    public void updateWatch() {
        boolean armed = Watchpoints.armed(cpu);
        if (armed || watching) {
            watching = armed;
            flushAll();
        }
    }

    /** Drops everything, global entries too. */
    public void flushAll() {
        for (int ctx = 0; ctx < contexts.length; ctx++) {
            Arrays.fill(contexts[ctx], NEVER);
            filled[ctx].clear();
        }
        large.clear();
        fetched.clear();
        flushes++;
        codeGeneration++;
    }

    /** MOV to CR3: drops what is not global. */
    public void flushNonGlobal() {
        flushes++;
        fetched.clear();
        for (int ctx = 0; ctx < contexts.length; ctx++) {
            flushNonGlobal(contexts[ctx], filled[ctx]);
        }
        codeGeneration++;
    }

    private static void flushNonGlobal(long[] entries, FilledEntries list) {
        boolean all = list.isOverflowing();
        int n = all ? entries.length / 4 : list.count();
        list.clear();
        for (int k = 0; k < n; k++) {
            // The list is written behind where it is read: it never grows here.
            int i = all ? 4 * k : list.get(k);
            if (entries[i] == NEVER && entries[i + 1] == NEVER) {
                continue;
            }
            if ((entries[i + 3] & GLOBAL) == 0) {
                entries[i] = NEVER;
                entries[i + 1] = NEVER;
            } else {
                list.add(i);
            }
        }
    }

    /**
     * INVLPG: drops every entry of the page of any size that holds {@code linear}. Translations for
     * code need to be looked up again only if code was fetched from there.
     */
    public void flushPage(long linear) {
        flushes++;
        if (fetched.mayHold(linear)) {
            fetched.clear();
            codeGeneration++;
        }
        if (!large.mayHold(linear)) {
            int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
            for (long[] entries : contexts) {
                if (entries[i] == (linear & PAGE_MASK)) {
                    entries[i] = NEVER;
                    entries[i + 1] = NEVER;
                }
            }
            return;
        }
        for (long[] entries : contexts) {
            for (int i = 0; i < entries.length; i += 4) {
                int shift = (int) entries[i + 3] & 63;
                long tag = entries[i] != NEVER ? entries[i] : entries[i + 1];
                if (tag != NEVER && tag >>> shift == linear >>> shift) {
                    entries[i] = NEVER;
                    entries[i + 1] = NEVER;
                }
            }
        }
    }

    /** Drops permission to write a page of the backing without the slow path. */
    public void revokeWrites(long backingPage) {
        for (long[] entries : contexts) {
            for (int i = 1; i < entries.length; i += 4) {
                if (entries[i] != NEVER && (entries[i] + entries[i + 1]) >>> 12 == backingPage) {
                    entries[i] = NEVER;
                }
            }
        }
    }

    /** Drops permission to write without the slow path, everywhere. */
    public void revokeWrites() {
        for (long[] entries : contexts) {
            for (int i = 1; i < entries.length; i += 4) {
                entries[i] = NEVER;
            }
        }
    }

    // ------------------------------------------------------------------ loads

    /** Zero-extended load of 1, 2, 4 or 8 bytes. */
    public long read(long linear, int sizeBytes) {
        return switch (sizeBytes) {
            case 1 -> read8(linear);
            case 2 -> read16(linear);
            case 4 -> read32(linear);
            default -> read64(linear);
        };
    }

    public long read8(long linear) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i] == (linear & PAGE_MASK)) {
            long value = mem.get(BYTE, linear + t[i + 2]) & 0xFF;
            VarHandle.acquireFence();
            return value;
        }
        return readSlow(linear, 1, context);
    }

    public long read16(long linear) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i] == ((linear + 1) & PAGE_MASK)) {
            long value = mem.get(SHORT, linear + t[i + 2]) & 0xFFFF;
            VarHandle.acquireFence();
            return value;
        }
        return readSlow(linear, 2, context);
    }

    public long read32(long linear) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i] == ((linear + 3) & PAGE_MASK)) {
            long value = mem.get(INT, linear + t[i + 2]) & 0xFFFFFFFFL;
            VarHandle.acquireFence();
            return value;
        }
        return readSlow(linear, 4, context);
    }

    public long read64(long linear) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i] == ((linear + 7) & PAGE_MASK)) {
            long value = mem.get(LONG, linear + t[i + 2]);
            VarHandle.acquireFence();
            return value;
        }
        return readSlow(linear, 8, context);
    }

    /** An implicit supervisor access, whatever the CPL: descriptor tables, TSS. */
    public long readSystem(long linear, int sizeBytes) {
        long[] t = contexts[SUPERVISOR];
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (sizeBytes == 8 && t[i] == ((linear + 7) & PAGE_MASK)) {
            long value = mem.get(LONG, linear + t[i + 2]);
            VarHandle.acquireFence();
            return value;
        }
        return readSlow(linear, sizeBytes, SUPERVISOR);
    }

    /** A load whose page must also be writable: the first half of read-modify-write. */
    public long readForWrite(long linear, int sizeBytes) {
        probeWrite(linear, sizeBytes);
        return read(linear, sizeBytes);
    }

    private long readSlow(long linear, int sizeBytes, int ctx) {
        int inPage = 4096 - (int) (linear & 0xFFF);
        if (watching) {
            Watchpoints.check(cpu, linear, sizeBytes, false);
        }
        if (sizeBytes > inPage) {
            checkLastByte(linear, sizeBytes);
            long low = readSplit(linear, inPage, ctx);
            long high = readSplit(wrap(linear + inPage), sizeBytes - inPage, ctx);
            return low | high << (8 * inPage);
        }
        long physical = translate(linear, PageWalker.READ, ctx);
        return readPhysical(physical, sizeBytes);
    }

    private long readSplit(long linear, int sizeBytes, int ctx) {
        long physical = translate(linear, PageWalker.READ, ctx);
        long value = 0;
        for (int i = 0; i < sizeBytes; i++) {
            value |= readPhysical(physical + i, 1) << (8 * i);
        }
        return value;
    }

    /** An access that ends beyond the canonical range faults before any translation. */
    public void checkLastByte(long linear, int sizeBytes) {
        if (cpu.long64 && !cpu.isCanonical(linear + sizeBytes - 1)) {
            nonCanonical = true;
            throw cpu.fault(GuestFault.GP, 0);
        }
    }

    /** Linear addresses wrap at 4 GiB outside long mode. */
    private long wrap(long linear) {
        return cpu.longModeActive() ? linear : linear & 0xFFFFFFFFL;
    }

    // ------------------------------------------------------------------ stores

    public void write(long linear, int sizeBytes, long value) {
        switch (sizeBytes) {
            case 1 -> write8(linear, value);
            case 2 -> write16(linear, value);
            case 4 -> write32(linear, value);
            default -> write64(linear, value);
        }
    }

    public void write8(long linear, long value) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == (linear & PAGE_MASK)) {
            VarHandle.releaseFence();
            mem.set(BYTE, linear + t[i + 2], (byte) value);
        } else {
            writeSlow(linear, 1, value, context);
        }
    }

    public void write16(long linear, long value) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == ((linear + 1) & PAGE_MASK)) {
            VarHandle.releaseFence();
            mem.set(SHORT, linear + t[i + 2], (short) value);
        } else {
            writeSlow(linear, 2, value, context);
        }
    }

    public void write32(long linear, long value) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == ((linear + 3) & PAGE_MASK)) {
            VarHandle.releaseFence();
            mem.set(INT, linear + t[i + 2], (int) value);
        } else {
            writeSlow(linear, 4, value, context);
        }
    }

    public void write64(long linear, long value) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == ((linear + 7) & PAGE_MASK)) {
            VarHandle.releaseFence();
            mem.set(LONG, linear + t[i + 2], value);
        } else {
            writeSlow(linear, 8, value, context);
        }
    }

    /** Stores 16 bytes; neither half if the other would fault. */
    public void write128(long linear, long low, long high) {
        probeWrite(linear, 16);
        write64(linear, low);
        write64(wrap(linear + 8), high);
    }

    public void writeSystem(long linear, int sizeBytes, long value) {
        writeSlow(linear, sizeBytes, value, SUPERVISOR);
    }

    /** Faults as a write of up to 4096 bytes would, without writing. */
    public void probeWrite(long linear, int sizeBytes) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == ((linear + sizeBytes - 1) & PAGE_MASK)) {
            return;
        }
        probeWriteSlow(linear, sizeBytes, context);
    }

    /** As {@link #probeWrite} for implicit supervisor accesses. */
    public void probeWriteSystem(long linear, int sizeBytes) {
        probeWriteSlow(linear, sizeBytes, SUPERVISOR);
    }

    private void probeWriteSlow(long linear, int sizeBytes, int ctx) {
        checkLastByte(linear, sizeBytes);
        checkSelfModification(translate(linear, PageWalker.WRITE, ctx));
        int inPage = 4096 - (int) (linear & 0xFFF);
        if (sizeBytes > inPage) {
            checkSelfModification(translate(wrap(linear + inPage), PageWalker.WRITE, ctx));
        }
    }

    /**
     * A store that hits the page its own block runs from ends the block before anything happened:
     * the instruction runs again alone, and the next fetch sees what it wrote (SDM 3A §9.1.3).
     */
    private void checkSelfModification(long physical) {
        if (alone) {
            return;
        }
        long offset = ram.memory.offsetOf(physical, 1);
        int page = offset < 0 ? -2 : (int) (offset >>> 12);
        if ((page == execPage || page == execPage2) && ram.codePages.isCode(page)) {
            throw cpu.fault(GuestFault.RESTART_ALONE);
        }
    }

    private void writeSlow(long linear, int sizeBytes, long value, int ctx) {
        checkLastByte(linear, sizeBytes);
        int inPage = 4096 - (int) (linear & 0xFFF);
        if (watching) {
            Watchpoints.check(cpu, linear, sizeBytes, true);
        }
        long physical = translate(linear, PageWalker.WRITE, ctx);
        checkSelfModification(physical);
        if (sizeBytes > inPage) {
            long second = translate(wrap(linear + inPage), PageWalker.WRITE, ctx);
            checkSelfModification(second);
            for (int i = 0; i < inPage; i++) {
                writePhysical(physical + i, 1, value >>> (8 * i));
            }
            for (int i = inPage; i < sizeBytes; i++) {
                writePhysical(second + i - inPage, 1, value >>> (8 * i));
            }
            return;
        }
        writePhysical(physical, sizeBytes, value);
    }

    // ------------------------------------------------------------------ atomics

    /**
     * LOCK-prefixed compare and exchange of 1, 2, 4 or 8 bytes. The page must be known writable
     * ({@link #readForWrite} does that).
     *
     * @return whether memory held {@code expected} and now holds {@code value}
     */
    public boolean compareAndSet(long linear, int sizeBytes, long expected, long value) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        if (t[i + 1] == ((linear + sizeBytes - 1) & PAGE_MASK)
                && sizeBytes >= 4
                && (linear & sizeBytes - 1) == 0) {
            long at = linear + t[i + 2];
            return sizeBytes == 8
                    ? LONG_ATOMIC.compareAndSet(mem, at, expected, value)
                    : INT_ATOMIC.compareAndSet(mem, at, (int) expected, (int) value);
        }
        int inPage = 4096 - (int) (linear & 0xFFF);
        if (watching) {
            Watchpoints.check(cpu, linear, sizeBytes, true);
        }
        long physical = translate(linear, PageWalker.WRITE, context);
        checkSelfModification(physical);
        long offset = ram.memory.offsetOf(physical, Math.min(sizeBytes, inPage));
        boolean inWord = (offset & 7) + sizeBytes <= 8;
        if (offset < 0 || !inWord) {
            return splitCompareAndSet(linear, sizeBytes, expected, value);
        }
        boolean done;
        if (sizeBytes == 8) {
            done = LONG_ATOMIC.compareAndSet(mem, offset, expected, value);
        } else if (sizeBytes == 4 && (offset & 3) == 0) {
            done = INT_ATOMIC.compareAndSet(mem, offset, (int) expected, (int) value);
        } else {
            done = partialCompareAndSet(offset, sizeBytes, expected, value);
        }
        if (done) {
            ram.stored((int) (offset >>> 12), physical, sizeBytes);
        }
        return done;
    }

    /** Part of an aligned 8-byte word. */
    private boolean partialCompareAndSet(long offset, int sizeBytes, long expected, long value) {
        long word = offset & ~7L;
        int shift = (int) (offset & 7) * 8;
        long mask = (-1L >>> (64 - 8 * sizeBytes)) << shift;
        while (true) {
            long old = (long) LONG_ATOMIC.getVolatile(mem, word);
            if (((old ^ (expected << shift)) & mask) != 0) {
                return false;
            }
            long next = (old & ~mask) | ((value << shift) & mask);
            if (LONG_ATOMIC.weakCompareAndSet(mem, word, old, next)) {
                return true;
            }
        }
    }

    /** Split locks and memory-mapped I/O: alone in the machine, as a bus lock would. */
    private boolean splitCompareAndSet(long linear, int sizeBytes, long expected, long value) {
        boolean[] done = new boolean[1];
        exclusive.run(() -> {
            long mask = -1L >>> (64 - 8 * sizeBytes);
            if (read(linear, sizeBytes) == (expected & mask)) {
                write(linear, sizeBytes, value);
                done[0] = true;
            }
        });
        return done[0];
    }

    /** Runs {@code action} while no other vCPU executes guest code: LOCK CMPXCHG16B. */
    public void runExclusive(Runnable action) {
        exclusive.run(action);
    }

    /** Store-load order: MFENCE, locked and serializing instructions. */
    public void fullFence() {
        VarHandle.fullFence();
    }

    // ------------------------------------------------------------------ translation

    /**
     * Guest-physical address of a data access; fills the TLB where it is RAM.
     *
     * @param access PageWalker.READ or WRITE
     */
    private long translate(long linear, int access, int ctx) {
        if (cpu.long64 && !cpu.isCanonical(linear)) {
            nonCanonical = true;
            throw cpu.fault(GuestFault.GP, 0);
        }
        long physical = walker.walk(linear, access, ctx);
        fill(linear, physical, access, ctx);
        return physical;
    }

    private void fill(long linear, long physical, int access, int ctx) {
        long page = physical & PAGE_MASK;
        long offset = ram.memory.offsetOf(page, 4096);
        if (ram.borrowed || offset < 0 || (apicPage != null && apicPage.claims(page))) {
            return;
        }
        int backingPage = (int) (offset >>> 12);
        FillWatch watch = fillWatch;
        if (watch != null) {
            watch.filling(backingPage, access == PageWalker.WRITE || walker.writable());
        }
        if (watching && Watchpoints.inPage(cpu, linear)) {
            return;
        }
        if (access == PageWalker.WRITE) {
            ram.dirty.mark(backingPage);
        }
        boolean writable =
                walker.writable()
                        && !ram.codePages.isCode(backingPage)
                        && ram.dirty.isMarked(backingPage);
        long[] t = contexts[ctx];
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        long tag = linear & PAGE_MASK;
        if (t[i] == NEVER && t[i + 1] == NEVER) {
            filled[ctx].add(i);
        }
        t[i] = tag;
        t[i + 1] = writable ? tag : NEVER;
        t[i + 2] = offset - tag;
        t[i + 3] = walker.pageShift() | (walker.global() ? GLOBAL : 0);
        if (walker.pageShift() > 12) {
            large.add(linear, walker.pageShift());
        }
    }

    /**
     * Guest-physical address to fetch code from, at the current CPL.
     *
     * @throws GuestFault #PF, or #GP(0) if not canonical
     */
    public long translateFetch(long linear) {
        if (cpu.long64 && !cpu.isCanonical(linear)) {
            throw cpu.fault(GuestFault.GP, 0);
        }
        long physical = walker.walk(linear, PageWalker.FETCH, cpu.cpl == 3 ? USER : SUPERVISOR_AC);
        fetched.add(linear, walker.pageShift());
        return physical;
    }

    // ------------------------------------------------------------------ physical

    /** Zero-extended read of RAM or of a device; must not cross a page. */
    public long readPhysical(long physical, int sizeBytes) {
        long offset = ram.memory.offsetOf(physical, sizeBytes);
        ApicPage apic = apicPage;
        if (apic != null && apic.claims(physical)) {
            return apic.read(physical, sizeBytes);
        }
        if (offset < 0) {
            return readDevice(physical, sizeBytes);
        }
        long value =
                switch (sizeBytes) {
                    case 1 -> mem.get(BYTE, offset) & 0xFF;
                    case 2 -> mem.get(SHORT, offset) & 0xFFFF;
                    case 4 -> mem.get(INT, offset) & 0xFFFFFFFFL;
                    default -> mem.get(LONG, offset);
                };
        VarHandle.acquireFence();
        return value;
    }

    public void writePhysical(long physical, int sizeBytes, long value) {
        long offset = ram.memory.offsetOf(physical, sizeBytes);
        ApicPage apic = apicPage;
        if (apic != null && apic.claims(physical)) {
            apic.write(physical, sizeBytes, value);
            return;
        }
        if (offset < 0) {
            writeDevice(physical, sizeBytes, value);
            return;
        }
        VarHandle.releaseFence();
        switch (sizeBytes) {
            case 1 -> mem.set(BYTE, offset, (byte) value);
            case 2 -> mem.set(SHORT, offset, (short) value);
            case 4 -> mem.set(INT, offset, (int) value);
            default -> mem.set(LONG, offset, value);
        }
        ram.stored((int) (offset >>> 12), physical, sizeBytes);
    }

    private long readDevice(long physical, int sizeBytes) {
        if ((physical & 7) + sizeBytes <= 8) {
            return cpu.bus.readMemory(physical, sizeBytes) & (-1L >>> (64 - 8 * sizeBytes));
        }
        long value = 0;
        for (int i = 0; i < sizeBytes; i++) {
            value |= (cpu.bus.readMemory(physical + i, 1) & 0xFF) << (8 * i);
        }
        return value;
    }

    private void writeDevice(long physical, int sizeBytes, long value) {
        if ((physical & 7) + sizeBytes <= 8) {
            cpu.bus.writeMemory(physical, sizeBytes, value & (-1L >>> (64 - 8 * sizeBytes)));
            return;
        }
        for (int i = 0; i < sizeBytes; i++) {
            cpu.bus.writeMemory(physical + i, 1, (value >>> (8 * i)) & 0xFF);
        }
    }

    // ------------------------------------------------------------------ runs within a page

    /**
     * For bulk string operations: the backing offset of {@code linear} if up to the end of its page
     * it is plain RAM that this context may access that way without the slow path, else -1. Faults
     * as an access of one byte would.
     */
    public long bulkOffset(long linear, boolean write) {
        long[] t = tlb;
        int i = ((int) (linear >>> 12) & INDEX_MASK) << 2;
        int slot = write ? i + 1 : i;
        if (t[slot] != (linear & PAGE_MASK)) {
            long physical = translate(linear, write ? PageWalker.WRITE : PageWalker.READ, context);
            if (write) {
                checkSelfModification(physical);
            }
            if (t[slot] != (linear & PAGE_MASK)) {
                return -1;
            }
        }
        return linear + t[i + 2];
    }

    /** The backing segment, for bulk operations at {@link #bulkOffset}. */
    public MemorySegment backing() {
        return mem;
    }
}
