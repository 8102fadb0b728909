package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.LentStorage;
import dev.javisor.block.Storage;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * An image to be made.
 *
 * @param sizeBytes a multiple of 512
 * @param version 2 or 3
 * @param clusterBytes a power of two from 512 to 2 MiB
 * @param refcountBits a power of two from 1 to 64; 16 in version 2
 * @param compression {@code zlib} or {@code zstd}
 * @param backingFile as it is to be written, empty for none
 * @param dataFile as it is to be written, empty for none
 */
public record Qcow2Spec(
        long sizeBytes,
        int version,
        int clusterBytes,
        int refcountBits,
        boolean lazyRefcounts,
        boolean extendedL2,
        String compression,
        String backingFile,
        String backingFormat,
        String dataFile,
        boolean dataFileRaw) {
    /** What people mostly want. */
    public static Qcow2Spec of(long sizeBytes) {
        return new Qcow2Spec(sizeBytes, 3, 1 << 16, 16, false, false, "zlib", "", "", "", false);
    }

    public Qcow2Spec withCluster(int bytes) {
        return new Qcow2Spec(
                sizeBytes,
                version,
                bytes,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                backingFile,
                backingFormat,
                dataFile,
                dataFileRaw);
    }

    public Qcow2Spec withBacking(String file, String format) {
        return new Qcow2Spec(
                sizeBytes,
                version,
                clusterBytes,
                refcountBits,
                lazyRefcounts,
                extendedL2,
                compression,
                file,
                format,
                dataFile,
                dataFileRaw);
    }

    /**
     * Writes the image.
     *
     * @param file empty
     * @param data for guest data if {@link #dataFile} is named
     */
    public void create(Storage file, @Nullable Storage data) {
        Qcow2Header header = header();
        int cluster = 1 << header.clusterBits;
        // Header, refcount table, refcount block; all the rest as an open image makes it.
        header.refcountTableOffset = cluster;
        header.refcountTableClusters = 1;
        byte[] start = new byte[3 * cluster];
        byte[] encoded = header.encode();
        System.arraycopy(encoded, 0, start, 0, encoded.length);
        java.nio.ByteBuffer.wrap(start).putLong(cluster, 2L * cluster);
        for (int i = 0; i < 3; i++) {
            switch (header.refcountOrder) {
                case 0, 1, 2 -> {
                    int bit = i << header.refcountOrder;
                    start[2 * cluster + bit / 8] |= (byte) (1 << bit % 8);
                }
                default -> {
                    int bytes = 1 << header.refcountOrder - 3;
                    start[2 * cluster + (i + 1) * bytes - 1] = 1;
                }
            }
        }
        file.write(0, java.lang.foreign.MemorySegment.ofArray(start));
        Qcow2Image image =
                new Qcow2Image(
                        LentStorage.unflushedUnclosed(file),
                        data == null ? null : LentStorage.unflushedUnclosed(data),
                        header,
                        null,
                        false);
        try (image) {
            image.resize(sizeBytes);
        }
        // Until now there was nothing to lose, and no order to keep.
        if (data != null) {
            data.flush();
        }
        file.flush();
    }

    private Qcow2Header header() {
        if (sizeBytes < 0 || sizeBytes % 512 != 0) {
            throw new BlockException("a disk's size is a multiple of 512 bytes");
        }
        if (Integer.bitCount(clusterBytes) != 1
                || clusterBytes < 1 << MIN_CLUSTER_BITS
                || clusterBytes > 1 << MAX_CLUSTER_BITS) {
            throw new BlockException("a cluster's size is a power of two from 512 to 2M");
        }
        if (Integer.bitCount(refcountBits) != 1 || refcountBits < 1 || refcountBits > 64) {
            throw new BlockException("refcounts have 1, 2, 4, 8, 16, 32 or 64 bits");
        }
        if (version != 2 && version != 3) {
            throw new BlockException("there are only version 2 (0.10) and 3 (1.1)");
        }
        boolean zstd = compression.equals("zstd");
        if (!zstd && !compression.equals("zlib")) {
            throw new BlockException("compression is zlib or zstd");
        }
        if (version == 2
                && (refcountBits != 16
                        || lazyRefcounts
                        || extendedL2
                        || zstd
                        || !dataFile.isEmpty())) {
            throw new BlockException(
                    "version 2 has refcounts of 16 bits, zlib, and none of lazy refcounts, extended"
                            + " L2 entries, data files");
        }
        if (extendedL2 && clusterBytes < 1 << MIN_EXTENDED_CLUSTER_BITS) {
            throw new BlockException("extended L2 entries need clusters of at least 16K");
        }
        if (dataFileRaw && (dataFile.isEmpty() || !backingFile.isEmpty())) {
            throw new BlockException("a raw data file needs a data file, and no backing file");
        }
        if (backingFile.getBytes(StandardCharsets.UTF_8).length > MAX_BACKING_NAME_BYTES) {
            throw new BlockException("the backing file's name is longer than 1023 bytes");
        }
        Qcow2Header header = new Qcow2Header();
        header.version = version;
        header.clusterBits = Integer.numberOfTrailingZeros(clusterBytes);
        header.refcountOrder = Integer.numberOfTrailingZeros(refcountBits);
        header.compatible = lazyRefcounts ? COMPATIBLE_LAZY_REFCOUNTS : 0;
        header.incompatible =
                (extendedL2 ? INCOMPATIBLE_EXTENDED_L2 : 0)
                        | (zstd ? INCOMPATIBLE_COMPRESSION : 0)
                        | (dataFile.isEmpty() ? 0 : INCOMPATIBLE_DATA_FILE);
        header.autoclear = dataFileRaw ? AUTOCLEAR_DATA_FILE_RAW : 0;
        header.compressionType = zstd ? 1 : 0;
        header.backingFile = backingFile;
        if (!backingFormat.isEmpty()) {
            header.setExtension(
                    EXTENSION_BACKING_FORMAT, backingFormat.getBytes(StandardCharsets.UTF_8));
        }
        if (!dataFile.isEmpty()) {
            header.setExtension(EXTENSION_DATA_FILE, dataFile.getBytes(StandardCharsets.UTF_8));
        }
        if (version == 3 && clusterBytes >= 4096) {
            header.setExtension(EXTENSION_FEATURES, Qcow2Header.featureNames());
        }
        return header;
    }
}
