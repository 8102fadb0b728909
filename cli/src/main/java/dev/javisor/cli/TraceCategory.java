package dev.javisor.cli;

/**
 * The parts that {@code --trace} can follow. Each is the name of a logger below {@code dev.javisor}
 * and of what lies below that; the vmm's own are {@link dev.javisor.vmm.TraceCategory}.
 */
enum TraceCategory {
    assist,
    block,
    boot,
    cpu,
    exits,
    listing,
    translate,
    virtio,
    vmm
}
