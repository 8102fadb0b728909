package dev.javisor.cli;

/** The parts that {@code --trace} can follow; each is the name of a module and of its logger. */
enum TraceCategory {
    block,
    boot,
    devices,
    machine,
    softcpu,
    virtio,
    vmm
}
