package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.FileStorage;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code javisor image info}. */
@Command(
        name = "info",
        description = {
            "Shows what an image is.",
            "Without -f the content may tell the format, as nothing is done with it."
        },
        footer = {
            "",
            "Examples:",
            "  javisor image info disk.qcow2",
            "  javisor image info --output json --backing-chain --follow-backing overlay.qcow2"
        })
final class InfoCommand implements Callable<Integer> {
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
            names = "--backing-chain",
            description = "Also what lies under it; with --follow-backing")
    private boolean chain;

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    InfoCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DiskFormat kind = kind();
        if (chain && !following.follow) {
            throw new BlockException("--backing-chain needs --follow-backing");
        }
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        try (DiskImage image = DiskFiles.openUnrepaired(file, kind, true, following.orLeftOut())) {
            Optional<DiskImage> next = Optional.of(image);
            while (next.isPresent()) {
                ObjectNode node = Reports.info(next.get());
                all.add(node);
                if (output == Options.Output.HUMAN) {
                    if (all.size() > 1) {
                        console.line("");
                    }
                    Reports.human(node).forEach(line -> console.line("%s", line));
                }
                next = chain ? next.get().backing() : Optional.empty();
            }
        }
        if (output == Options.Output.JSON) {
            console.json(chain ? all : all.get(0));
        }
        return 0;
    }

    private DiskFormat kind() {
        if (format != null) {
            return format;
        }
        try (FileStorage storage = FileStorage.open(file, true)) {
            return DiskFiles.looksLike(storage).orElse(DiskFormat.RAW);
        }
    }
}
