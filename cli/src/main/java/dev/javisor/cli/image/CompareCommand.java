package dev.javisor.cli.image;

import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ImageCompare;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image compare}. */
@Command(
        name = "compare",
        description = {
            "Compares what two disks read as.",
            "Status: 0 if equal, 1 if not, 2 and more for errors."
        },
        footer = {"", "Examples:", "  javisor image compare -F raw disk.qcow2 disk.img"})
final class CompareCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(
            names = "-F",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The second image's format")
    private @Nullable DiskFormat secondFormat;

    @Option(names = "-s", description = "Sizes and allocation must agree as well")
    private boolean strict;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE1", description = "The one")
    private Path first = Path.of("");

    @Parameters(index = "1", paramLabel = "FILE2", description = "The other")
    private Path second = Path.of("");

    CompareCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (DiskImage one = Sources.open(first, format, true, following.orRefused());
                DiskImage two = Sources.open(second, secondFormat, true, following.orRefused())) {
            ImageCompare.Outcome[] outcome = new ImageCompare.Outcome[1];
            console.withProgress(
                    "comparing",
                    common.showsProgress(console),
                    progress -> outcome[0] = ImageCompare.compare(one, two, strict, progress));
            return report(outcome[0]);
        }
    }

    private int report(ImageCompare.Outcome outcome) {
        String line =
                switch (outcome) {
                    case ImageCompare.Outcome.Identical identical ->
                            identical.sizesDiffer()
                                    ? "Images are identical but for zeroes at the end of the"
                                            + " longer."
                                    : "Images are identical.";
                    case ImageCompare.Outcome.ContentsDiffer differ ->
                            "Content mismatch at offset %d!".formatted(differ.offset());
                    case ImageCompare.Outcome.SizesDiffer _ -> "Strict mode: Image size mismatch!";
                    case ImageCompare.Outcome.AllocationDiffers differ ->
                            "Strict mode: Offset %d block status mismatch!"
                                    .formatted(differ.offset());
                };
        if (!common.quiet) {
            console.line("%s", line);
        }
        return outcome instanceof ImageCompare.Outcome.Identical ? 0 : 1;
    }
}
