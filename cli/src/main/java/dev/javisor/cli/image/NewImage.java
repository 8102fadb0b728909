package dev.javisor.cli.image;

import dev.javisor.base.Sizes;
import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.FileStorage;
import dev.javisor.block.LentStorage;
import dev.javisor.block.qcow2.Qcow2Image;
import dev.javisor.block.qcow2.Qcow2Spec;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An image to be made, as the options of {@code create} and {@code convert} say.
 *
 * @param settings of {@code -o}, with QEMU's names
 */
record NewImage(Path file, DiskFormat format, Map<String, String> settings) {
    private static final List<String> KNOWN =
            List.of(
                    "compat",
                    "cluster_size",
                    "refcount_bits",
                    "lazy_refcounts",
                    "extended_l2",
                    "compression_type",
                    "backing_file",
                    "backing_fmt",
                    "data_file",
                    "data_file_raw",
                    "preallocation",
                    "size");

    static NewImage of(
            Path file,
            Optional<DiskFormat> format,
            List<String> options,
            @Nullable String backing,
            @Nullable String backingFormat) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String list : options) {
            for (String each : list.split(",", -1)) {
                int equals = each.indexOf('=');
                String key = equals < 0 ? each : each.substring(0, equals);
                if (!KNOWN.contains(key)) {
                    throw new BlockException(
                            "-o %s is not known: there are %s"
                                    .formatted(key, String.join(", ", KNOWN)));
                }
                settings.put(key, equals < 0 ? "on" : each.substring(equals + 1));
            }
        }
        if (backing != null) {
            settings.put("backing_file", backing);
        }
        if (backingFormat != null) {
            settings.put("backing_fmt", backingFormat);
        }
        DiskFormat meant =
                format.or(() -> DiskFormat.ofExtension(String.valueOf(file.getFileName())))
                        .orElse(DiskFormat.RAW);
        if (meant != DiskFormat.RAW && meant != DiskFormat.QCOW2) {
            throw new BlockException(
                    "%s: images can be made as raw and qcow2 only, not as %s"
                            .formatted(file, meant.id()));
        }
        return new NewImage(file, meant, settings);
    }

    Optional<String> backing() {
        return Optional.ofNullable(settings.get("backing_file")).filter(b -> !b.isEmpty());
    }

    Optional<Long> size() {
        return Optional.ofNullable(settings.get("size")).map(s -> number("size", s));
    }

    /** Opens what will lie under the image. */
    Optional<DiskImage> openBacking() {
        return backing()
                .map(name -> {
                    Path path = DiskFiles.resolve(file, name);
                    DiskFormat backingFormat =
                            DiskFormat.of(settings.getOrDefault("backing_fmt", ""))
                                    .orElseThrow(() ->
                                            new BlockException(
                                                    "name the format of the backing file with -F: %s"
                                                            .formatted(DiskFormat.names())));
                    return DiskFiles.open(
                            path, backingFormat, true, new DiskFiles.References.Followed());
                });
    }

    /**
     * Makes the file, with all of the disk reading as zeroes or as its backing file.
     *
     * @param durable else the host writes it when it gets to it
     */
    void create(long sizeBytes, boolean durable) {
        if (format == DiskFormat.RAW) {
            createRaw(sizeBytes);
        } else {
            createQcow2(sizeBytes, durable);
        }
    }

    private void createRaw(long sizeBytes) {
        if (backing().isPresent()) {
            throw new BlockException("a raw image cannot have a backing file");
        }
        String preallocation = settings.getOrDefault("preallocation", "off");
        try (FileStorage storage = FileStorage.create(file)) {
            storage.resize(sizeBytes);
            if (preallocation.equals("full") || preallocation.equals("falloc")) {
                storage.zero(0, sizeBytes);
            }
        }
    }

    private void createQcow2(long sizeBytes, boolean durable) {
        String dataFile = settings.getOrDefault("data_file", "");
        String preallocation = settings.getOrDefault("preallocation", "off");
        Qcow2Spec spec =
                new Qcow2Spec(
                        sizeBytes,
                        version(),
                        (int) number("cluster_size", settings.getOrDefault("cluster_size", "64K")),
                        (int) number("refcount_bits", settings.getOrDefault("refcount_bits", "16")),
                        isOn("lazy_refcounts"),
                        isOn("extended_l2"),
                        settings.getOrDefault("compression_type", "zlib"),
                        settings.getOrDefault("backing_file", ""),
                        settings.getOrDefault("backing_fmt", ""),
                        dataFile,
                        isOn("data_file_raw"));
        try (FileStorage storage = FileStorage.create(file);
                FileStorage data =
                        dataFile.isEmpty()
                                ? null
                                : FileStorage.create(DiskFiles.resolve(file, dataFile))) {
            if (data != null) {
                data.resize(sizeBytes);
            }
            spec.create(durable ? storage : LentStorage.unflushed(storage), data);
        }
        if (preallocation.equals("off")) {
            return;
        }
        if (backing().isPresent()) {
            throw new BlockException("preallocation and a backing file exclude each other");
        }
        try (DiskImage image =
                DiskFiles.open(
                        file, DiskFormat.QCOW2, false, new DiskFiles.References.Followed())) {
            switch (preallocation) {
                case "metadata" -> ((Qcow2Image) image).preallocate();
                case "falloc", "full" -> {
                    ((Qcow2Image) image).preallocate();
                    fill(image, sizeBytes);
                }
                default ->
                        throw new BlockException(
                                "preallocation is off, metadata, falloc or full, not "
                                        + preallocation);
            }
        }
    }

    private static void fill(DiskImage image, long sizeBytes) {
        byte[] zeroes = new byte[1 << 20];
        for (long at = 0; at < sizeBytes; at += zeroes.length) {
            int n = (int) Math.min(zeroes.length, sizeBytes - at);
            image.write(
                    at,
                    new dev.javisor.block.IoBuffers(
                            java.lang.foreign.MemorySegment.ofArray(zeroes).asSlice(0, n)));
        }
    }

    private int version() {
        String compat = settings.getOrDefault("compat", "1.1");
        return switch (compat) {
            case "0.10", "v2" -> 2;
            case "1.1", "v3" -> 3;
            default -> throw new BlockException("compat is 0.10 or 1.1, not " + compat);
        };
    }

    private boolean isOn(String key) {
        String value = settings.getOrDefault(key, "off");
        return switch (value) {
            case "on", "true", "yes" -> true;
            case "off", "false", "no" -> false;
            default -> throw new BlockException("%s is on or off, not %s".formatted(key, value));
        };
    }

    private static long number(String key, String value) {
        try {
            return Sizes.parse(value);
        } catch (IllegalArgumentException e) {
            throw new BlockException("%s: %s".formatted(key, e.getMessage()), e);
        }
    }
}
