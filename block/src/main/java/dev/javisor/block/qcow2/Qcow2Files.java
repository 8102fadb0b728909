package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskImage;
import dev.javisor.block.Storage;
import org.jspecify.annotations.Nullable;

/** Opens images. What a header refers to is opened by the caller, or not at all. */
public final class Qcow2Files {
    /** What an image's header refers to. */
    public interface References {
        /** The image under this one. */
        DiskImage backing(Qcow2Info info);

        Storage dataFile(Qcow2Info info);
    }

    /** What to do when a crash has left refcounts that are wrong. */
    public enum Repair {
        /** Counts them anew before anything is written. */
        WHEN_DIRTY,
        /** Leaves them, and the marks: for who checks. */
        NEVER
    }

    private Qcow2Files() {}

    /** Reads only the header. */
    public static Qcow2Info info(Storage file) {
        return Qcow2Info.of(Qcow2Header.read(file));
    }

    /**
     * @param file closed with the image, also when this fails
     */
    public static Qcow2Image open(
            Storage file, boolean readOnly, References references, Repair repair) {
        Storage dataFile = null;
        DiskImage backing = null;
        boolean opened = false;
        try {
            Qcow2Header header = Qcow2Header.read(file);
            Qcow2Info info = Qcow2Info.of(header);
            if (header.cryptMethod != CRYPT_NONE) {
                throw new BlockException(
                        "%s is encrypted, which is not supported: decrypt it with 'qemu-img convert'"
                                .formatted(file.name()));
            }
            if (header.isCorrupt() && !readOnly && repair != Repair.NEVER) {
                throw new BlockException(
                        "%s is marked as corrupt: run 'javisor image check -r all'"
                                .formatted(file.name()));
            }
            if (header.hasDataFile()) {
                dataFile = references.dataFile(info);
            }
            if (!header.backingFile.isEmpty()) {
                backing = references.backing(info);
            }
            Qcow2Image image = new Qcow2Image(file, dataFile, header, backing, readOnly);
            if (!readOnly && repair == Repair.WHEN_DIRTY) {
                prepare(image, header);
            }
            opened = true;
            return image;
        } finally {
            if (!opened) {
                close(file, dataFile, backing);
            }
        }
    }

    private static void prepare(Qcow2Image image, Qcow2Header header) {
        long known = AUTOCLEAR_BITMAPS | AUTOCLEAR_DATA_FILE_RAW;
        if (header.version >= 3 && (header.autoclear & ~known) != 0) {
            header.autoclear &= known;
            image.meta.writeField(AUTOCLEAR, header.autoclear);
            image.file.flush();
        }
        if (header.isDirty()) {
            Qcow2Check.Result result = Qcow2Check.check(image, Qcow2Check.Repair.ALL);
            if (result.corruptions() > 0) {
                throw new BlockException(
                        "%s was not closed and cannot be repaired by itself: run 'javisor image check -r all'"
                                .formatted(image.name()));
            }
        }
    }

    private static void close(
            Storage file, @Nullable Storage dataFile, @Nullable DiskImage backing) {
        try (file) {
            if (dataFile != null) {
                dataFile.close();
            }
        } finally {
            if (backing != null) {
                backing.close();
            }
        }
    }
}
