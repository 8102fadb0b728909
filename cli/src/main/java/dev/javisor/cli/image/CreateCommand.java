package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image create}. */
@Command(
        name = "create",
        description = {"Makes an image."},
        footer = {
            "",
            "Examples:",
            "  javisor image create vm.qcow2 20G",
            "  javisor image create -f raw disk 1G",
            "  javisor image create -b base.qcow2 -F qcow2 overlay.qcow2",
            "  javisor image create -o cluster_size=2M,extended_l2=on vm.qcow2 1T"
        })
final class CreateCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "raw or qcow2; default: what the file's name says, else raw")
    private @Nullable DiskFormat format;

    @Option(
            names = "-o",
            paramLabel = "KEY=VALUE,...",
            description =
                    "compat, cluster_size, refcount_bits, lazy_refcounts, extended_l2,"
                            + " compression_type, data_file, data_file_raw, preallocation")
    private List<String> settings = List.of();

    @Option(names = "-b", paramLabel = "FILE", description = "The backing file")
    private @Nullable String backing;

    @Option(names = "-F", paramLabel = "FORMAT", description = "The backing file's format")
    private @Nullable String backingFormat;

    @Option(names = "-u", description = "Does not look at the backing file; SIZE must be given")
    private boolean unsafe;

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Of the disk, such as 20G; default: that of the backing file")
    private @Nullable Long size;

    CreateCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        NewImage image =
                NewImage.of(file, Optional.ofNullable(format), settings, backing, backingFormat);
        long bytes = (sizeOf(image) + 511) & -512;
        image.create(bytes, true);
        if (!common.quiet) {
            console.line("Made %s, %s, %d bytes", file, image.format().id(), bytes);
        }
        return 0;
    }

    private long sizeOf(NewImage image) {
        Long given = size == null ? image.size().orElse(null) : size;
        if (given != null && (unsafe || image.backing().isEmpty())) {
            return given;
        }
        if (unsafe || image.backing().isEmpty()) {
            throw new BlockException("how large? give a size, such as 20G");
        }
        try (DiskImage under = image.openBacking().orElseThrow()) {
            return given == null ? under.sizeBytes() : given;
        }
    }
}
