package dev.javisor.block.foreign;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.Extent;
import dev.javisor.block.IoBuffers;
import dev.javisor.block.Storage;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;

/** A disk in a format that we only read. */
public final class ForeignImage implements DiskImage {
    private final DiskFormat format;
    private final Storage file;
    private final Layout layout;

    private ForeignImage(DiskFormat format, Storage file, Layout layout) {
        this.format = format;
        this.file = file;
        this.layout = layout;
    }

    /** Opens the other files that a VMDK descriptor names. */
    @FunctionalInterface
    public interface Extents {
        Storage open(String name);
    }

    /**
     * Opens an image for reading.
     *
     * @param file closed with the image, also when this fails
     * @throws BlockException if it is none that can be read, saying why in one line
     */
    public static DiskImage open(DiskFormat format, Storage file, Extents extents) {
        boolean opened = false;
        try {
            Layout layout =
                    switch (format) {
                        case VMDK -> VmdkLayout.read(file, extents);
                        case VHD -> VhdLayout.read(file);
                        case VHDX -> VhdxLayout.read(file);
                        case VDI -> VdiLayout.read(file);
                        case RAW, QCOW2 ->
                                throw new IllegalArgumentException(format + " is not foreign");
                    };
            opened = true;
            return new ForeignImage(format, file, layout);
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    static BlockException bad(Storage file, DiskFormat format, String what) {
        return new BlockException(
                "%s is not a sound %s image: %s".formatted(file.name(), format.id(), what));
    }

    /** Reads a table of which a file can say how long it is; bounded by what the file has. */
    static byte[] table(
            Storage file, DiskFormat format, String what, long offset, long bytes, long max) {
        long end = file.sizeBytes();
        if (bytes < 0 || bytes > max || offset < 0 || offset > end || bytes > end - offset) {
            throw bad(file, format, "its %s does not lie in the file".formatted(what));
        }
        byte[] table = new byte[(int) bytes];
        file.read(offset, MemorySegment.ofArray(table));
        return table;
    }

    @Override
    public DiskFormat format() {
        return format;
    }

    @Override
    public String name() {
        return file.name();
    }

    @Override
    public long sizeBytes() {
        return layout.sizeBytes();
    }

    @Override
    public boolean isReadOnly() {
        return true;
    }

    @Override
    public Optional<DiskImage> backing() {
        return Optional.empty();
    }

    @Override
    public void read(long offset, IoBuffers into) {
        long size = into.sizeBytes();
        if (offset < 0 || offset > layout.sizeBytes() - size) {
            throw new BlockException("disk %s: %d lies past its end".formatted(name(), offset));
        }
        Place at = new Place();
        for (long done = 0; done < size; done += at.lengthBytes) {
            layout.locate(offset + done, size - done, at);
            switch (at.kind) {
                case DATA ->
                        into.readFrom(
                                Objects.requireNonNull(at.storage),
                                at.hostOffset,
                                done,
                                at.lengthBytes);
                case ZERO, UNALLOCATED -> into.fillZero(done, at.lengthBytes);
                case COMPRESSED -> {
                    byte[] block = layout.decompress(at);
                    int from = (int) ((offset + done) % layout.blockBytes());
                    into.copyFrom(MemorySegment.ofArray(block).asSlice(from, at.lengthBytes), done);
                }
            }
        }
    }

    @Override
    public Extent extent(long offset, long maxBytes) {
        Place at = new Place();
        layout.locate(offset, Math.min(maxBytes, sizeBytes() - offset), at);
        boolean here = at.kind == Extent.Kind.DATA && at.storage == file;
        return new Extent(offset, at.lengthBytes, at.kind, here ? at.hostOffset : -1);
    }

    @Override
    public long allocatedBytes() {
        return file.allocatedBytes();
    }

    private BlockException refusal() {
        return new BlockException(
                "disk %s: format %s can only be read: convert it to qcow2"
                        .formatted(name(), format.id()));
    }

    @Override
    public void write(long offset, IoBuffers from) {
        throw refusal();
    }

    @Override
    public void writeZeroes(long offset, long sizeBytes) {
        throw refusal();
    }

    @Override
    public void discard(long offset, long sizeBytes) {
        throw refusal();
    }

    @Override
    public void flush() {}

    @Override
    public void resize(long sizeBytes) {
        throw refusal();
    }

    @Override
    public void close() {
        try {
            layout.others().forEach(Storage::close);
        } finally {
            file.close();
        }
    }
}
