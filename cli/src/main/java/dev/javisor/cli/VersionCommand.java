package dev.javisor.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code javisor version}. */
@Command(
        name = "version",
        description = "Shows the version of Javisor, of Java and of the host.",
        footer = {"", "Example:", "  javisor version"})
final class VersionCommand implements Callable<Integer>, IVersionProvider {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() throws IOException {
        for (String line : getVersion()) {
            spec.commandLine().getOut().println(line);
        }
        return ExitCodes.OK;
    }

    @Override
    public String[] getVersion() throws IOException {
        Properties build = new Properties();
        try (InputStream in = VersionCommand.class.getResourceAsStream("build.properties")) {
            if (in == null) {
                throw new IllegalStateException("build.properties is not in the module");
            }
            build.load(in);
        }
        return new String[] {
            "javisor " + build.getProperty("version"),
            "java " + Runtime.version() + " (" + System.getProperty("java.vm.name") + ")",
            "host "
                    + System.getProperty("os.name")
                    + " "
                    + System.getProperty("os.version")
                    + " "
                    + System.getProperty("os.arch")
        };
    }
}
