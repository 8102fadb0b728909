package dev.javisor.softcpu.core;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Which pages of RAM hold decoded code, and how often each was written since: a block is valid
 * while its page's version is the one it was decoded at.
 *
 * <p>Protocol. A vCPU that decodes from a page calls {@link #markCode} first, which returns the
 * version to remember; vCPU stores reach such a page only through the slow path, because marking
 * makes every vCPU drop its write translations (and waits until they have), and the page table walk
 * grants none while the mark stands. The slow path stores, then calls {@link #written}. Devices
 * store, fence, then look at the mark (Dekker with mark, fence, decode).
 *
 * <p>Numbers are pages of the backing segment.
 */
public final class CodePages {
    private static final VarHandle BYTES = MethodHandles.arrayElementVarHandle(byte[].class);
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

    /** Makes all other vCPUs drop write translations of a page, waiting until they have. */
    public interface WriteRevoker {
        void revoke(long backingPage);
    }

    private final byte[] marks;
    private final int[] versions;
    private final List<WriteRevoker> revokers = new CopyOnWriteArrayList<>();

    CodePages(long backingBytes) {
        int pages = Math.toIntExact((backingBytes + 4095) >>> 12);
        marks = new byte[pages];
        versions = new int[pages];
    }

    public void addRevoker(WriteRevoker revoker) {
        revokers.add(revoker);
    }

    public boolean isCode(int page) {
        return marks[page] != 0;
    }

    /** Plain read: for the check at block entry on a vCPU thread. */
    public int version(int page) {
        return versions[page];
    }

    /**
     * Marks a page as code.
     *
     * @return its version, to be read before the bytes are
     */
    public int markCode(int page) {
        boolean fresh;
        synchronized (this) {
            fresh = marks[page] == 0;
            if (fresh) {
                BYTES.setVolatile(marks, page, (byte) 1);
            }
        }
        if (fresh) {
            for (WriteRevoker revoker : revokers) {
                revoker.revoke(page);
            }
        }
        VarHandle.fullFence();
        return (int) INTS.getVolatile(versions, page);
    }

    /** A vCPU stored into a marked page: its blocks are void. */
    public void written(int page) {
        synchronized (this) {
            INTS.setVolatile(versions, page, versions[page] + 1);
            BYTES.setVolatile(marks, page, (byte) 0);
        }
    }

    /** A device or loader stored into RAM; preceded by a full fence. */
    void writtenByDevice(long offset, long sizeBytes) {
        int last = (int) ((offset + sizeBytes - 1) >>> 12);
        for (int page = (int) (offset >>> 12); page <= last; page++) {
            if (marks[page] != 0) {
                written(page);
            }
        }
    }
}
