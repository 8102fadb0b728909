package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ImageLayers;
import dev.javisor.block.qcow2.Qcow2Image;
import dev.javisor.block.qcow2.Qcow2Info;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image commit}. */
@Command(
        name = "commit",
        description = {"Writes what an overlay has changed into its backing file."},
        footer = {"", "Examples:", "  javisor image commit --follow-backing overlay.qcow2"})
final class CommitCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(names = "-d", description = "Leaves the overlay as it is, instead of emptying it")
    private boolean keep;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    CommitCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!following.follow) {
            throw new BlockException(
                    "%s: this writes into the file that the image names: say --follow-backing if you trust it"
                            .formatted(file));
        }
        try (Qcow2Image top =
                Sources.openQcow2(file, format, keep, new DiskFiles.References.LeftOut())) {
            Qcow2Info info = top.info();
            if (info.backingFile().isEmpty()) {
                throw new BlockException("%s has no backing file".formatted(file));
            }
            DiskFormat underFormat =
                    DiskFormat.of(info.backingFormat())
                            .orElseThrow(() ->
                                    new BlockException(
                                            "%s does not say its backing file's format"
                                                    .formatted(file)));
            try (DiskImage under =
                    DiskFiles.open(
                            DiskFiles.resolve(file, info.backingFile()),
                            underFormat,
                            false,
                            new DiskFiles.References.Followed())) {
                console.withProgress(
                        "committing",
                        common.showsProgress(console),
                        progress -> ImageLayers.commit(top, under, progress));
            }
            if (!keep) {
                top.empty();
            }
        }
        if (!common.quiet) {
            console.line("Image committed.");
        }
        return 0;
    }
}
