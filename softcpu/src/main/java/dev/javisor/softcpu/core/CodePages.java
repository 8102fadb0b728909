package dev.javisor.softcpu.core;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Which pages of RAM hold decoded code, and how often each was written since: a block is valid
 * while its page's version is the one it was decoded at.
 *
 * <p>Protocol. A vCPU that decodes from a page calls {@link #markCode} first, which returns the
 * version to remember. A page is marked while no vCPU executes guest code, together with the loss
 * of every vCPU's write translation of it; so whoever sees the mark knows that vCPU stores reach
 * the page only through the slow path, because the page walk grants no write translation while the
 * mark stands. The slow path stores, then calls {@link #written}, which takes the mark away before
 * it ages the version. Devices store, fence, then look at the mark (Dekker with mark, fence,
 * decode).
 *
 * <p>Numbers are pages of the backing segment.
 */
public final class CodePages {
    private static final VarHandle BYTES = MethodHandles.arrayElementVarHandle(byte[].class);
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);

    /** Takes all vCPUs' write translations of a page away. */
    public interface WriteRevoker {
        /** Runs {@code mark} and revokes, both while no vCPU executes guest code. */
        void revoke(long backingPage, Runnable mark);
    }

    private final byte[] marks;
    private final int[] versions;
    private int writes;
    private WriteRevoker revoker = (page, mark) -> mark.run();

    CodePages(long backingBytes) {
        int pages = Math.toIntExact((backingBytes + 4095) >>> 12);
        marks = new byte[pages];
        versions = new int[pages];
    }

    /** Before any vCPU exists. */
    public void setRevoker(WriteRevoker value) {
        revoker = value;
    }

    public boolean isCode(int page) {
        return marks[page] != 0;
    }

    /** Counts all writes to code. Plain read: a vCPU sees its own at once, others' soon. */
    public int writes() {
        return writes;
    }

    /** By page, to be read only: what {@link #version} looks at, for the hot loop. */
    public int[] versions() {
        return versions;
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
        while (true) {
            if ((byte) BYTES.getVolatile(marks, page) == 0) {
                revoker.revoke(page, () -> mark(page));
            }
            int version = (int) INTS.getVolatile(versions, page);
            // A store in between has taken the mark away first: then the version may be its own.
            if ((byte) BYTES.getVolatile(marks, page) != 0) {
                VarHandle.fullFence();
                return version;
            }
        }
    }

    private synchronized void mark(int page) {
        BYTES.setVolatile(marks, page, (byte) 1);
    }

    /** A vCPU stored into a marked page: its blocks are void. */
    public synchronized void written(int page) {
        BYTES.setVolatile(marks, page, (byte) 0);
        writes++;
        INTS.setVolatile(versions, page, versions[page] + 1);
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
