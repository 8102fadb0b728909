package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ImageLayers;
import dev.javisor.block.qcow2.Qcow2Image;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image rebase}. */
@Command(
        name = "rebase",
        description = {
            "Puts another backing file under an image; what the disk reads as stays the same."
        },
        footer = {
            "",
            "Examples:",
            "  javisor image rebase --follow-backing -b new.qcow2 -F qcow2 overlay.qcow2",
            "  javisor image rebase --follow-backing -b '' overlay.qcow2     without a backing"
                    + " file",
            "  javisor image rebase -u -b moved.img -F raw overlay.qcow2     only the name"
        })
final class RebaseCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(
            names = "-b",
            required = true,
            paramLabel = "FILE",
            description = "The new backing file; empty for none")
    private String backing = "";

    @Option(
            names = "-F",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "Its format")
    private @Nullable DiskFormat backingFormat;

    @Option(names = "-u", description = "Only changes the name: the contents are known to agree")
    private boolean unsafe;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    RebaseCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (!backing.isEmpty() && backingFormat == null) {
            throw new BlockException(
                    "name the format of the new backing file with -F: " + DiskFormat.names());
        }
        DiskFiles.References references =
                unsafe ? new DiskFiles.References.LeftOut() : following.orRefused();
        try (Qcow2Image image = Sources.openQcow2(file, format, false, references)) {
            if (!unsafe) {
                copy(image);
            }
            image.renameBacking(
                    backing, backing.isEmpty() || backingFormat == null ? "" : backingFormat.id());
        }
        if (!common.quiet) {
            console.line("Image rebased.");
        }
        return 0;
    }

    private void copy(Qcow2Image image) {
        try (DiskImage next =
                backing.isEmpty() || backingFormat == null
                        ? null
                        : DiskFiles.open(
                                DiskFiles.resolve(file, backing),
                                backingFormat,
                                true,
                                new DiskFiles.References.Followed())) {
            console.withProgress(
                    "rebasing",
                    common.showsProgress(console),
                    progress -> ImageLayers.rebase(image, next, progress));
        }
    }
}
