package dev.javisor.cli.image;

import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.qcow2.Qcow2Image;
import dev.javisor.block.qcow2.Qcow2Snapshot;
import dev.javisor.block.qcow2.Qcow2Snapshots;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;

/** {@code javisor image snapshot}. */
@Command(
        name = "snapshot",
        description = {"Lists, takes, goes back to and deletes snapshots inside of a qcow2 image."},
        footer = {
            "",
            "Examples:",
            "  javisor image snapshot vm.qcow2",
            "  javisor image snapshot -c before-upgrade vm.qcow2",
            "  javisor image snapshot -a before-upgrade vm.qcow2"
        })
final class SnapshotCommand implements Callable<Integer> {
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

    /** One at a time. */
    static final class Action {
        @Option(names = "-l", description = "Lists them; the default")
        boolean list;

        @Option(names = "-c", paramLabel = "NAME", description = "Takes one")
        @Nullable String create;

        @Option(names = "-a", paramLabel = "NAME", description = "Goes back to one")
        @Nullable String apply;

        @Option(names = "-d", paramLabel = "NAME", description = "Deletes one")
        @Nullable String delete;
    }

    @ArgGroup private Action action = new Action();

    @Parameters(index = "0", paramLabel = "FILE", description = "The image")
    private Path file = Path.of("");

    SnapshotCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        boolean reading = action.create == null && action.apply == null && action.delete == null;
        try (Qcow2Image image =
                Sources.openQcow2(file, format, reading, new DiskFiles.References.LeftOut())) {
            Qcow2Snapshots snapshots = new Qcow2Snapshots(image);
            if (action.create != null) {
                snapshots.create(action.create, Instant.now());
            } else if (action.apply != null) {
                snapshots.apply(action.apply);
            } else if (action.delete != null) {
                snapshots.delete(action.delete);
            } else if (output == Options.Output.JSON) {
                ArrayNode list = JsonNodeFactory.instance.arrayNode();
                snapshots.list().forEach(each -> list.add(Reports.snapshot(each)));
                console.json(list);
            } else {
                print(snapshots.list());
            }
        }
        return 0;
    }

    private void print(List<Qcow2Snapshot> snapshots) {
        if (snapshots.isEmpty()) {
            return;
        }
        console.line("Snapshot list:");
        console.line("%-8s %-24s %10s %20s", "ID", "TAG", "VM SIZE", "DATE");
        DateTimeFormatter date =
                DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss").withZone(ZoneId.systemDefault());
        for (Qcow2Snapshot each : snapshots) {
            console.line(
                    "%-8s %-24s %10s %20s",
                    each.id(),
                    Reports.printable(each.name()),
                    each.vmStateBytes(),
                    date.format(each.taken()));
        }
    }
}
