package dev.javisor.cli.image;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code javisor image}: only its subcommands do something. */
@Command(
        name = "image",
        description = {
            "Makes, changes and looks at disk images; the verbs mean what qemu-img's do.",
            "Formats are named with -f, or follow from the file's name, never from its content."
        },
        footer = {
            "",
            "Examples:",
            "  javisor image create vm.qcow2 20G",
            "  javisor image convert -O qcow2 disk.img disk.qcow2",
            "  javisor image check disk.qcow2"
        })
public final class ImageCommand implements Runnable {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    /** With all its verbs. */
    public static CommandLine commandLine(ImageConsole console) {
        return new CommandLine(new ImageCommand())
                .addSubcommand(new CreateCommand(console))
                .addSubcommand(new InfoCommand(console))
                .addSubcommand(new CheckCommand(console))
                .addSubcommand(new ConvertCommand(console))
                .addSubcommand(new ResizeCommand(console))
                .addSubcommand(new MapCommand(console))
                .addSubcommand(new CompareCommand(console))
                .addSubcommand(new SnapshotCommand(console))
                .addSubcommand(new CommitCommand(console))
                .addSubcommand(new RebaseCommand(console))
                .addSubcommand(new BitmapCommand())
                .addSubcommand(new ServeCommand(console))
                .addSubcommand(new BenchCommand(console));
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(), "no verb: try 'javisor image --help' for all of them");
    }
}
