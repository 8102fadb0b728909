package dev.javisor.block.image;

import dev.javisor.block.DiskImage;
import dev.javisor.block.qcow2.Qcow2Image;

/** How a disk is best read and written. */
public final class ImageBlocks {
    private static final int PAGE_BYTES = 4096;

    private ImageBlocks() {}

    /** Transfers of this size and alignment cost least for what they move, bytes. */
    public static int preferred(DiskImage image) {
        return image instanceof Qcow2Image qcow2
                ? Math.max(PAGE_BYTES, qcow2.clusterSizeBytes())
                : PAGE_BYTES;
    }
}
