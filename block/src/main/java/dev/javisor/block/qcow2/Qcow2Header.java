package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The header of an image that is open. Checked when it is read, so that what follows can trust its
 * sizes and alignments. Guarded by the metadata lock of its image.
 */
final class Qcow2Header {
    /** A header extension that is kept as it is. */
    record Extension(int type, byte[] data) {}

    int version = 3;
    int clusterBits;
    long sizeBytes;
    int cryptMethod;
    int l1Size;
    long l1Offset;
    long refcountTableOffset;
    int refcountTableClusters;
    int snapshots;
    long snapshotsOffset;
    long incompatible;
    long compatible;
    long autoclear;
    int refcountOrder = 4;
    int compressionType;
    String backingFile = "";

    /** All but the end mark. */
    final List<Extension> extensions = new ArrayList<>();

    /** Fields after the compression type that we do not know, kept when the header is rewritten. */
    private byte[] moreFields = new byte[0];

    int clusterBytes() {
        return 1 << clusterBits;
    }

    boolean isExtendedL2() {
        return (incompatible & INCOMPATIBLE_EXTENDED_L2) != 0;
    }

    boolean hasDataFile() {
        return (incompatible & INCOMPATIBLE_DATA_FILE) != 0;
    }

    boolean isDataFileRaw() {
        return (autoclear & AUTOCLEAR_DATA_FILE_RAW) != 0;
    }

    boolean isLazy() {
        return (compatible & COMPATIBLE_LAZY_REFCOUNTS) != 0;
    }

    boolean isDirty() {
        return (incompatible & INCOMPATIBLE_DIRTY) != 0;
    }

    boolean isCorrupt() {
        return (incompatible & INCOMPATIBLE_CORRUPT) != 0;
    }

    int l2EntryBytes() {
        return isExtendedL2() ? 16 : 8;
    }

    /** Guest bytes that one L2 table maps; its log2. */
    int l2CoverBits() {
        return clusterBits + clusterBits - (isExtendedL2() ? 4 : 3);
    }

    Optional<byte[]> extension(int type) {
        return extensions.stream().filter(e -> e.type == type).map(Extension::data).findFirst();
    }

    Optional<String> text(int type) {
        return extension(type).map(data -> new String(data, StandardCharsets.UTF_8));
    }

    void setExtension(int type, byte[] data) {
        extensions.removeIf(e -> e.type == type);
        if (data.length > 0) {
            extensions.add(new Extension(type, data));
        }
    }

    /**
     * Reads and checks a header.
     *
     * @throws BlockException saying in one line why this is no image that can be used
     */
    static Qcow2Header read(Storage file) {
        Qcow2Header header = new Qcow2Header();
        long fileBytes = file.sizeBytes();
        byte[] start = new byte[FULL_BYTES];
        file.read(0, MemorySegment.ofArray(start));
        ByteBuffer in = ByteBuffer.wrap(start);
        if (fileBytes < V2_BYTES || in.getInt(0) != MAGIC) {
            throw new BlockException("%s is not a qcow2 image".formatted(file.name()));
        }
        header.readFields(file, in);
        header.check(file, fileBytes);
        return header;
    }

    private void readFields(Storage file, ByteBuffer in) {
        version = in.getInt(4);
        if (version != 2 && version != 3) {
            throw bad(file, "version %d is not known, only 2 and 3".formatted(version));
        }
        clusterBits = in.getInt(CLUSTER_BITS);
        if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
            throw bad(
                    file,
                    "clusters of 2^%d bytes: from 512 bytes to 2 MiB are possible"
                            .formatted(clusterBits));
        }
        sizeBytes = in.getLong(SIZE);
        cryptMethod = in.getInt(CRYPT_METHOD);
        l1Size = in.getInt(L1_SIZE);
        l1Offset = in.getLong(L1_OFFSET);
        refcountTableOffset = in.getLong(REFCOUNT_TABLE_OFFSET);
        refcountTableClusters = in.getInt(REFCOUNT_TABLE_CLUSTERS);
        snapshots = in.getInt(SNAPSHOTS);
        snapshotsOffset = in.getLong(SNAPSHOTS_OFFSET);
        int headerBytes = V2_BYTES;
        if (version == 3) {
            incompatible = in.getLong(INCOMPATIBLE);
            compatible = in.getLong(COMPATIBLE);
            autoclear = in.getLong(AUTOCLEAR);
            refcountOrder = in.getInt(REFCOUNT_ORDER);
            headerBytes = in.getInt(HEADER_LENGTH);
            if (headerBytes < V3_BYTES || headerBytes > clusterBytes()) {
                throw bad(file, "a header of %d bytes".formatted(headerBytes));
            }
            if (headerBytes > COMPRESSION_TYPE) {
                compressionType = in.get(COMPRESSION_TYPE) & 0xFF;
            }
            if (headerBytes > FULL_BYTES) {
                moreFields = new byte[headerBytes - FULL_BYTES];
                file.read(FULL_BYTES, MemorySegment.ofArray(moreFields));
            }
        }
        long backingOffset = in.getLong(BACKING_OFFSET);
        readExtensions(file, headerBytes, backingOffset);
        if (backingOffset != 0) {
            int length = in.getInt(BACKING_SIZE);
            if (length < 0
                    || length > MAX_BACKING_NAME_BYTES
                    || backingOffset < 0
                    || backingOffset > clusterBytes() - length) {
                throw bad(file, "its backing file's name lies outside of the header");
            }
            byte[] name = new byte[length];
            file.read(backingOffset, MemorySegment.ofArray(name));
            backingFile = new String(name, StandardCharsets.UTF_8);
        }
    }

    private void readExtensions(Storage file, int from, long backingOffset) {
        long end = backingOffset > 0 ? Math.min(backingOffset, clusterBytes()) : clusterBytes();
        byte[] head = new byte[8];
        for (long at = from; at + 8 <= end; ) {
            file.read(at, MemorySegment.ofArray(head));
            int type = ByteBuffer.wrap(head).getInt(0);
            int length = ByteBuffer.wrap(head).getInt(4);
            if (type == EXTENSION_END) {
                return;
            }
            if (length < 0 || length > MAX_EXTENSION_BYTES || at + 8 + length > end) {
                throw bad(file, "header extension %08x is too long".formatted(type));
            }
            byte[] data = new byte[length];
            file.read(at + 8, MemorySegment.ofArray(data));
            extensions.add(new Extension(type, data));
            at += 8 + ((length + 7) & -8);
        }
    }

    private void check(Storage file, long fileBytes) {
        long unknown = incompatible & ~INCOMPATIBLE_KNOWN;
        if (unknown != 0) {
            throw bad(file, "it needs a feature that is not known: " + featureName(unknown));
        }
        if (refcountOrder < 0 || refcountOrder > 6) {
            throw bad(file, "refcounts of 2^%d bits".formatted(refcountOrder));
        }
        if (isExtendedL2() && clusterBits < MIN_EXTENDED_CLUSTER_BITS) {
            throw bad(file, "subclusters need clusters of at least 16 KiB");
        }
        if (isDataFileRaw() && !hasDataFile()) {
            throw bad(file, "a raw data file without a data file");
        }
        boolean typed = (incompatible & INCOMPATIBLE_COMPRESSION) != 0;
        if (typed != (compressionType != 0) || compressionType > 1) {
            throw bad(file, "compression type %d is not known".formatted(compressionType));
        }
        if (sizeBytes < 0 || sizeBytes > Long.MAX_VALUE - clusterBytes()) {
            throw bad(file, "an absurd size");
        }
        checkTable(file, fileBytes, "L1 table", l1Offset, l1Size * 8L, MAX_L1_BYTES, l1Size);
        long covered = l2CoverBits() > 62 ? 1 : ((sizeBytes - 1) >> l2CoverBits()) + 1;
        if (sizeBytes > 0 && Integer.toUnsignedLong(l1Size) < covered) {
            throw bad(file, "its L1 table is too small for its size");
        }
        long tableBytes = (long) refcountTableClusters << clusterBits;
        if (refcountTableClusters == 0) {
            throw bad(file, "it has no refcount table");
        }
        checkTable(
                file,
                fileBytes,
                "refcount table",
                refcountTableOffset,
                tableBytes,
                MAX_REFCOUNT_TABLE_BYTES,
                refcountTableClusters);
        if (snapshots < 0 || snapshots > MAX_SNAPSHOTS) {
            throw bad(file, "%s snapshots".formatted(Integer.toUnsignedString(snapshots)));
        }
        if (snapshots > 0) {
            checkTable(
                    file,
                    fileBytes,
                    "snapshot table",
                    snapshotsOffset,
                    40L * snapshots,
                    MAX_SNAPSHOT_TABLE_BYTES,
                    1);
        }
        if (hasDataFile() && snapshots > 0) {
            throw bad(file, "snapshots together with a data file");
        }
    }

    private void checkTable(
            Storage file,
            long fileBytes,
            String what,
            long offset,
            long bytes,
            long max,
            int count) {
        if (count < 0 || bytes > max) {
            throw bad(file, "its %s is too large".formatted(what));
        }
        if (bytes > 0
                && (offset <= 0
                        || (offset & (clusterBytes() - 1)) != 0
                        || offset > fileBytes - Math.min(bytes, 1))) {
            throw bad(file, "its %s lies at %d, outside of the file".formatted(what, offset));
        }
    }

    private String featureName(long unknown) {
        int bit = Long.numberOfTrailingZeros(unknown);
        byte[] names = extension(EXTENSION_FEATURES).orElse(new byte[0]);
        for (int at = 0; at + 48 <= names.length; at += 48) {
            if (names[at] == 0 && names[at + 1] == bit) {
                String name = new String(names, at + 2, 46, StandardCharsets.UTF_8);
                return name.replace("\0", "").replaceAll("\\p{Cntrl}", "?");
            }
        }
        return "bit " + bit;
    }

    private static BlockException bad(Storage file, String what) {
        return new BlockException("%s is not a sound qcow2 image: %s".formatted(file.name(), what));
    }

    /** All fields and extensions, as they lie from the start of the file. */
    byte[] encode() {
        ByteBuffer out = ByteBuffer.allocate(clusterBytes());
        out.putInt(0, MAGIC).putInt(4, version).putInt(CLUSTER_BITS, clusterBits);
        out.putLong(SIZE, sizeBytes).putInt(CRYPT_METHOD, cryptMethod);
        out.putInt(L1_SIZE, l1Size).putLong(L1_OFFSET, l1Offset);
        out.putLong(REFCOUNT_TABLE_OFFSET, refcountTableOffset);
        out.putInt(REFCOUNT_TABLE_CLUSTERS, refcountTableClusters);
        out.putInt(SNAPSHOTS, snapshots).putLong(SNAPSHOTS_OFFSET, snapshotsOffset);
        out.position(V2_BYTES);
        if (version == 3) {
            int headerBytes = FULL_BYTES + moreFields.length;
            out.putLong(INCOMPATIBLE, incompatible).putLong(COMPATIBLE, compatible);
            out.putLong(AUTOCLEAR, autoclear).putInt(REFCOUNT_ORDER, refcountOrder);
            out.putInt(HEADER_LENGTH, headerBytes);
            out.put(COMPRESSION_TYPE, (byte) compressionType);
            out.position(FULL_BYTES);
            out.put(moreFields);
        }
        byte[] backing = backingFile.getBytes(StandardCharsets.UTF_8);
        int needed = out.position() + 8 + backing.length;
        for (Extension extension : extensions) {
            needed += 8 + ((extension.data.length + 7) & -8);
        }
        if (needed > clusterBytes()) {
            throw new BlockException(
                    "the header does not fit into one cluster of %d bytes: choose larger clusters or shorter names"
                            .formatted(clusterBytes()));
        }
        for (Extension extension : extensions) {
            out.putInt(extension.type).putInt(extension.data.length).put(extension.data);
            out.position((out.position() + 7) & -8);
        }
        out.putInt(EXTENSION_END).putInt(0);
        if (backing.length > 0) {
            out.putLong(BACKING_OFFSET, out.position()).putInt(BACKING_SIZE, backing.length);
            out.put(backing);
        }
        byte[] bytes = new byte[out.position()];
        out.get(0, bytes);
        return bytes;
    }

    /** Names of the features that we may set, so that others can say what they do not know. */
    static byte[] featureNames() {
        String[] names = {
            "0:0:dirty bit",
            "0:1:corrupt bit",
            "0:2:external data file",
            "0:3:compression type",
            "0:4:extended L2 entries",
            "1:0:lazy refcounts",
            "2:0:bitmaps",
            "2:1:raw external data"
        };
        ByteBuffer out = ByteBuffer.allocate(names.length * 48);
        for (int i = 0; i < names.length; i++) {
            String[] parts = names[i].split(":", 3);
            out.put(i * 48, Byte.parseByte(parts[0])).put(i * 48 + 1, Byte.parseByte(parts[1]));
            out.put(i * 48 + 2, parts[2].getBytes(StandardCharsets.US_ASCII));
        }
        return out.array();
    }
}
