package dev.javisor.vmm;

import dev.javisor.hypervisor.CpuModel;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;

/**
 * A virtual machine as asked for.
 *
 * @param name for messages, thread names and traces
 * @param cpuModel empty for the best named one that the accelerator has on this host
 * @param cpus 1 to 255
 * @param scheduling of the vCPUs' threads on the host
 * @param memoryBytes rounded up to whole pages
 * @param memory what it is made of on the host
 * @param extraInitrd a cpio archive behind {@code initrd}, or empty; not copied
 * @param append the kernel's command line
 * @param translation what the software CPU does about hot code
 * @param networks its network interfaces
 * @param debugExit whether a write to port 0xF4 ends the machine
 * @param endOnReset whether a reset that the guest asks for ends the machine
 * @param ports names of virtio-console ports, which the guest finds under /dev/virtio-ports
 */
public record VmSpec(
        String name,
        Accelerator accelerator,
        TranslationMode translation,
        Optional<CpuModel> cpuModel,
        int cpus,
        VcpuScheduling scheduling,
        long memoryBytes,
        MemorySpec memory,
        Path kernel,
        Optional<Path> initrd,
        byte[] extraInitrd,
        String append,
        List<DiskSpec> disks,
        List<NetSpec> networks,
        boolean debugExit,
        boolean endOnReset,
        List<String> ports) {
    /** The default of {@link Builder#memoryBytes}. */
    public static final long DEFAULT_MEMORY_BYTES = 512L << 20;

    private static final int MAX_CPUS = 255;

    /** What PCI bus 0 has room for beside the other devices. */
    private static final int MAX_DISKS = 23;

    private static final int MAX_NETWORKS = 4;

    private static final int MAX_PORTS = 16;

    /**
     * @throws VmException if a value is out of its range
     */
    public VmSpec {
        if (cpus < 1 || cpus > MAX_CPUS) {
            throw new VmException("%d CPUs: 1 to %d are possible".formatted(cpus, MAX_CPUS));
        }
        if (memoryBytes < 1) {
            throw new VmException("memory of %d bytes: give more".formatted(memoryBytes));
        }
        if (disks.size() > MAX_DISKS) {
            throw new VmException("%d disks: at most %d".formatted(disks.size(), MAX_DISKS));
        }
        if (networks.size() > MAX_NETWORKS) {
            throw new VmException(
                    "%d network interfaces: at most %d".formatted(networks.size(), MAX_NETWORKS));
        }
        if (ports.size() > MAX_PORTS || new HashSet<>(ports).size() != ports.size()) {
            throw new VmException(
                    "guest ports must differ in name and be at most %d".formatted(MAX_PORTS));
        }
        disks = List.copyOf(disks);
        networks = List.copyOf(networks);
        ports = List.copyOf(ports);
    }

    /** Starts a spec with one CPU, 512 MiB, and nothing beside the kernel. */
    public static Builder builder(Path kernel) {
        return new Builder(kernel);
    }

    /** Collects a {@link VmSpec}. */
    public static final class Builder {
        private final Path kernel;
        private String name = "vm";
        private Accelerator accelerator = Accelerator.AUTO;
        private TranslationMode translation = TranslationMode.ON;
        private Optional<CpuModel> cpuModel = Optional.empty();
        private int cpus = 1;
        private VcpuScheduling scheduling = VcpuScheduling.STANDARD;
        private long memoryBytes = DEFAULT_MEMORY_BYTES;
        private MemorySpec memory = MemorySpec.STANDARD;
        private Optional<Path> initrd = Optional.empty();
        private byte[] extraInitrd = new byte[0];
        private String append = "";
        private List<DiskSpec> disks = List.of();
        private List<NetSpec> networks = List.of();
        private boolean debugExit;
        private boolean endOnReset;
        private List<String> ports = List.of();

        private Builder(Path kernel) {
            this.kernel = kernel;
        }

        public Builder name(String value) {
            name = value;
            return this;
        }

        public Builder accelerator(Accelerator value) {
            accelerator = value;
            return this;
        }

        public Builder translation(TranslationMode value) {
            translation = value;
            return this;
        }

        public Builder cpuModel(CpuModel value) {
            cpuModel = Optional.of(value);
            return this;
        }

        public Builder cpus(int value) {
            cpus = value;
            return this;
        }

        public Builder scheduling(VcpuScheduling value) {
            scheduling = value;
            return this;
        }

        public Builder memoryBytes(long value) {
            memoryBytes = value;
            return this;
        }

        public Builder memory(MemorySpec value) {
            memory = value;
            return this;
        }

        public Builder initrd(Path value) {
            initrd = Optional.of(value);
            return this;
        }

        public Builder extraInitrd(byte[] value) {
            extraInitrd = value;
            return this;
        }

        public Builder append(String value) {
            append = value;
            return this;
        }

        public Builder disks(List<DiskSpec> value) {
            disks = value;
            return this;
        }

        public Builder networks(List<NetSpec> value) {
            networks = value;
            return this;
        }

        public Builder debugExit(boolean value) {
            debugExit = value;
            return this;
        }

        public Builder endOnReset(boolean value) {
            endOnReset = value;
            return this;
        }

        public Builder ports(List<String> value) {
            ports = value;
            return this;
        }

        /**
         * @throws VmException if a value is out of its range
         */
        public VmSpec build() {
            return new VmSpec(
                    name,
                    accelerator,
                    translation,
                    cpuModel,
                    cpus,
                    scheduling,
                    memoryBytes,
                    memory,
                    kernel,
                    initrd,
                    extraInitrd,
                    append,
                    disks,
                    networks,
                    debugExit,
                    endOnReset,
                    ports);
        }
    }
}
