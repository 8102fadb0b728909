package dev.javisor.block.foreign;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.Storage;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * VMware Virtual Disk Format 5.0: a sparse file with its descriptor inside, or a descriptor that
 * names files, flat or sparse.
 */
final class VmdkLayout implements Layout {
    static final int SECTOR = 512;
    private static final int MAX_DESCRIPTOR_BYTES = 1 << 20;
    private static final int MAX_EXTENTS = 1024;
    private static final Pattern EXTENT =
            Pattern.compile(
                    "(?m)^\\s*(RW|RDONLY|NOACCESS)\\s+(\\d{1,15})\\s+(FLAT|SPARSE|ZERO|VMFS|VMFSSPARSE|\\w+)"
                            + "(?:\\s+\"([^\"]*)\")?(?:\\s+(\\d{1,15}))?\\s*$");
    private static final Pattern PARENT =
            Pattern.compile("(?mi)^\\s*parentCID\\s*=\\s*([0-9a-f]+)\\s*$");

    /** A part of the disk: flat if it has no sparse map, zero if it has no storage either. */
    private record Part(
            long start,
            long sizeBytes,
            List<Storage> flat,
            long flatOffset,
            List<VmdkSparse> sparse) {}

    private final List<Part> parts = new ArrayList<>();
    private final List<Storage> others = new ArrayList<>();
    private long sizeBytes;

    private VmdkLayout() {}

    static VmdkLayout read(Storage file, ForeignImage.Extents extents) {
        VmdkLayout layout = new VmdkLayout();
        boolean read = false;
        try {
            if (VmdkSparse.is(file)) {
                VmdkSparse sparse = VmdkSparse.read(file);
                checkParent(file, sparse.descriptor());
                layout.add(new Part(0, sparse.sizeBytes(), List.of(), 0, List.of(sparse)));
            } else {
                layout.readDescriptor(file, extents);
            }
            read = true;
            return layout;
        } finally {
            if (!read) {
                layout.others.forEach(Storage::close);
            }
        }
    }

    private void add(Part part) {
        parts.add(part);
        sizeBytes += part.sizeBytes;
    }

    private static void checkParent(Storage file, String descriptor) {
        Matcher parent = PARENT.matcher(descriptor);
        if (parent.find() && !parent.group(1).equalsIgnoreCase("ffffffff")) {
            throw ForeignImage.bad(file, DiskFormat.VMDK, "it needs a parent image");
        }
    }

    private void readDescriptor(Storage file, ForeignImage.Extents extents) {
        long length = file.sizeBytes();
        if (length > MAX_DESCRIPTOR_BYTES) {
            throw ForeignImage.bad(file, DiskFormat.VMDK, "neither a sparse file nor a descriptor");
        }
        String text =
                new String(
                        ForeignImage.table(
                                file,
                                DiskFormat.VMDK,
                                "descriptor",
                                0,
                                length,
                                MAX_DESCRIPTOR_BYTES),
                        StandardCharsets.UTF_8);
        if (!text.contains("# Disk DescriptorFile")) {
            throw ForeignImage.bad(file, DiskFormat.VMDK, "neither a sparse file nor a descriptor");
        }
        checkParent(file, text);
        Matcher line = EXTENT.matcher(text);
        while (line.find()) {
            if (parts.size() >= MAX_EXTENTS) {
                throw ForeignImage.bad(file, DiskFormat.VMDK, "too many extents");
            }
            long bytes = Long.parseLong(line.group(2)) * SECTOR;
            add(part(file, line, bytes, extents));
        }
        if (parts.isEmpty()) {
            throw ForeignImage.bad(file, DiskFormat.VMDK, "a descriptor without extents");
        }
    }

    private Part part(Storage file, Matcher line, long bytes, ForeignImage.Extents extents) {
        String kind = line.group(3);
        if (kind.equals("ZERO")) {
            return new Part(sizeBytes, bytes, List.of(), 0, List.of());
        }
        String name = line.group(4);
        boolean flat = kind.equals("FLAT") || kind.equals("VMFS");
        if (name == null || !flat && !kind.equals("SPARSE")) {
            throw ForeignImage.bad(file, DiskFormat.VMDK, "an extent of kind " + kind);
        }
        Storage other = extents.open(name);
        others.add(other);
        if (flat) {
            String at = line.group(5);
            long offset = at == null ? 0 : Long.parseLong(at) * SECTOR;
            return new Part(sizeBytes, bytes, List.of(other), offset, List.of());
        }
        VmdkSparse sparse = VmdkSparse.read(other);
        if (sparse.sizeBytes() < bytes) {
            throw ForeignImage.bad(
                    other, DiskFormat.VMDK, "it is smaller than its descriptor says");
        }
        return new Part(sizeBytes, bytes, List.of(), 0, List.of(sparse));
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    private Part partAt(long offset) {
        for (Part part : parts) {
            if (offset < part.start + part.sizeBytes) {
                return part;
            }
        }
        throw new BlockException("an offset past the end: " + offset);
    }

    @Override
    public void locate(long offset, long max, Place out) {
        Part part = partAt(offset);
        long in = offset - part.start;
        long length = Math.min(max, part.sizeBytes - in);
        if (!part.sparse.isEmpty()) {
            part.sparse.getFirst().locate(in, length, out);
        } else if (!part.flat.isEmpty()) {
            out.data(part.flat.getFirst(), part.flatOffset + in, length);
        } else {
            out.zero(length);
        }
    }

    @Override
    public byte[] decompress(Place place) {
        for (Part part : parts) {
            if (!part.sparse.isEmpty() && part.sparse.getFirst().file() == place.storage) {
                return part.sparse.getFirst().decompress(place.hostOffset);
            }
        }
        throw new IllegalStateException("a place in none of the files");
    }

    /** Only one part can be compressed: the whole disk of a stream-optimised file. */
    @Override
    public int blockBytes() {
        return parts.getFirst().sparse.isEmpty()
                ? 1
                : parts.getFirst().sparse.getFirst().grainBytes();
    }

    @Override
    public List<Storage> others() {
        return others;
    }
}
