package dev.javisor.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code javisor} itself: only its subcommands do something. */
@Command(
        name = "javisor",
        description = "Runs virtual machines, on any host with a Java runtime.",
        versionProvider = VersionCommand.class,
        footer = {
            "",
            "Examples:",
            "  javisor run                 a Linux guest's shell in this terminal",
            "  javisor run -- uname -a     one command in a guest",
            "  javisor doctor              what guests would run on here, and how fast",
            "  javisor help run            all that 'run' can do"
        })
final class JavisorCommand implements Runnable {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Shows the version")
    boolean version;

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "no command: try 'javisor run'");
    }
}
