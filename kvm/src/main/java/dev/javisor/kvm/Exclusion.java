package dev.javisor.kvm;

import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Keeps all other vCPUs out of guest code for the length of an action, for instructions that must
 * be atomic and are not executed by KVM. A vCPU says that it enters before it looks whether it may;
 * who wants to be alone says so before it looks who is inside. One of them sees the other.
 */
final class Exclusion {
    private final ReentrantLock lock = new ReentrantLock();
    private final Supplier<List<KvmVcpu>> vcpus;
    private volatile boolean wanted;

    Exclusion(Supplier<List<KvmVcpu>> vcpus) {
        this.vcpus = vcpus;
    }

    boolean isWanted() {
        return wanted;
    }

    /** Waits until nobody is alone any more. Not from within guest code. */
    void await() {
        lock.lock();
        lock.unlock();
    }

    /**
     * @param alone the vCPU whose thread calls
     */
    void run(KvmVcpu alone, Runnable action) {
        lock.lock();
        try {
            wanted = true;
            for (KvmVcpu vcpu : vcpus.get()) {
                if (vcpu != alone) {
                    vcpu.request(KvmVcpu.REQUEST_STEP_ASIDE);
                    while (vcpu.isInGuest()) {
                        Thread.onSpinWait();
                    }
                }
            }
            action.run();
        } finally {
            wanted = false;
            lock.unlock();
        }
    }
}
