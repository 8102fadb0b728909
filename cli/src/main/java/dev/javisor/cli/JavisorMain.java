package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.cli.image.ImageCommand;
import dev.javisor.cli.image.ImageConsole;
import dev.javisor.cli.image.UncheckableException;
import dev.javisor.vmm.AcceleratorReport;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;

/** The program {@code javisor}. Wires everything, and turns every failure into one line. */
public final class JavisorMain {
    private JavisorMain() {}

    /** Ends the process with one of the exit codes that {@code --help} lists. */
    public static void main(String[] arguments) {
        StandardStreams streams =
                new StandardStreams(
                        new FileInputStream(FileDescriptor.in),
                        new FileOutputStream(FileDescriptor.out),
                        new FileOutputStream(FileDescriptor.err));
        Launch launch = new Launch(streams, System.getenv(), VmmMachine::create);
        System.exit(commandLine(launch, System.out, System.err).execute(arguments));
    }

    static CommandLine commandLine(Launch launch, PrintStream out, PrintStream err) {
        CommandLine run = new CommandLine(new RunCommand(launch));
        CommandLine image =
                ImageCommand.commandLine(new ImageConsole(out, err, launch.isErrorTerminal()));
        CommandLine line =
                new CommandLine(new JavisorCommand())
                        .addSubcommand(run)
                        .addSubcommand(image)
                        .addSubcommand(
                                new DoctorCommand(
                                        new HostRoot(Path.of("/")),
                                        AcceleratorReport::kvm,
                                        AcceleratorReport::soft))
                        .addSubcommand(new VersionCommand())
                        .addSubcommand(new CompletionCommand())
                        .addSubcommand(new CommandLine.HelpCommand());
        line.setOut(new PrintWriter(out, true, StandardCharsets.UTF_8));
        line.setErr(new PrintWriter(err, true, StandardCharsets.UTF_8));
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        line.setUsageHelpLongOptionsMaxWidth(32);
        line.setOverwrittenOptionsAllowed(false);
        // What follows -- is the guest's, options included.
        run.setStopAtPositional(true);
        Map<String, String> codes = new LinkedHashMap<>();
        for (String code : ExitCodes.HELP) {
            int colon = code.indexOf(':');
            codes.put(code.substring(0, colon), code.substring(colon + 1));
        }
        for (CommandLine each : List.of(line, run)) {
            each.getCommandSpec()
                    .usageMessage()
                    .exitCodeListHeading("%nExit codes:%n")
                    .exitCodeList(codes);
        }
        line.setParameterExceptionHandler(Failures::wrongUse);
        line.setExecutionExceptionHandler(Failures::failed);
        line.setExitCodeExceptionMapper(Failures::exitCode);
        return line;
    }

    /** How failures are told. */
    private static final class Failures {
        private static int wrongUse(CommandLine.ParameterException e, String[] arguments) {
            CommandLine line = e.getCommandLine();
            String name = line.getCommandSpec().qualifiedName();
            line.getErr()
                    .printf(
                            "javisor: %s (see '%s --help')%n",
                            oneLine(Suggestions.explain(e)), name);
            return ExitCodes.USAGE;
        }

        private static int failed(Exception e, CommandLine line, CommandLine.ParseResult parsed) {
            line.getErr().println("javisor: " + message(e));
            if (wantsDetails(parsed)) {
                e.printStackTrace(line.getErr());
            }
            List<CommandLine> commands = parsed.asCommandLineList();
            boolean image = commands.size() > 1 && commands.get(1).getCommandName().equals("image");
            if (image && e instanceof JavisorException) {
                // As qemu-img: status 1 of 'compare' says that images differ.
                String verb = commands.getLast().getCommandName();
                return e instanceof UncheckableException
                        ? UncheckableException.STATUS
                        : verb.equals("compare") ? 2 : 1;
            }
            return exitCode(e);
        }

        private static int exitCode(Throwable e) {
            return e instanceof JavisorException ? ExitCodes.VM_FAILED : ExitCodes.INTERNAL;
        }

        private static String message(Exception e) {
            return e instanceof JavisorException
                    ? oneLine(String.valueOf(e.getMessage()))
                    : "a fault in Javisor itself, please report it with the output of -v: " + e;
        }

        private static boolean wantsDetails(CommandLine.ParseResult parsed) {
            CommandLine.ParseResult last = parsed;
            while (last.hasSubcommand()) {
                last = last.subcommand();
            }
            return last.hasMatchedOption("-v");
        }

        private static String oneLine(String text) {
            return text.replaceAll("\\s*\\R\\s*", " ");
        }
    }
}
