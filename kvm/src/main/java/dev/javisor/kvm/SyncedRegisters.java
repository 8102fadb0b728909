package dev.javisor.kvm;

/**
 * Registers, system registers and events that KVM leaves in the run page at exits and takes from it
 * at entries (KVM_CAP_SYNC_REGS), instead of by a system call for each. KVM copies them at every
 * exit, so they are asked for only while an instruction assistant is at work. Belongs to the vCPU's
 * thread.
 *
 * <p>The buffers of {@link VcpuBuffers} lie in the page. What is deferred is in the page, and KVM
 * does not have it yet: whatever asks KVM otherwise must {@link VcpuBuffers#flush} first.
 */
final class SyncedRegisters {
    // KVM_SYNC_X86_
    static final int REGS = 1;
    static final int SREGS = 2;
    static final int EVENTS = 4;
    private static final int ALL = REGS | SREGS | EVENTS;

    /** Exits without help after which KVM is no longer asked. */
    private static final int PATIENCE = 64;

    private final RunPage run;
    private final boolean available;
    private boolean asking;
    private int idleExits;

    /** Structures in the page that say what KVM has. */
    private int current;

    /** Structures in the page that KVM takes at the next entry. */
    private int deferred;

    /**
     * @param known the value of KVM_CAP_SYNC_REGS
     */
    SyncedRegisters(RunPage run, int known) {
        this.run = run;
        this.available = (known & ALL) == ALL;
    }

    /** KVM_RUN has returned. */
    void left(int result) {
        current = 0;
        if (asking) {
            deferred = (int) run.int64(RunLayout.DIRTY_REGISTERS);
            current = result == 0 ? ALL : 0;
            if (++idleExits > PATIENCE) {
                asking = false;
                run.setInt64(RunLayout.VALID_REGISTERS, 0);
            }
        }
    }

    /** An assistant needed the registers. */
    void needed() {
        idleExits = 0;
        if (available && !asking) {
            asking = true;
            run.setInt64(RunLayout.VALID_REGISTERS, ALL);
        }
    }

    /** Whether the page holds what the vCPU has. */
    boolean holds(int structure) {
        return ((current | deferred) & structure) != 0;
    }

    /** KVM was told something that may have changed a structure. */
    void stale() {
        current = 0;
    }

    /** Leaves a changed structure to the next entry, if that takes it. */
    boolean defer(int structure) {
        if (!asking) {
            return false;
        }
        deferred |= structure;
        run.setInt64(RunLayout.DIRTY_REGISTERS, deferred);
        return true;
    }

    boolean isDeferred(int structure) {
        return (deferred & structure) != 0;
    }

    /** KVM has it, or is to forget it. */
    void settled(int structure) {
        if (deferred != 0) {
            deferred &= ~structure;
            run.setInt64(RunLayout.DIRTY_REGISTERS, deferred);
        }
    }
}
