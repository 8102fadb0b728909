package dev.javisor.hypervisor;

/**
 * What a virtual machine's CPUs look like.
 *
 * @param name for thread names and traces
 * @param maxVcpus vCPUs that can exist, 1 to 255; their APIC ids are 0 to {@code maxVcpus - 1}
 * @param tscHz guest TSC frequency in Hz; 0 lets the accelerator choose
 */
public record VirtualMachineConfig(String name, int maxVcpus, CpuModel model, long tscHz) {
    public VirtualMachineConfig {
        if (maxVcpus < 1 || maxVcpus > 255) {
            throw new IllegalArgumentException("maxVcpus out of range 1..255: " + maxVcpus);
        }
    }
}
