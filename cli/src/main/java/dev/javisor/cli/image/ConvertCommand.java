package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ImageCopy;
import dev.javisor.block.qcow2.Qcow2Image;
import dev.javisor.block.qcow2.Qcow2Snapshots;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image convert}. */
@Command(
        name = "convert",
        description = {"Copies a disk into a new image of another format."},
        footer = {
            "",
            "Examples:",
            "  javisor image convert disk.img disk.qcow2",
            "  javisor image convert -c -O qcow2 disk.img small.qcow2",
            "  javisor image convert -f qcow2 -O raw --follow-backing overlay.qcow2 flat.img"
        })
final class ConvertCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(
            names = "-O",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The new image's format; default: what its name says, else raw")
    private @Nullable DiskFormat targetFormat;

    @Option(names = "-o", paramLabel = "KEY=VALUE,...", description = "As with 'create'")
    private List<String> settings = List.of();

    @Option(names = "-c", description = "Compresses (qcow2)")
    private boolean compress;

    @Option(
            names = "-S",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Leaves out so many zeroes in a row; 0: nothing. Default: 4K")
    private long sparse = 4096;

    @Option(names = "-m", paramLabel = "COUNT", description = "Threads; default: the processors")
    private int threads;

    @Option(names = "-l", paramLabel = "SNAPSHOT", description = "Copies a snapshot of the image")
    private @Nullable String snapshot;

    @Option(names = "-B", paramLabel = "FILE", description = "The new image's backing file")
    private @Nullable String backing;

    @Option(names = "-F", paramLabel = "FORMAT", description = "The backing file's format")
    private @Nullable String backingFormat;

    @Option(names = "-n", description = "The target exists, and is written over")
    private boolean existing;

    @Option(
            names = "-t",
            paramLabel = "unsafe|writeback",
            description = "writeback: durable when done. Default: unsafe, when the host gets to it")
    private String cache = "unsafe";

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    @Parameters(index = "1", paramLabel = "TARGET", description = "The new image")
    private Path target = Path.of("");

    ConvertCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DiskFiles.References references = following.orRefused();
        try (DiskImage source = Sources.open(file, format, true, references)) {
            if (snapshot == null) {
                convert(source);
            } else if (source instanceof Qcow2Image image) {
                convert(new Qcow2Snapshots(image).view(snapshot));
            } else {
                throw new BlockException("%s has no snapshots".formatted(file));
            }
        }
        return 0;
    }

    private void convert(DiskImage source) {
        if (sparse < 0 || sparse > 1 << 30 || sparse % 512 != 0) {
            throw new BlockException("-S is a multiple of 512");
        }
        NewImage image =
                NewImage.of(
                        target,
                        Optional.ofNullable(targetFormat),
                        settings,
                        backing,
                        backingFormat);
        boolean durable = cache.equals("writeback");
        if (!existing) {
            image.create(source.sizeBytes(), durable);
        }
        try (DiskImage under = image.openBacking().orElse(null);
                DiskImage made =
                        DiskFiles.openForCopy(
                                target,
                                image.format(),
                                durable,
                                new DiskFiles.References.Followed())) {
            ImageCopy plain = ImageCopy.of(source, made);
            ImageCopy copy =
                    new ImageCopy(
                            source,
                            made,
                            existing ? 0 : (int) sparse,
                            compress,
                            threads > 0 ? threads : plain.threads(),
                            under == null ? null : common(source),
                            under != null);
            console.withProgress(
                    "converting", common.showsProgress(console), progress -> copy.run(progress));
            if (durable) {
                made.flush();
            }
        }
    }

    /** What lies under the source, if the target is to have it too. */
    private static @Nullable DiskImage common(DiskImage source) {
        return source.backing().orElse(null);
    }
}
