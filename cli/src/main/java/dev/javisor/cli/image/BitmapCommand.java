package dev.javisor.cli.image;

import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.qcow2.LiveBitmaps;
import dev.javisor.block.qcow2.Qcow2Image;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image bitmap}. */
@Command(
        name = "bitmap",
        description = {"Changes the dirty bitmaps of a qcow2 image."},
        footer = {
            "",
            "Examples:",
            "  javisor image bitmap --add vm.qcow2 backup0",
            "  javisor image bitmap --merge backup0 vm.qcow2 backup1"
        })
final class BitmapCommand implements Callable<Integer> {
    @Mixin Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    /** At least one; done in the order of this list. */
    static final class Actions {
        @Option(names = "--add", description = "Adds one, which records from now on")
        boolean add;

        @Option(names = "--remove", description = "Removes it")
        boolean remove;

        @Option(names = "--clear", description = "Forgets what it has recorded")
        boolean clear;

        @Option(names = "--enable", description = "Lets it record")
        boolean enable;

        @Option(names = "--disable", description = "Lets it record no more")
        boolean disable;

        @Option(names = "--merge", paramLabel = "BITMAP", description = "Adds what another has")
        List<String> merge = List.of();
    }

    @ArgGroup(exclusive = false, multiplicity = "1")
    private Actions actions = new Actions();

    @Option(
            names = "-g",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Bytes of the disk for each bit; default: 64K")
    private long granularity = 1 << 16;

    @Option(names = "-b", paramLabel = "FILE", description = "The image that --merge reads from")
    private @Nullable Path source;

    @Option(
            names = "-F",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "Its format")
    private @Nullable DiskFormat sourceFormat;

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    @Parameters(index = "1", paramLabel = "BITMAP", description = "Its name")
    private String bitmap = "";

    @Override
    public Integer call() {
        try (Qcow2Image image =
                Sources.openQcow2(file, format, false, new DiskFiles.References.LeftOut())) {
            LiveBitmaps bitmaps = image.bitmaps();
            if (actions.add) {
                bitmaps.add(bitmap, granularity);
                if (actions.disable) {
                    bitmaps.record(bitmap, false);
                }
            }
            if (actions.clear) {
                bitmaps.clear(bitmap);
            }
            if (actions.enable) {
                bitmaps.record(bitmap, true);
            }
            if (actions.disable && !actions.add) {
                bitmaps.record(bitmap, false);
            }
            merge(bitmaps);
            if (actions.remove) {
                bitmaps.remove(bitmap);
            }
        }
        return 0;
    }

    private void merge(LiveBitmaps bitmaps) {
        if (source == null) {
            actions.merge.forEach(each -> bitmaps.merge(bitmap, bitmaps, each));
            return;
        }
        try (Qcow2Image other =
                Sources.openQcow2(source, sourceFormat, true, new DiskFiles.References.LeftOut())) {
            actions.merge.forEach(each -> bitmaps.merge(bitmap, other.bitmaps(), each));
        }
    }
}
