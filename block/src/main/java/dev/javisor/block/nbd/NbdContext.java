package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ChainExtent;
import dev.javisor.block.qcow2.LiveBitmaps;
import dev.javisor.block.qcow2.Qcow2Image;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Something that block status tells about a disk: what of it is allocated, or what a dirty bitmap
 * has noted.
 *
 * @param bitmap empty for the allocation
 */
record NbdContext(int id, String bitmap) {
    private static final int DESCRIPTOR_BYTES = 8;

    /** Most runs in one answer. */
    private static final int MAX_RUNS = 1024;

    static List<NbdContext> of(NbdExport export) {
        List<NbdContext> all = new ArrayList<>();
        all.add(new NbdContext(0, ""));
        if (export.image() instanceof Qcow2Image) {
            for (String bitmap : export.bitmaps()) {
                all.add(new NbdContext(all.size(), bitmap));
            }
        }
        return all;
    }

    String name() {
        return bitmap.isEmpty() ? BASE_ALLOCATION : DIRTY_BITMAP + bitmap;
    }

    /**
     * @param wildcard whether a query may name a whole family
     */
    boolean matches(String query, boolean wildcard) {
        return query.equals(name())
                || wildcard
                        && (query.equals("base:") && bitmap.isEmpty()
                                || !bitmap.isEmpty()
                                        && (query.equals("qemu:") || query.equals(DIRTY_BITMAP)));
    }

    /** Descriptors of a range from its start on: length and flags, 32 bits each. */
    ByteBuffer status(DiskImage image, long offset, long sizeBytes, boolean one) {
        ByteBuffer out = ByteBuffer.allocate((one ? 1 : MAX_RUNS) * DESCRIPTOR_BYTES);
        long end = offset + sizeBytes;
        long runStart = offset;
        int runFlags = -1;
        long at = offset;
        while (at < end) {
            long length;
            int flags;
            if (bitmap.isEmpty()) {
                ChainExtent extent = ChainExtent.at(image, at, end - at);
                length = extent.lengthBytes();
                flags = extent.zero() ? STATE_HOLE | STATE_ZERO : 0;
            } else {
                LiveBitmaps bitmaps = ((Qcow2Image) image).bitmaps();
                long run = bitmaps.run(bitmap, at, end - at);
                length = Math.abs(run);
                flags = run > 0 ? STATE_DIRTY : 0;
            }
            if (flags != runFlags && runFlags >= 0) {
                out.putInt((int) (at - runStart)).putInt(runFlags);
                runStart = at;
                if (!out.hasRemaining()) {
                    return out.flip();
                }
            }
            runFlags = flags;
            at += length;
        }
        out.putInt((int) (end - runStart)).putInt(runFlags);
        return out.flip();
    }
}
