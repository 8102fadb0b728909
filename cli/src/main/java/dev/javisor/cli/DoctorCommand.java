package dev.javisor.cli;

import dev.javisor.vmm.AcceleratorReport;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code javisor doctor}. */
@Command(
        name = "doctor",
        description =
                "Looks at this host: what guests would run on, how fast, and what could be better."
                        + " Ends with 0 when guests can run at all.",
        footer = {"", "Examples:", "  javisor doctor", "  javisor doctor --json"})
final class DoctorCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Writes JSON instead of text")
    private boolean json;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    private final HostRoot host;
    private final Supplier<AcceleratorReport> kvm;
    private final Supplier<AcceleratorReport> soft;

    DoctorCommand(
            HostRoot host, Supplier<AcceleratorReport> kvm, Supplier<AcceleratorReport> soft) {
        this.host = host;
        this.kvm = kvm;
        this.soft = soft;
    }

    @Override
    public Integer call() {
        DoctorReport report = DoctorReport.of(new HostChecks(host).all(), kvm.get(), soft.get());
        spec.commandLine().getOut().print(json ? report.json() : report.text());
        spec.commandLine().getOut().flush();
        return report.canRun() ? ExitCodes.OK : ExitCodes.VM_FAILED;
    }
}
