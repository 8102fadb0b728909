package dev.javisor.block.qcow2;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The kinds of images that tests go through, and short ways to use them. */
final class Specs {
    private Specs() {}

    static Qcow2Spec spec(
            long size, int version, int cluster, int refcountBits, boolean lazy, boolean extended) {
        return new Qcow2Spec(
                size, version, cluster, refcountBits, lazy, extended, "zlib", "", "", "", false);
    }

    static List<Qcow2Spec> matrix(long size) {
        List<Qcow2Spec> all = new ArrayList<>();
        all.add(spec(size, 3, 1 << 16, 16, false, false));
        all.add(spec(size, 2, 1 << 16, 16, false, false));
        all.add(spec(size, 3, 1 << 16, 16, true, false));
        all.add(spec(size, 3, 1 << 16, 16, false, true));
        all.add(spec(size, 3, 1 << 14, 8, true, true));
        all.add(spec(size, 3, 512, 64, false, false));
        all.add(spec(size, 2, 512, 16, false, false));
        all.add(spec(size, 3, 4096, 1, false, false));
        all.add(spec(size, 3, 1024, 2, true, false));
        all.add(spec(size, 3, 2048, 4, false, false));
        all.add(spec(size, 3, 1 << 21, 32, false, false));
        return all;
    }

    /** References of images that have none, or a backing image that the test gives. */
    static Qcow2Files.References backedBy(@Nullable DiskImage backing) {
        return new Qcow2Files.References() {
            @Override
            public DiskImage backing(Qcow2Info info) {
                if (backing == null) {
                    throw new BlockException("no backing image in this test");
                }
                return backing;
            }

            @Override
            public Storage dataFile(Qcow2Info info) {
                throw new BlockException("no data file in this test");
            }
        };
    }

    static Qcow2Image open(Storage file, @Nullable DiskImage backing) {
        return Qcow2Files.open(file, false, backedBy(backing), Qcow2Files.Repair.WHEN_DIRTY);
    }

    static byte[] read(DiskImage image, long offset, int length) {
        byte[] bytes = new byte[length];
        image.read(offset, new IoBuffers(MemorySegment.ofArray(bytes)));
        return bytes;
    }

    static void write(DiskImage image, long offset, byte[] bytes) {
        image.write(offset, new IoBuffers(MemorySegment.ofArray(bytes)));
    }

    static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
