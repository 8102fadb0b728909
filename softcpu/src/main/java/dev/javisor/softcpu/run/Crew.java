package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Cpu;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who of a virtual machine's vCPUs is executing guest code, and a way to do something while none
 * is. A vCPU is inside from {@link #enter} to {@link #leave}; it leaves while it waits.
 *
 * <p>Guarded by this object's monitor. Whoever runs an exclusive action must hold no lock that a
 * device callback on a vCPU thread may wait for.
 */
final class Crew {
    private final List<Cpu> cpus = new ArrayList<>();
    private int inside;
    private boolean exclusive;

    /** Who runs an exclusive action now: its action may ask for another. */
    private @Nullable Thread owner;

    synchronized void add(Cpu cpu) {
        cpus.add(cpu);
    }

    /** Whether there is one vCPU only, which excludes nobody by what it does. */
    synchronized boolean isAlone() {
        return cpus.size() == 1;
    }

    synchronized List<Cpu> cpus() {
        return List.copyOf(cpus);
    }

    synchronized void enter() {
        awaitShared();
        inside++;
    }

    synchronized void leave() {
        left();
    }

    /** Wakes nobody but who waits for this: with many vCPUs all else is a stampede. */
    private void left() {
        inside--;
        if (exclusive && inside == 0) {
            notifyAll();
        }
    }

    /** A vCPU's answer to {@link Cpu#REQUEST_EXCLUSIVE}: steps out while the action runs. */
    synchronized void stepAside() {
        left();
        awaitShared();
        inside++;
    }

    /** Runs {@code action} while no vCPU is inside. The caller is not inside. */
    synchronized void runExclusive(Runnable action) {
        awaitShared();
        exclusive = true;
        try {
            for (Cpu cpu : cpus) {
                cpu.request(Cpu.REQUEST_EXCLUSIVE);
            }
            awaitNobodyInside();
            owner = Thread.currentThread();
            action.run();
        } finally {
            owner = null;
            exclusive = false;
            notifyAll();
        }
    }

    /** As {@link #runExclusive} for a caller that is inside. */
    synchronized void runExclusiveFromInside(Runnable action) {
        if (cpus.size() == 1 || owner == Thread.currentThread()) {
            action.run();
            return;
        }
        leave();
        try {
            runExclusive(action);
        } finally {
            enter();
        }
    }

    private void awaitShared() {
        while (exclusive) {
            waitQuietly();
        }
    }

    private void awaitNobodyInside() {
        while (inside > 0) {
            waitQuietly();
        }
    }

    /** An interrupt of the thread is kept for whoever looks for it later. */
    private void waitQuietly() {
        boolean interrupted = Thread.interrupted();
        try {
            wait();
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
