package dev.javisor.cli.image;

import dev.javisor.base.Sizes;
import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image resize}. */
@Command(
        name = "resize",
        description = {"Changes the size of the disk in an image."},
        footer = {
            "",
            "Examples:",
            "  javisor image resize vm.qcow2 40G",
            "  javisor image resize vm.qcow2 +10G",
            "  javisor image resize --shrink disk.img 1G"
        })
final class ResizeCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(names = "--shrink", description = "Allows to cut off the end of the disk")
    private boolean shrink;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    @Parameters(index = "1", paramLabel = "[+|-]SIZE", description = "New size, or the change")
    private String size = "";

    ResizeCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (DiskImage image = Sources.open(file, format, false, following.orRefused())) {
            long old = image.sizeBytes();
            long bytes = (wanted(old) + 511) & -512;
            if (bytes < old && !shrink) {
                throw new BlockException(
                        "%s: this would cut off the end of the disk: add --shrink if that is meant"
                                .formatted(file));
            }
            image.resize(bytes);
            if (!common.quiet) {
                console.line("Image resized.");
            }
        }
        return 0;
    }

    private long wanted(long old) {
        boolean relative = size.startsWith("+") || size.startsWith("-");
        long number;
        try {
            number = Sizes.parse(relative ? size.substring(1) : size);
        } catch (IllegalArgumentException e) {
            throw new BlockException(String.valueOf(e.getMessage()), e);
        }
        long wanted = !relative ? number : size.startsWith("+") ? old + number : old - number;
        if (wanted <= 0) {
            throw new BlockException("%s: nothing would be left".formatted(file));
        }
        return wanted;
    }
}
