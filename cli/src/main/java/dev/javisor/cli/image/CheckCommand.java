package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.qcow2.Qcow2Check;
import dev.javisor.block.qcow2.Qcow2Image;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code javisor image check}. */
@Command(
        name = "check",
        description = {
            "Looks through an image's tables for errors, and repairs them.",
            "Status: 0 if it is sound, 1 if it could not be checked, 2 if it is damaged, 3 if only"
                    + " space is lost, 63 if its format has nothing to check."
        },
        footer = {
            "",
            "Examples:",
            "  javisor image check disk.qcow2",
            "  javisor image check -r all disk.qcow2"
        })
final class CheckCommand implements Callable<Integer> {
    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The image's format; default: what its name says")
    private @Nullable DiskFormat format;

    @Option(names = "--output", description = "How the result is printed: ${COMPLETION-CANDIDATES}")
    private Options.Output output = Options.Output.HUMAN;

    @Option(
            names = "-r",
            paramLabel = "leaks|all",
            description = "Repairs lost space, or everything that can be")
    private @Nullable String repair;

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    CheckCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        DiskFormat kind = Sources.format(file, format);
        if (kind != DiskFormat.QCOW2) {
            throw new UncheckableException(file, kind);
        }
        Qcow2Check.Repair what =
                switch (repair == null ? "none" : repair.toLowerCase(Locale.ROOT)) {
                    case "none" -> Qcow2Check.Repair.NONE;
                    case "leaks" -> Qcow2Check.Repair.LEAKS;
                    case "all" -> Qcow2Check.Repair.ALL;
                    default -> throw new BlockException("-r is leaks or all, not " + repair);
                };
        Qcow2Check.Result result;
        try (DiskImage image =
                DiskFiles.openUnrepaired(
                        file,
                        kind,
                        what == Qcow2Check.Repair.NONE,
                        new DiskFiles.References.LeftOut())) {
            result = Qcow2Check.check((Qcow2Image) image, what);
        }
        if (output == Options.Output.JSON) {
            console.json(Reports.check(file, result));
        } else if (!common.quiet) {
            print(result);
        }
        return result.corruptions() > 0 ? 2 : result.leaks() > 0 ? 3 : 0;
    }

    private void print(Qcow2Check.Result result) {
        result.messages().forEach(line -> console.line("%s", line));
        if (result.corruptionsFixed() + result.leaksFixed() > 0) {
            console.line(
                    "The following inconsistencies were found and repaired: %d leaked clusters, %d"
                            + " corruptions",
                    result.leaksFixed(), result.corruptionsFixed());
        }
        if (result.corruptions() + result.leaks() == 0) {
            console.line("No errors were found on the image.");
        } else {
            console.line(
                    "%d errors were found on the image, %d clusters are leaked.",
                    result.corruptions(), result.leaks());
        }
        if (result.totalClusters() > 0) {
            double allocated = Math.max(1, result.allocatedClusters());
            console.line(
                    "%d/%d = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters",
                    result.allocatedClusters(),
                    result.totalClusters(),
                    result.allocatedClusters() * 100.0 / result.totalClusters(),
                    result.fragmentedClusters() * 100.0 / allocated,
                    result.compressedClusters() * 100.0 / allocated);
        }
        console.line("Image end offset: %d", result.imageEndOffset());
    }
}
