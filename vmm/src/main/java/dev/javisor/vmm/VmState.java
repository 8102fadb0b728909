package dev.javisor.vmm;

/**
 * Where a virtual machine is in its life.
 *
 * <pre>
 * CREATED --start--> RUNNING --pause--> PAUSED --resume--> RUNNING
 *    any --stop, or the guest's own end--> ENDED
 * </pre>
 */
public enum VmState {
    CREATED,
    RUNNING,
    PAUSED,
    ENDED
}
