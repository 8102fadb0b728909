package dev.javisor.cli;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.NetSpec;
import dev.javisor.vmm.TranslationMode;
import dev.javisor.vmm.VcpuScheduling;
import dev.javisor.vmm.VmSpec;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code javisor run}. */
@Command(
        name = "run",
        customSynopsis = "javisor run [OPTIONS] [-- COMMAND [ARGUMENT...]]",
        description = {
            "Boots a virtual machine and gives you its console; with a command, runs that in the"
                    + " guest and ends with its status.",
            "Without --kernel, the guest is Debian's stock cloud kernel with busybox, fetched once."
        },
        footer = {
            "",
            "Examples:",
            "  javisor run",
            "      a shell in the default guest; Ctrl-] opens a menu",
            "  javisor run -- uname -a",
            "      the output and the status of one command",
            "  tar c src | javisor run --memory 1G --timeout 5m -- tar tv",
            "      with standard input, and not longer than five minutes",
            "  javisor run --disk data.img --disk cd.iso,readonly",
            "      raw disks, in the guest /dev/vda and /dev/vdb",
            "  javisor run --disk nbd://host/data",
            "      a disk that an NBD server offers, such as 'javisor image serve'",
            "  javisor run --disk vm.qcow2,backing=follow",
            "      a qcow2 disk, which may name its backing file itself",
            "  javisor run --net user,forward=tcp:127.0.0.1:2222:22",
            "      port 2222 of this host leads to port 22 of the guest",
            "  javisor run --kernel bzImage --initrd initrd.img --append console=ttyS0",
            "      a guest of your own"
        })
final class RunCommand implements Callable<Integer> {
    @Option(
            names = "--accel",
            paramLabel = "auto|kvm|soft",
            defaultValue = "auto",
            description =
                    "What runs the guest's CPUs: kvm is Linux's, soft is our own, in Java, and"
                            + " works everywhere; auto takes kvm where it executes guests natively,"
                            + " which is measured at the start, else soft. Default: auto")
    private Accelerator accelerator = Accelerator.AUTO;

    @Option(
            names = "--cpu",
            paramLabel = "MODEL",
            converter = CpuModelConverter.class,
            completionCandidates = CpuModelNames.class,
            description =
                    "What the guest's CPUs can do: ${COMPLETION-CANDIDATES}. Default: x86-64-v3, or"
                            + " less where the host's KVM cannot do that")
    private @Nullable CpuModel cpuModel;

    @Option(
            names = "--translate",
            paramLabel = "off|on|eager|lockstep",
            defaultValue = "on",
            description =
                    "Whether the software CPU turns hot code into JVM bytecode. For diagnosis: off"
                            + " interprets all, eager translates all, lockstep also interprets"
                            + " what is translated and stops where the two differ. Default: on")
    private TranslationMode translation = TranslationMode.ON;

    @Option(
            names = "--cpus",
            paramLabel = "N",
            defaultValue = "1",
            description =
                    "Number of virtual CPUs, 1 to 255; far more than the host's cores make a slow"
                            + " guest. Default: 1")
    private int cpus = 1;

    @Option(
            names = "--cpu-affinity",
            paramLabel = "LIST",
            converter = CpuListConverter.class,
            description =
                    "Host CPUs for the virtual CPUs, such as 0,2-3: the first virtual CPU runs on"
                            + " the first of them, and so on. Default: any")
    private CpuList cpuAffinity = CpuList.ANY;

    @Option(
            names = "--cpu-policy",
            paramLabel = "normal|batch|idle|fifo|rr",
            defaultValue = "normal",
            description =
                    "How the host schedules virtual CPUs; fifo and rr are real time and can starve"
                            + " it. Default: normal")
    private VcpuScheduling.Policy cpuPolicy = VcpuScheduling.Policy.NORMAL;

    @Option(
            names = "--cpu-nice",
            paramLabel = "N",
            defaultValue = "0",
            description =
                    "Nice value of the virtual CPUs' threads, -20 to 19; more gives way to others."
                            + " Default: 0")
    private int cpuNice;

    @Option(
            names = "--memory",
            paramLabel = "SIZE[,...]",
            defaultValue = "512M",
            converter = MemoryConverter.class,
            description =
                    "The guest's memory, with K, M or G, then any of"
                            + " ,hugepages=off|transparent|2M|1G (2M and 1G are pages that the host"
                            + " has reserved; else transparent) ,prealloc (all of it from the"
                            + " start, none goes back) ,lock (never swapped out) ,shared (others"
                            + " can map it). Default: 512M")
    private MemoryOption memory = MemoryOption.plain(VmSpec.DEFAULT_MEMORY_BYTES);

    @Option(
            names = "--kernel",
            paramLabel = "FILE",
            description =
                    "Boots this instead: a Linux bzImage, an ELF image with a PVH note, or a"
                            + " Multiboot 1 image")
    private @Nullable Path kernel;

    @Option(
            names = "--initrd",
            paramLabel = "FILE",
            description = "The initial RAM disk; with a Multiboot image, its module")
    private @Nullable Path initrd;

    @Option(
            names = "--append",
            paramLabel = "TEXT",
            description =
                    "Kernel command line: added to ours for the default guest, in its place with"
                            + " --kernel")
    private @Nullable String append;

    @Option(
            names = "--disk",
            paramLabel = "FILE|URI[,...]",
            converter = DiskConverter.class,
            description =
                    "A disk image, or an export of an NBD server (nbd://HOST[:PORT]/EXPORT,"
                            + " nbds://, nbd+unix:///EXPORT?socket=FILE; ,reconnect=TIME is how long"
                            + " it is waited for) as virtio disk, with any of ,readonly ,format=NAME (else by the"
                            + " extension, else raw) ,backing=follow ,serial=NAME ,iops=COUNT[:BURST]"
                            + " ,bps=SIZE[:BURST] ,rerror=POLICY ,werror=POLICY (what happens when the"
                            + " host cannot read or write: report to the guest; stop, until"
                            + " continued; enospc, stop only when the host is full, the default for"
                            + " writes); may be given several times")
    private List<DiskOption> disks = List.of();

    @Option(
            names = "--net",
            paramLabel = "user|tap|stream[,...]|none",
            converter = NetConverter.class,
            description = {
                "A network interface; may be given several times. Default: user, a network of the"
                        + " guest's own that reaches others through this process: the guest is"
                        + " 10.0.2.15, this host's loopback is 10.0.2.2. With settings, as in",
                "user,forward=tcp:127.0.0.1:2222:22",
                "user,restrict=on,allow=tcp:10.0.2.2:8080",
                "(README names all of them.) tap,bridge=br0: an interface of this host, made for the"
                        + " time being; needs root or one made by an administrator."
                        + " stream,connect=unix:PATH or listen=: another machine, QEMU or passt."
                        + " All take mac=, pcap=FILE, bps=SIZE, spoof-filter=on. none: no network"
            })
    private List<NetOption> networks = List.of();

    @Option(
            names = "--debug-exit",
            description =
                    "Gives the machine an isa-debug-exit device at I/O port 0xF4: a value V written"
                            + " there ends javisor with status 2V+1")
    private boolean debugExit;

    @Option(
            names = "--trace",
            paramLabel = "CATEGORY[,...]",
            hideParamSyntax = true,
            split = ",",
            description =
                    "Writes a trace of these parts to standard error: ${COMPLETION-CANDIDATES}")
    private List<TraceCategory> trace = List.of();

    @Option(
            names = "--timeout",
            paramLabel = "DURATION",
            converter = DurationConverter.class,
            description = "Stops the guest after this time, such as 90s, 5m or 1h, with status 124")
    private @Nullable Duration timeout;

    @Option(
            names = "--switch-to",
            paramLabel = "ACCEL@TIME",
            converter = SwitchConverter.class,
            description =
                    "Moves the running guest to another accelerator after this time, such as"
                            + " kvm@10s or soft@1m; it does not notice. soft:off, soft:on and"
                            + " soft:eager choose how hot code is treated there. May be given"
                            + " several times; by hand: Ctrl-] m")
    private List<SwitchOption> switches = List.of();

    @Option(
            names = {"-v", "--verbose"},
            description = "Shows the boot log of a command's guest, and details of errors")
    private boolean verbose;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Shows this help")
    boolean help;

    @Parameters(
            paramLabel = "COMMAND",
            hideParamSyntax = true,
            arity = "0..*",
            description = "After --: what to run in the guest instead of a shell")
    private List<String> command = List.of();

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    private final Launch launch;

    RunCommand(Launch launch) {
        this.launch = launch;
    }

    @Override
    public Integer call() throws InterruptedException {
        check();
        RunSettings settings =
                new RunSettings(
                        accelerator,
                        Optional.ofNullable(cpuModel),
                        translation,
                        cpus,
                        new VcpuScheduling(cpuAffinity.cpus(), cpuPolicy, cpuNice),
                        memory.sizeBytes(),
                        memory.spec(),
                        Optional.ofNullable(kernel),
                        Optional.ofNullable(initrd),
                        Optional.ofNullable(append),
                        disks,
                        networks(),
                        debugExit,
                        new LinkedHashSet<>(trace),
                        Optional.ofNullable(timeout),
                        verbose,
                        switches,
                        command);
        return launch.run(settings);
    }

    private List<NetSpec> networks() {
        if (networks.isEmpty()) {
            return List.of(NetSpec.User.standard());
        }
        List<NetSpec> specs = networks.stream().flatMap(n -> n.spec().stream()).toList();
        if (specs.size() < networks.size() && networks.size() > 1) {
            throw wrong("--net none stands alone: drop it, or the other --net");
        }
        return specs;
    }

    /** What contradicts itself or the machine, whatever the host is like. */
    private void check() {
        if (cpus < 1 || cpus > 255) {
            throw wrong("--cpus " + cpus + " is out of range: give 1 to 255");
        }
        if (cpuNice < -20 || cpuNice > 19) {
            throw wrong("--cpu-nice " + cpuNice + " is out of range: give -20 to 19");
        }
        List<String> original = spec.commandLine().getParseResult().originalArgs();
        if (!command.isEmpty() && !original.contains("--")) {
            throw wrong(
                    "'%s' is no option: put -- before a command for the guest: javisor run -- %s"
                            .formatted(command.getFirst(), String.join(" ", command)));
        }
        if (command.isEmpty() && original.contains("--")) {
            throw wrong("no command after --: give one, or leave out --");
        }
        if (!command.isEmpty() && kernel != null && initrd == null) {
            throw wrong(
                    "a command needs our init in the guest, which --kernel alone does not bring:"
                            + " add --initrd with an initramfs made by javisor, or drop --kernel");
        }
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    /** Memory such as 512M. */
    static final class MemoryConverter implements picocli.CommandLine.ITypeConverter<MemoryOption> {
        @Override
        public MemoryOption convert(String value) {
            return Converters.orExplain(value, MemoryOption::parse);
        }
    }

    /** Lists such as 0,2-3. */
    static final class CpuListConverter implements picocli.CommandLine.ITypeConverter<CpuList> {
        @Override
        public CpuList convert(String value) {
            return Converters.orExplain(value, CpuList::parse);
        }
    }

    /** Durations such as 90s. */
    static final class DurationConverter implements picocli.CommandLine.ITypeConverter<Duration> {
        @Override
        public Duration convert(String value) {
            return Converters.orExplain(value, Durations::parse);
        }
    }

    /** Names of CPU models. */
    static final class CpuModelConverter implements picocli.CommandLine.ITypeConverter<CpuModel> {
        @Override
        public CpuModel convert(String value) {
            return CpuModel.of(value)
                    .orElseThrow(() ->
                            new picocli.CommandLine.TypeConversionException(
                                    "'%s' is no CPU model: give %s"
                                            .formatted(value, String.join(", ", names()))));
        }

        private static List<String> names() {
            return Arrays.stream(CpuModel.values()).map(CpuModel::id).toList();
        }
    }

    /** What the shell completes. */
    static final class CpuModelNames implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return CpuModelConverter.names().iterator();
        }
    }

    /** Disks. */
    static final class DiskConverter implements picocli.CommandLine.ITypeConverter<DiskOption> {
        @Override
        public DiskOption convert(String value) {
            return Converters.orExplain(value, DiskOption::parse);
        }
    }

    /** Moves between accelerators. */
    static final class SwitchConverter implements picocli.CommandLine.ITypeConverter<SwitchOption> {
        @Override
        public SwitchOption convert(String value) {
            return Converters.orExplain(value, SwitchOption::parse);
        }
    }

    /** Networks. */
    static final class NetConverter implements picocli.CommandLine.ITypeConverter<NetOption> {
        @Override
        public NetOption convert(String value) {
            return Converters.orExplain(value, NetOption::parse);
        }
    }

    private static final class Converters {
        private static <T> T orExplain(String value, java.util.function.Function<String, T> parse) {
            try {
                return parse.apply(value);
            } catch (IllegalArgumentException e) {
                throw new picocli.CommandLine.TypeConversionException(e.getMessage());
            }
        }
    }
}
