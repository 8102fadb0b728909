package dev.javisor.vmm;

/** Which CPU a virtual machine asks for. */
public enum Accelerator {
    /** The fastest that can run here. */
    AUTO,
    /** The host's CPU, through Linux's KVM. */
    KVM,
    /** The software CPU, which runs everywhere. */
    SOFT
}
