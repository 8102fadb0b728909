package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.image.ChainExtent;
import dev.javisor.block.image.ImageMap;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/** {@code javisor image map}. */
@Command(
        name = "map",
        description = {"Shows where each part of a disk lies."},
        footer = {
            "",
            "Examples:",
            "  javisor image map disk.qcow2",
            "  javisor image map --output json --follow-backing overlay.qcow2"
        })
final class MapCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(names = "--output", description = "How the result is printed: ${COMPLETION-CANDIDATES}")
    private Options.Output output = Options.Output.HUMAN;

    @Option(
            names = {"-s", "--start-offset"},
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "Where to begin")
    private long start;

    @Option(
            names = {"-l", "--max-length"},
            paramLabel = "SIZE",
            converter = Options.SizeConverter.class,
            description = "How much to show")
    private long most = Long.MAX_VALUE;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    MapCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        try (DiskImage image = Sources.open(file, format, true, following.orRefused())) {
            long from = Math.min(start, image.sizeBytes());
            long to = from + Math.min(most, image.sizeBytes() - from);
            if (output == Options.Output.JSON) {
                ArrayNode list = JsonNodeFactory.instance.arrayNode();
                ImageMap.visit(image, from, to, each -> list.add(Reports.extent(each)));
                console.json(list);
            } else {
                console.line("%-16s%-16s%-16s%s", "Offset", "Length", "Mapped to", "File");
                ImageMap.visit(image, from, to, this::print);
            }
        }
        return 0;
    }

    private void print(ChainExtent extent) {
        if (extent.zero()) {
            return;
        }
        if (extent.hostOffset() < 0) {
            throw new BlockException("File contains external, encrypted or compressed clusters.");
        }
        console.line(
                "%-16s%-16s%-16s%s",
                hex(extent.offset()),
                hex(extent.lengthBytes()),
                hex(extent.hostOffset()),
                extent.layer().name());
    }

    private static String hex(long number) {
        return number == 0 ? "0" : "0x" + Long.toHexString(number);
    }
}
