package dev.javisor.block.qcow2;

import static dev.javisor.block.qcow2.Qcow2Layout.*;

import dev.javisor.block.BlockException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The dirty bitmaps of an open image (section "Bitmaps"). Those that are consistent lie in memory
 * while the image is open for writing; before the first change the file says that they are in use,
 * and a clean close writes them. Guarded by the image's metadata lock.
 */
public final class LiveBitmaps {
    private static final int FLAG_IN_USE = 1;
    private static final int FLAG_AUTO = 2;
    private static final int FLAG_EXTRA_COMPATIBLE = 4;
    private static final int TYPE_DIRTY_TRACKING = 1;
    private static final int ENTRY_BYTES = 24;
    private static final int MIN_GRANULARITY_BITS = 9;
    private static final int MAX_GRANULARITY_BITS = 31;
    private static final int MAX_NAME_BYTES = 1023;
    private static final long MAX_DIRECTORY_BYTES = 64L << 20;

    /** Of all bitmaps of an image together. */
    private static final long MAX_MEMORY_BYTES = 256L << 20;

    /**
     * A bitmap as people see it.
     *
     * @param recording whether writes are noted in it
     * @param inconsistent it was not stored after the last change: it can only be removed
     */
    public record BitmapInfo(
            String name,
            long granularityBytes,
            boolean recording,
            boolean inconsistent,
            long dirtyBytes) {}

    private static final class Bitmap {
        private final String name;
        private final int granularityBits;
        private int flags;
        private long tableOffset;
        private int tableSize;

        /** Null if the contents are not to be used. */
        private long @org.jspecify.annotations.Nullable [] words;

        private final byte[] extra;

        Bitmap(String name, int granularityBits, int flags, byte[] extra) {
            this.name = name;
            this.granularityBits = granularityBits;
            this.flags = flags;
            this.extra = extra;
        }

        boolean isRecording() {
            return (flags & FLAG_AUTO) != 0 && words != null;
        }
    }

    private final Qcow2Image image;
    private final Qcow2Header header;
    private final List<Bitmap> bitmaps = new ArrayList<>();

    /** Whether the file says that what is in memory is not stored. */
    private boolean marked;

    private boolean changed;
    private boolean recording;

    LiveBitmaps(Qcow2Image image) {
        this.image = image;
        header = image.meta.header;
        Optional<byte[]> extension = header.extension(EXTENSION_BITMAPS);
        if (extension.isPresent() && (header.autoclear & AUTOCLEAR_BITMAPS) != 0) {
            load(extension.get());
        }
        recording = bitmaps.stream().anyMatch(Bitmap::isRecording);
    }

    // ---- loading ----------------------------------------------------------------------------

    private void load(byte[] extension) {
        if (extension.length < ENTRY_BYTES) {
            throw image.meta.damaged("a bitmaps extension of %d bytes".formatted(extension.length));
        }
        ByteBuffer in = ByteBuffer.wrap(extension);
        int count = in.getInt(0);
        long bytes = in.getLong(8);
        long offset = in.getLong(16);
        if (count < 1
                || count > MAX_BITMAPS
                || bytes < (long) count * ENTRY_BYTES
                || bytes > MAX_DIRECTORY_BYTES
                || offset <= 0
                || (offset & (header.clusterBytes() - 1)) != 0
                || offset > image.file.sizeBytes() - bytes) {
            throw image.meta.damaged("its bitmap directory");
        }
        byte[] directory = new byte[(int) bytes];
        image.file.read(offset, MemorySegment.ofArray(directory));
        ByteBuffer entries = ByteBuffer.wrap(directory);
        long memory = 0;
        for (int i = 0; i < count; i++) {
            Bitmap bitmap = entry(entries);
            boolean usable =
                    (bitmap.flags & FLAG_IN_USE) == 0
                            && (bitmap.extra.length == 0
                                    || (bitmap.flags & FLAG_EXTRA_COMPATIBLE) != 0);
            if (usable) {
                memory += words(bitmap.granularityBits, header.sizeBytes) * 8;
                if (memory > MAX_MEMORY_BYTES) {
                    throw new BlockException(
                            "%s: its bitmaps need more than %d MiB of memory"
                                    .formatted(image.name(), MAX_MEMORY_BYTES >> 20));
                }
                bitmap.words = loadWords(bitmap);
            }
            bitmaps.add(bitmap);
        }
    }

    private Bitmap entry(ByteBuffer in) {
        int start = in.position();
        if (in.remaining() < ENTRY_BYTES) {
            throw image.meta.damaged("a bitmap directory that is cut off");
        }
        long tableOffset = in.getLong();
        int tableSize = in.getInt();
        int flags = in.getInt();
        int type = in.get() & 0xFF;
        int granularityBits = in.get() & 0xFF;
        int nameBytes = in.getShort() & 0xFFFF;
        int extraBytes = in.getInt();
        if (type != TYPE_DIRTY_TRACKING
                || granularityBits < MIN_GRANULARITY_BITS
                || granularityBits > MAX_GRANULARITY_BITS
                || nameBytes < 1
                || nameBytes > MAX_NAME_BYTES
                || extraBytes < 0
                || (long) nameBytes + extraBytes > in.remaining()) {
            throw image.meta.damaged("a bitmap directory entry");
        }
        byte[] extra = new byte[extraBytes];
        in.get(extra);
        byte[] name = new byte[nameBytes];
        in.get(name);
        in.position(Math.min(in.limit(), start + ((in.position() - start + 7) & -8)));
        Bitmap bitmap =
                new Bitmap(new String(name, StandardCharsets.UTF_8), granularityBits, flags, extra);
        bitmap.tableOffset = tableOffset;
        bitmap.tableSize = tableSize;
        return bitmap;
    }

    private static long words(int granularityBits, long sizeBytes) {
        long bits = (sizeBytes + (1L << granularityBits) - 1) >>> granularityBits;
        return (bits + 63) >>> 6;
    }

    private long[] loadWords(Bitmap bitmap) {
        long[] words = new long[(int) words(bitmap.granularityBits, header.sizeBytes)];
        byte[] bytes = new byte[words.length * 8];
        long clusters = (bytes.length + (long) header.clusterBytes() - 1) >>> header.clusterBits;
        if (bitmap.tableSize != clusters && bitmap.tableSize != neededClusters(bitmap)) {
            throw image.meta.damaged("the table of bitmap '%s'".formatted(bitmap.name));
        }
        if (bitmap.tableSize > 0) {
            checkTable(bitmap);
        }
        long[] table = image.meta.readL1(bitmap.tableOffset, bitmap.tableSize);
        for (int i = 0; i < table.length; i++) {
            int from = i << header.clusterBits;
            int length = Math.min(header.clusterBytes(), bytes.length - from);
            long at = table[i] & OFFSET;
            if (at != 0) {
                image.file.read(at, MemorySegment.ofArray(bytes).asSlice(from, length));
            } else if ((table[i] & 1) != 0) {
                Arrays.fill(bytes, from, from + length, (byte) 0xFF);
            }
        }
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(words);
        trim(words, bitmap.granularityBits);
        return words;
    }

    private int neededClusters(Bitmap bitmap) {
        long bits =
                (header.sizeBytes + (1L << bitmap.granularityBits) - 1) >>> bitmap.granularityBits;
        return (int) (((bits + 7) / 8 + header.clusterBytes() - 1) >>> header.clusterBits);
    }

    private void checkTable(Bitmap bitmap) {
        if (bitmap.tableOffset <= 0
                || (bitmap.tableOffset & (header.clusterBytes() - 1)) != 0
                || bitmap.tableSize * 8L > MAX_L1_BYTES
                || bitmap.tableOffset > image.file.sizeBytes()) {
            throw image.meta.damaged("the table of bitmap '%s'".formatted(bitmap.name));
        }
    }

    /** Clears the bits behind the end of the disk. */
    private void trim(long[] words, int granularityBits) {
        long bits = (header.sizeBytes + (1L << granularityBits) - 1) >>> granularityBits;
        if (words.length > 0 && (bits & 63) != 0) {
            words[words.length - 1] &= -1L >>> (64 - (bits & 63));
        }
    }

    // ---- following changes ------------------------------------------------------------------

    /** Bytes are about to change. With the metadata lock held. */
    void changed(long offset, long sizeBytes) {
        if (!recording || sizeBytes == 0) {
            return;
        }
        mark();
        for (Bitmap bitmap : bitmaps) {
            long[] words = bitmap.words;
            if (words != null && bitmap.isRecording()) {
                long last = (offset + sizeBytes - 1) >>> bitmap.granularityBits;
                set(words, offset >>> bitmap.granularityBits, last + 1);
            }
        }
    }

    private static void set(long[] words, long from, long to) {
        for (long bit = from; bit < to; ) {
            if ((bit & 63) == 0 && to - bit >= 64) {
                words[(int) (bit >>> 6)] = -1;
                bit += 64;
            } else {
                words[(int) (bit >>> 6)] |= 1L << bit;
                bit++;
            }
        }
    }

    /** The file must say first that what it has is not current. */
    private void mark() {
        changed = true;
        if (marked) {
            return;
        }
        Optional<byte[]> extension = header.extension(EXTENSION_BITMAPS);
        if (extension.isPresent() && (header.autoclear & AUTOCLEAR_BITMAPS) != 0) {
            byte[] old = directory();
            for (Bitmap bitmap : bitmaps) {
                if (bitmap.words != null) {
                    bitmap.flags |= FLAG_IN_USE;
                }
            }
            byte[] now = directory();
            if (old.length == now.length && !Arrays.equals(old, now)) {
                long at = ByteBuffer.wrap(extension.get()).getLong(16);
                image.file.write(at, MemorySegment.ofArray(now));
                image.file.flush();
            }
        }
        marked = true;
    }

    void resized(long sizeBytes) {
        image.meta.lock.lock();
        try {
            for (Bitmap bitmap : bitmaps) {
                long[] words = bitmap.words;
                if (words != null) {
                    mark();
                    long count = words(bitmap.granularityBits, sizeBytes);
                    if (count * 8 > MAX_MEMORY_BYTES) {
                        throw new BlockException(
                                "%s: bitmap '%s' would be too large"
                                        .formatted(image.name(), bitmap.name));
                    }
                    bitmap.words = Arrays.copyOf(words, (int) count);
                }
            }
        } finally {
            image.meta.lock.unlock();
        }
    }

    /** Everything may have changed. */
    void allChanged() {
        if (header.sizeBytes > 0) {
            changed(0, header.sizeBytes);
        }
    }

    // ---- what people ask for ----------------------------------------------------------------

    public List<BitmapInfo> list() {
        image.meta.lock.lock();
        try {
            return bitmaps.stream().map(this::info).toList();
        } finally {
            image.meta.lock.unlock();
        }
    }

    private BitmapInfo info(Bitmap bitmap) {
        long[] words = bitmap.words;
        long dirty = 0;
        if (words != null) {
            for (long word : words) {
                dirty += Long.bitCount(word);
            }
        }
        return new BitmapInfo(
                bitmap.name,
                1L << bitmap.granularityBits,
                (bitmap.flags & FLAG_AUTO) != 0,
                words == null,
                dirty << bitmap.granularityBits);
    }

    /** Adds an empty bitmap that records. */
    public void add(String name, long granularityBytes) {
        image.meta.lock.lock();
        try {
            int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
            int bits = Long.numberOfTrailingZeros(granularityBytes);
            if (header.version < 3) {
                throw new BlockException(
                        "%s: version 2 cannot have bitmaps".formatted(image.name()));
            }
            if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES || bitmaps.size() >= MAX_BITMAPS) {
                throw new BlockException(
                        "%s: a bitmap's name has 1 to 1023 bytes".formatted(image.name()));
            }
            if (Long.bitCount(granularityBytes) != 1
                    || bits < MIN_GRANULARITY_BITS
                    || bits > MAX_GRANULARITY_BITS) {
                throw new BlockException(
                        "%s: a granularity is a power of two from 512 to 2G"
                                .formatted(image.name()));
            }
            if (bitmaps.stream().anyMatch(b -> b.name.equals(name))) {
                throw new BlockException(
                        "%s has a bitmap '%s' already".formatted(image.name(), name));
            }
            long count = words(bits, header.sizeBytes);
            if (count * 8 > MAX_MEMORY_BYTES) {
                throw new BlockException(
                        "%s: choose a larger granularity for this disk".formatted(image.name()));
            }
            mark();
            Bitmap bitmap = new Bitmap(name, bits, FLAG_AUTO, new byte[0]);
            bitmap.words = new long[(int) count];
            bitmaps.add(bitmap);
            recording = true;
        } finally {
            image.meta.lock.unlock();
        }
    }

    public void remove(String name) {
        image.meta.lock.lock();
        try {
            Bitmap bitmap = named(name);
            mark();
            drop(bitmap);
            bitmaps.remove(bitmap);
            recording = bitmaps.stream().anyMatch(Bitmap::isRecording);
        } finally {
            image.meta.lock.unlock();
        }
    }

    public void clear(String name) {
        image.meta.lock.lock();
        try {
            long[] words = usable(named(name));
            mark();
            Arrays.fill(words, 0);
        } finally {
            image.meta.lock.unlock();
        }
    }

    /** Whether writes are to be noted from now on. */
    public void record(String name, boolean on) {
        image.meta.lock.lock();
        try {
            Bitmap bitmap = named(name);
            usable(bitmap);
            mark();
            bitmap.flags = on ? bitmap.flags | FLAG_AUTO : bitmap.flags & ~FLAG_AUTO;
            recording = bitmaps.stream().anyMatch(Bitmap::isRecording);
        } finally {
            image.meta.lock.unlock();
        }
    }

    /** Adds what another bitmap, here or in another image of this size, has noted. */
    public void merge(String name, LiveBitmaps from, String source) {
        List<long[]> ranges = from.dirty(source);
        image.meta.lock.lock();
        try {
            Bitmap bitmap = named(name);
            long[] words = usable(bitmap);
            mark();
            for (long[] range : ranges) {
                long end = Math.min(range[0] + range[1], header.sizeBytes);
                if (range[0] < end) {
                    long last = (end - 1) >>> bitmap.granularityBits;
                    set(words, range[0] >>> bitmap.granularityBits, last + 1);
                }
            }
        } finally {
            image.meta.lock.unlock();
        }
    }

    /** What a bitmap has noted: pairs of offset and length in bytes, in order. */
    public List<long[]> dirty(String name) {
        image.meta.lock.lock();
        try {
            Bitmap bitmap = named(name);
            long[] words = usable(bitmap);
            List<long[]> ranges = new ArrayList<>();
            long bits = words.length * 64L;
            for (long bit = next(words, 0, true); bit < bits; ) {
                long end = next(words, bit, false);
                long offset = bit << bitmap.granularityBits;
                long length = Math.min(end << bitmap.granularityBits, header.sizeBytes) - offset;
                ranges.add(new long[] {offset, length});
                bit = next(words, end, true);
            }
            return ranges;
        } finally {
            image.meta.lock.unlock();
        }
    }

    /**
     * How many bytes from {@code offset} on a bitmap says the same of: a positive number for those
     * that it has noted, a negative one for the others. At most {@code max}.
     */
    public long run(String name, long offset, long max) {
        image.meta.lock.lock();
        try {
            Bitmap bitmap = named(name);
            long[] words = usable(bitmap);
            long bit = offset >>> bitmap.granularityBits;
            boolean set = (words[(int) (bit >>> 6)] >>> bit & 1) != 0;
            long end = next(words, bit, !set) << bitmap.granularityBits;
            long length = Math.min(max, end - offset);
            return set ? length : -length;
        } finally {
            image.meta.lock.unlock();
        }
    }

    private static long next(long[] words, long from, boolean set) {
        for (long bit = from; bit < words.length * 64L; ) {
            long word = set ? words[(int) (bit >>> 6)] : ~words[(int) (bit >>> 6)];
            word >>>= bit & 63;
            if (word != 0) {
                return bit + Long.numberOfTrailingZeros(word);
            }
            bit = (bit | 63) + 1;
        }
        return words.length * 64L;
    }

    private Bitmap named(String name) {
        return bitmaps.stream()
                .filter(b -> b.name.equals(name))
                .findFirst()
                .orElseThrow(() ->
                        new BlockException("%s has no bitmap '%s'".formatted(image.name(), name)));
    }

    private long[] usable(Bitmap bitmap) {
        long[] words = bitmap.words;
        if (words == null) {
            throw new BlockException(
                    "%s: bitmap '%s' is inconsistent, it can only be removed"
                            .formatted(image.name(), bitmap.name));
        }
        return words;
    }

    /** Sees where a bitmap lies in the file. */
    interface TableVisitor {
        void visit(String name, long offset, long[] entries);
    }

    void tables(TableVisitor visitor) {
        for (Bitmap bitmap : bitmaps) {
            if (bitmap.tableSize > 0) {
                checkTable(bitmap);
                visitor.visit(
                        bitmap.name,
                        bitmap.tableOffset,
                        image.meta.readL1(bitmap.tableOffset, bitmap.tableSize));
            }
        }
    }

    // ---- storing ----------------------------------------------------------------------------

    private void drop(Bitmap bitmap) {
        if (bitmap.tableOffset <= 0 || bitmap.tableSize <= 0) {
            return;
        }
        checkTable(bitmap);
        for (long entry : image.meta.readL1(bitmap.tableOffset, bitmap.tableSize)) {
            if ((entry & OFFSET) != 0) {
                image.meta.dropClusters((entry & OFFSET) >>> header.clusterBits, 1);
            }
        }
        long clusters = (bitmap.tableSize * 8L + header.clusterBytes() - 1) >>> header.clusterBits;
        image.meta.dropClusters(bitmap.tableOffset >>> header.clusterBits, clusters);
        bitmap.tableOffset = 0;
        bitmap.tableSize = 0;
    }

    /** Writes all bitmaps anew, then the header that leads to them (invariant 4). Alone. */
    void store() {
        if (!changed) {
            return;
        }
        Optional<byte[]> old = header.extension(EXTENSION_BITMAPS);
        image.meta.lock.lock();
        try {
            for (Bitmap bitmap : bitmaps) {
                long[] words = bitmap.words;
                if (words != null) {
                    drop(bitmap);
                    write(bitmap, words);
                    bitmap.flags &= ~FLAG_IN_USE;
                }
            }
            byte[] extension = new byte[0];
            if (!bitmaps.isEmpty()) {
                byte[] directory = directory();
                long at = image.meta.writeNewTable(directory);
                extension =
                        ByteBuffer.allocate(ENTRY_BYTES)
                                .putInt(bitmaps.size())
                                .putInt(0)
                                .putLong(directory.length)
                                .putLong(at)
                                .array();
            }
            header.setExtension(EXTENSION_BITMAPS, extension);
            // Optional; without it the header mostly fits one sector, which is written at once.
            header.setExtension(EXTENSION_FEATURES, new byte[0]);
        } finally {
            image.meta.lock.unlock();
        }
        image.meta.commit(true);
        image.meta.lock.lock();
        try {
            header.autoclear =
                    bitmaps.isEmpty()
                            ? header.autoclear & ~AUTOCLEAR_BITMAPS
                            : header.autoclear | AUTOCLEAR_BITMAPS;
            image.meta.writeHeader();
            image.file.flush();
            old.ifPresent(this::dropDirectory);
        } finally {
            image.meta.lock.unlock();
        }
        changed = false;
        marked = false;
    }

    private void dropDirectory(byte[] extension) {
        ByteBuffer in = ByteBuffer.wrap(extension);
        if (in.capacity() >= ENTRY_BYTES && in.getLong(16) > 0) {
            long clusters = (in.getLong(8) + header.clusterBytes() - 1) >>> header.clusterBits;
            image.meta.dropClusters(in.getLong(16) >>> header.clusterBits, clusters);
        }
    }

    private void write(Bitmap bitmap, long[] words) {
        int count = neededClusters(bitmap);
        long[] table = new long[count];
        ByteBuffer bytes = ByteBuffer.allocate(words.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(words);
        for (int i = 0; i < count; i++) {
            int from = i << header.clusterBits;
            byte[] cluster =
                    Arrays.copyOfRange(
                            bytes.array(),
                            from,
                            Math.min(bytes.capacity(), from + header.clusterBytes()));
            boolean empty = true;
            for (byte each : cluster) {
                empty &= each == 0;
            }
            if (!empty) {
                table[i] = image.meta.writeNewTable(cluster);
            }
        }
        bitmap.tableSize = count;
        bitmap.tableOffset = count == 0 ? 0 : image.meta.writeNewTable(Qcow2Metadata.bytes(table));
    }

    private byte[] directory() {
        int size = 0;
        for (Bitmap bitmap : bitmaps) {
            int name = bitmap.name.getBytes(StandardCharsets.UTF_8).length;
            size += (ENTRY_BYTES + bitmap.extra.length + name + 7) & -8;
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        for (Bitmap bitmap : bitmaps) {
            byte[] name = bitmap.name.getBytes(StandardCharsets.UTF_8);
            out.putLong(bitmap.tableOffset).putInt(bitmap.tableSize).putInt(bitmap.flags);
            out.put((byte) TYPE_DIRTY_TRACKING).put((byte) bitmap.granularityBits);
            out.putShort((short) name.length).putInt(bitmap.extra.length);
            out.put(bitmap.extra).put(name);
            out.position((out.position() + 7) & -8);
        }
        return out.array();
    }
}
