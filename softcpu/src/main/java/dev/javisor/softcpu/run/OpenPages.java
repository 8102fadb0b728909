package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Mmu;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The pages of RAM that a vCPU can store to without the soft TLB hearing of it, with what they held
 * before a region ran and what it made of them. Few at a time: a page that is closed loses its
 * write translations, so the next store to it opens it again. Belongs to the vCPU's thread.
 */
final class OpenPages implements Mmu.FillWatch {
    /** Copied for every region that runs. */
    private static final int MOST = 24;

    private static final long PAGE = 4096;

    private final Mmu mmu;
    private final MemorySegment ram;
    private final CodePages codePages;
    private int[] pages = new int[2 * MOST];
    private boolean[] changed = new boolean[2 * MOST];
    private MemorySegment before = copies(2 * MOST);
    private MemorySegment after = copies(2 * MOST);
    private int count;
    private boolean filled;

    OpenPages(Mmu mmu) {
        this.mmu = mmu;
        this.ram = mmu.backing();
        this.codePages = mmu.ram().codePages;
    }

    private static MemorySegment copies(int n) {
        return MemorySegment.ofArray(new byte[n * (int) PAGE]);
    }

    @Override
    public void filling(int backingPage, boolean written) {
        filled = true;
        if (!written) {
            return;
        }
        for (int i = 0; i < count; i++) {
            if (pages[i] == backingPage) {
                return;
            }
        }
        if (count == pages.length) {
            pages = Arrays.copyOf(pages, 2 * count);
            changed = Arrays.copyOf(changed, 2 * count);
            before = grown(before, 2 * count);
            after = grown(after, 2 * count);
        }
        pages[count] = backingPage;
        changed[count] = false;
        keep(count++);
    }

    private static MemorySegment grown(MemorySegment from, int n) {
        return copies(n).copyFrom(from);
    }

    private void keep(int i) {
        MemorySegment.copy(ram, pages[i] * PAGE, before, i * PAGE, PAGE);
    }

    /** Before a region runs. */
    void begin() {
        int surplus = count - MOST;
        if (surplus > 0) {
            // The oldest ones.
            for (int i = 0; i < surplus; i++) {
                mmu.revokeWrites(pages[i]);
            }
            count = MOST;
            System.arraycopy(pages, surplus, pages, 0, count);
        }
        for (int i = 0; i < count; i++) {
            keep(i);
        }
        filled = false;
    }

    /** Whether the soft TLB got an entry since {@link #begin}. */
    boolean filled() {
        return filled;
    }

    /** After the region has run: remembers what it stored, and takes it back. */
    void takeBack() {
        for (int i = 0; i < count; i++) {
            changed[i] = differs(i, before);
            if (changed[i]) {
                MemorySegment.copy(ram, pages[i] * PAGE, after, i * PAGE, PAGE);
                putBack(i);
            }
        }
    }

    /** As before {@link #begin}. */
    void rollBack() {
        for (int i = 0; i < count; i++) {
            if (differs(i, before)) {
                putBack(i);
            }
        }
    }

    private boolean differs(int i, MemorySegment copy) {
        return mismatch(i, copy) >= 0;
    }

    private long mismatch(int i, MemorySegment copy) {
        long at = pages[i] * PAGE;
        return MemorySegment.mismatch(ram, at, at + PAGE, copy, i * PAGE, (i + 1) * PAGE);
    }

    private void putBack(int i) {
        MemorySegment.copy(before, i * PAGE, ram, pages[i] * PAGE, PAGE);
        if (codePages.isCode(pages[i])) {
            codePages.written(pages[i]);
        }
    }

    /**
     * After the interpreter has run: where the region had stored something else.
     *
     * @return empty if nowhere
     */
    String difference() {
        for (int i = 0; i < count; i++) {
            MemorySegment expected = changed[i] ? after : before;
            long at = mismatch(i, expected);
            if (at >= 0) {
                long word = at & ~7L;
                return "memory at offset %#x of RAM: the region leaves %016x, the interpreter %016x%n"
                        .formatted(
                                pages[i] * PAGE + word,
                                expected.get(LONG, i * PAGE + word),
                                ram.get(LONG, pages[i] * PAGE + word));
            }
        }
        return "";
    }

    private static final java.lang.foreign.ValueLayout.OfLong LONG =
            java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED.withOrder(
                    java.nio.ByteOrder.LITTLE_ENDIAN);
}
