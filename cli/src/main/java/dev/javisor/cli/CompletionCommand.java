package dev.javisor.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code javisor completion}. */
@Command(
        name = "completion",
        description = "Prints a script that lets bash or zsh complete what you type.",
        footer = {
            "",
            "Examples:",
            "  source <(javisor completion)",
            "      for this shell",
            "  javisor completion > ~/.local/share/bash-completion/completions/javisor",
            "      for every bash to come"
        })
final class CompletionCommand implements Callable<Integer> {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        CommandLine root = spec.commandLine().getParent();
        root.getOut().println(AutoComplete.bash("javisor", root));
        return ExitCodes.OK;
    }
}
