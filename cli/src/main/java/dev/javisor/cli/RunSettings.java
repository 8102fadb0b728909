package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.base.Sizes;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.DiskSource;
import dev.javisor.vmm.MemorySpec;
import dev.javisor.vmm.NetSpec;
import dev.javisor.vmm.TranslationMode;
import dev.javisor.vmm.VcpuScheduling;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A run as it was asked for, with all that can be seen to be wrong refused.
 *
 * @param cpuModel empty for the best that there is
 * @param command empty for an interactive guest
 */
record RunSettings(
        Accelerator accelerator,
        Optional<CpuModel> cpuModel,
        TranslationMode translation,
        int cpus,
        VcpuScheduling scheduling,
        long memoryBytes,
        MemorySpec memory,
        Optional<Path> kernel,
        Optional<Path> initrd,
        Optional<String> append,
        List<DiskOption> disks,
        List<NetSpec> networks,
        boolean debugExit,
        Set<TraceCategory> trace,
        Optional<Duration> timeout,
        boolean verbose,
        List<SwitchOption> switches,
        List<String> command) {
    /** The kernel's COMMAND_LINE_SIZE on x86, with its ending zero. */
    private static final int MAX_COMMAND_LINE = 2048;

    /** Less than any guest kernel could start in. */
    private static final long LEAST_MEMORY = 4L << 20;

    /**
     * @param hostMemoryBytes what this host has, as a bound for {@code memoryBytes}
     * @throws JavisorException naming the option and what to do
     */
    RunSettings checked(long hostMemoryBytes) {
        if (memoryBytes < LEAST_MEMORY) {
            throw new JavisorException(
                    "--memory %s is too small for any guest: give at least 128M"
                            .formatted(Sizes.format(memoryBytes)));
        }
        if (memoryBytes > hostMemoryBytes) {
            throw new JavisorException(
                    "--memory %s is more than this host has (%s): give less"
                            .formatted(
                                    Sizes.format(memoryBytes), Sizes.approximate(hostMemoryBytes)));
        }
        kernel.ifPresent(file -> readable("--kernel", file));
        initrd.ifPresent(file -> readable("--initrd", file));
        Set<Path> seen = new HashSet<>();
        for (DiskOption disk : disks) {
            if (!(disk.source() instanceof DiskSource.File(Path file))) {
                continue;
            }
            readable("--disk", file);
            if (!disk.readOnly() && !Files.isWritable(file)) {
                throw new JavisorException(
                        "--disk %s: no permission to write: allow it, or add ,readonly"
                                .formatted(file));
            }
            if (!seen.add(file.toAbsolutePath().normalize())) {
                throw new JavisorException(
                        "--disk %s is given twice: two disks cannot share a file".formatted(file));
            }
        }
        return this;
    }

    /** What the kernel gets as its command line. */
    String commandLine() {
        // What the person appends comes last: the kernel takes the last of two settings.
        String line = "console=ttyS0 panic=-1";
        if (kernel.isEmpty()) {
            // Debian's kernel tests all its ciphers at each boot: a third of the time it takes on
            // an emulated CPU.
            line += " cryptomgr.notests";
        }
        if (!command.isEmpty() && !verbose) {
            line += " quiet";
        }
        if (kernel.isPresent() && append.isPresent()) {
            line = append.get();
        } else if (append.isPresent()) {
            line += " " + append.get();
        }
        if (line.length() >= MAX_COMMAND_LINE) {
            throw new JavisorException(
                    "--append is too long: the kernel takes %d characters in all, this would be %d"
                            .formatted(MAX_COMMAND_LINE - 1, line.length()));
        }
        return line;
    }

    private static void readable(String option, Path file) {
        String problem;
        if (!Files.exists(file)) {
            problem = "no such file: check the path";
        } else if (Files.isDirectory(file)) {
            problem = "is a directory: give a file";
        } else if (!Files.isReadable(file)) {
            problem = "no permission to read it";
        } else {
            return;
        }
        throw new JavisorException("%s %s: %s".formatted(option, file, problem));
    }
}
