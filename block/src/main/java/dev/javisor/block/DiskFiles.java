package dev.javisor.block;

import dev.javisor.block.foreign.ForeignImage;
import dev.javisor.block.qcow2.Qcow2Files;
import dev.javisor.block.qcow2.Qcow2Info;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Opens disks in files. The policy, which keeps what a guest or a stranger wrote into an image from
 * reaching other files of the host:
 *
 * <ul>
 *   <li>A format is named, or follows from the file's extension; never from its content. A raw disk
 *       whose content looks like another format is opened for writing only if raw was named: a
 *       guest may have written that, so that the next tool which guesses would believe it.
 *   <li>A backing file or data file that an image's header refers to is opened only if the caller
 *       names it or allows it; its format is the one that the header or the caller names.
 * </ul>
 */
public final class DiskFiles {
    /** Longest chain of images. */
    private static final int MAX_CHAIN = 64;

    private static final int PROBE_BYTES = 512;
    private static final Pattern PROTOCOL = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]*:.*");

    /** What an image may refer to. */
    public sealed interface References {
        /** Nothing: an image that refers to another is an error. */
        record Refused() implements References {}

        /** Nothing, but the image opens: reading what lies there, and what needs it, fails. */
        record LeftOut() implements References {}

        /** Whatever the headers say, for images that are trusted. */
        record Followed() implements References {}

        /** What the caller names instead of what the header says; further ones are followed. */
        record Named(Path backing, DiskFormat format) implements References {}
    }

    private DiskFiles() {}

    /**
     * The format of a file, as its name tells.
     *
     * @throws BlockException if it does not
     */
    public static DiskFormat formatByName(Path path) {
        return DiskFormat.ofExtension(String.valueOf(path.getFileName()))
                .orElseThrow(() ->
                        new BlockException(
                                "%s: its name does not tell the format: name it (raw, qcow2, ...)"
                                        .formatted(path)));
    }

    /**
     * Opens a disk for a machine: of the format that is named, else that of the file's extension,
     * else raw.
     */
    public static DiskImage openForGuest(
            Path path, Optional<DiskFormat> format, boolean readOnly, References references) {
        DiskFormat meant =
                format.or(() -> DiskFormat.ofExtension(String.valueOf(path.getFileName())))
                        .orElse(DiskFormat.RAW);
        if (meant == DiskFormat.RAW && !readOnly && format.isEmpty()) {
            try (FileStorage storage = FileStorage.open(path, true)) {
                Optional<DiskFormat> looks = looksLike(storage);
                if (looks.isPresent()) {
                    throw new BlockException(
                            "disk %s looks like %s, but is not named so: add format=%s, or format=raw if its bytes are the disk"
                                    .formatted(path, looks.get().id(), looks.get().id()));
                }
            }
        }
        return open(path, meant, readOnly, references);
    }

    public static DiskImage open(
            Path path, DiskFormat format, boolean readOnly, References references) {
        return open(path, format, readOnly, references, Qcow2Files.Repair.WHEN_DIRTY, 0);
    }

    /** As {@link #open}, but leaves a qcow2 image as a crash has left it. */
    public static DiskImage openUnrepaired(
            Path path, DiskFormat format, boolean readOnly, References references) {
        return open(path, format, readOnly, references, Qcow2Files.Repair.NEVER, 0);
    }

    /**
     * Opens an image that was just made, to be filled.
     *
     * @param durable whether flushes do anything; else the host writes when it gets to it
     */
    public static DiskImage openForCopy(
            Path path, DiskFormat format, boolean durable, References references) {
        if (durable) {
            return open(path, format, false, references);
        }
        return open(
                LentStorage.unflushed(FileStorage.open(path, false)),
                path,
                format,
                false,
                references,
                Qcow2Files.Repair.WHEN_DIRTY,
                0);
    }

    private static DiskImage open(
            Path path,
            DiskFormat format,
            boolean readOnly,
            References references,
            Qcow2Files.Repair repair,
            int depth) {
        if (depth >= MAX_CHAIN) {
            throw new BlockException(
                    "%s: the chain of backing files is longer than %d, or a loop"
                            .formatted(path, MAX_CHAIN));
        }
        Storage storage = FileStorage.open(path, readOnly);
        return open(storage, path, format, readOnly, references, repair, depth);
    }

    private static DiskImage open(
            Storage storage,
            Path path,
            DiskFormat format,
            boolean readOnly,
            References references,
            Qcow2Files.Repair repair,
            int depth) {
        return switch (format) {
            case RAW -> new RawImage(storage);
            case QCOW2 ->
                    Qcow2Files.open(
                            storage,
                            readOnly,
                            new HeaderReferences(path, readOnly, references, depth),
                            repair);
            case VMDK, VHD, VHDX, VDI -> {
                if (!readOnly) {
                    storage.close();
                    throw new BlockException(
                            "disk %s: format %s can only be read: attach it read-only, or convert it"
                                    .formatted(path, format.id()));
                }
                yield ForeignImage.open(
                        format, storage, name -> openExtent(path, name, references));
            }
        };
    }

    private static Storage openExtent(Path image, String name, References references) {
        if (!(references instanceof References.Followed)) {
            throw new BlockException(
                    "%s lies in the file '%s', which is only opened if you allow it: --follow-backing, or backing=follow"
                            .formatted(image, printable(name)));
        }
        return FileStorage.open(resolve(image, name), true);
    }

    /**
     * What a raw file's content looks like, for warnings and refusals only.
     *
     * @return empty if it looks like nothing in particular
     */
    public static Optional<DiskFormat> looksLike(Storage storage) {
        byte[] start = new byte[PROBE_BYTES];
        storage.read(0, MemorySegment.ofArray(start));
        ByteBuffer in = ByteBuffer.wrap(start);
        if (in.getInt(0) == 0x514649fb) {
            return Optional.of(DiskFormat.QCOW2);
        }
        if (in.getInt(0) == 0x4b444d56) {
            return Optional.of(DiskFormat.VMDK);
        }
        if (in.getLong(0) == 0x636f6e6563746978L) {
            return Optional.of(DiskFormat.VHD);
        }
        if (in.getLong(0) == 0x7668647866696c65L) {
            return Optional.of(DiskFormat.VHDX);
        }
        if (in.getInt(64) == 0x7f10dabe) {
            return Optional.of(DiskFormat.VDI);
        }
        return Optional.empty();
    }

    /**
     * Where a name in an image's header leads: relative names start at the image's folder.
     *
     * @throws BlockException for what is no plain file
     */
    public static Path resolve(Path image, String name) {
        String plain = name.startsWith("file:") ? name.substring("file:".length()) : name;
        int slash = plain.indexOf('/');
        if (PROTOCOL.matcher(slash < 0 ? plain : plain.substring(0, slash)).matches()
                || plain.isEmpty()
                || plain.indexOf('\0') >= 0) {
            throw new BlockException(
                    "%s refers to '%s', which is no file".formatted(image, printable(name)));
        }
        try {
            Path folder = image.toAbsolutePath().getParent();
            return folder == null ? Path.of(plain) : folder.resolve(plain).normalize();
        } catch (java.nio.file.InvalidPathException e) {
            throw new BlockException(
                    "%s refers to '%s', which is no file".formatted(image, printable(name)), e);
        }
    }

    private static String printable(String text) {
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    private record HeaderReferences(Path image, boolean readOnly, References references, int depth)
            implements Qcow2Files.References {
        @Override
        public DiskImage backing(Qcow2Info info) {
            return switch (references) {
                case References.Refused _ ->
                        throw new BlockException(
                                "%s has the backing file '%s', which is only opened if you allow it: --follow-backing, or backing=follow"
                                        .formatted(image, printable(info.backingFile())));
                case References.LeftOut _ -> new LeftOutImage(image, info.backingFile());
                case References.Followed _ -> follow(info);
                case References.Named named ->
                        openBacking(named.backing(), named.format(), new References.Followed());
            };
        }

        private DiskImage follow(Qcow2Info info) {
            DiskFormat format =
                    DiskFormat.of(info.backingFormat())
                            .orElseThrow(() ->
                                    new BlockException(
                                            "%s does not say the format of its backing file '%s' (%s): name both, or say it with 'javisor image rebase -u'"
                                                    .formatted(
                                                            image,
                                                            printable(info.backingFile()),
                                                            printable(info.backingFormat()))));
            return openBacking(resolve(image, info.backingFile()), format, references);
        }

        private DiskImage openBacking(Path path, DiskFormat format, References next) {
            return open(path, format, true, next, Qcow2Files.Repair.NEVER, depth + 1);
        }

        @Override
        public Storage dataFile(Qcow2Info info) {
            if (references instanceof References.LeftOut) {
                return new LeftOutStorage(image, info.dataFile());
            }
            if (references instanceof References.Refused) {
                throw new BlockException(
                        "%s has the data file '%s', which is only opened if you allow it: --follow-backing, or backing=follow"
                                .formatted(image, printable(info.dataFile())));
            }
            return FileStorage.open(resolve(image, info.dataFile()), readOnly);
        }
    }

    /** Stands for a backing file that is not opened. */
    private record LeftOutImage(Path image, String file) implements DiskImage {
        private BlockException refusal() {
            return new BlockException(
                    "%s: this needs its backing file '%s', which is only opened if you allow it: --follow-backing"
                            .formatted(image, printable(file)));
        }

        @Override
        public DiskFormat format() {
            return DiskFormat.RAW;
        }

        @Override
        public String name() {
            return file;
        }

        @Override
        public long sizeBytes() {
            return Long.MAX_VALUE;
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
            throw refusal();
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
        public Extent extent(long offset, long maxBytes) {
            throw refusal();
        }

        @Override
        public void close() {}
    }

    /** Stands for a data file that is not opened. */
    private record LeftOutStorage(Path image, String file) implements Storage {
        private BlockException refusal() {
            return new BlockException(
                    "%s: this needs its data file '%s', which is only opened if you allow it: --follow-backing"
                            .formatted(image, printable(file)));
        }

        @Override
        public String name() {
            return file;
        }

        @Override
        public long sizeBytes() {
            return 0;
        }

        @Override
        public boolean isReadOnly() {
            return true;
        }

        @Override
        public void read(long offset, MemorySegment into) {
            throw refusal();
        }

        @Override
        public void write(long offset, MemorySegment from) {
            throw refusal();
        }

        @Override
        public void resize(long sizeBytes) {
            throw refusal();
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }
}
