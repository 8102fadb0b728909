package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.ImageBackend;
import dev.javisor.block.image.ImageBench;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image bench}. */
@Command(
        name = "bench",
        description = {"Measures reads or writes of a disk, many in flight."},
        footer = {
            "",
            "Examples:",
            "  javisor image bench disk.qcow2",
            "  javisor image bench -w -c 10000 -d 32 -s 64K scratch.img"
        })
final class BenchCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(names = "-c", paramLabel = "COUNT", description = "Requests; default: 75000")
    private long count = 75000;

    @Option(names = "-d", paramLabel = "DEPTH", description = "In flight; default: 64")
    private int depth = 64;

    @Option(
            names = "-s",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Of each; default: 4K")
    private long size = 4096;

    @Option(
            names = "-S",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "From the start of one to that of the next; default: the size")
    private long step;

    @Option(
            names = "-o",
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Where to begin")
    private long offset;

    @Option(names = "-w", description = "Writes: destroys what is on the disk")
    private boolean write;

    @Option(names = "--pattern", paramLabel = "BYTE", description = "What is written")
    private int pattern;

    @Option(names = "--flush-interval", paramLabel = "COUNT", description = "Writes, then a flush")
    private long flushInterval;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    BenchCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (size < 512 || size > 1 << 30 || size % 512 != 0 || depth < 1 || count < 1) {
            throw new BlockException("-s is a multiple of 512 up to 1G, -d and -c are at least 1");
        }
        DiskImage image = Sources.open(file, format, !write, following.orRefused());
        try (ImageBackend disk = new ImageBackend(image)) {
            if (disk.sizeBytes() < offset + size) {
                throw new BlockException("%s is too small for this".formatted(file));
            }
            long every = step == 0 ? size : step;
            if (!common.quiet) {
                console.line(
                        "Sending %d %s requests, %d bytes each, %d in parallel (starting at offset"
                                + " %d, step size %d)",
                        count, write ? "write" : "read", size, depth, offset, every);
            }
            ImageBench bench =
                    new ImageBench(
                            count, depth, (int) size, offset, every, write, pattern, flushInterval);
            console.line("Run completed in %.3f seconds.", bench.run(disk));
        }
        return 0;
    }
}
