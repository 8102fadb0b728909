package dev.javisor.softcpu.core;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many decoded blocks the vCPUs of a virtual machine keep in all, so that many of them fit into
 * the heap as well as one. A vCPU may have more than its share while the others have less.
 */
public final class BlockBudget {
    /** Some 70 MiB. */
    private static final int MOST_OF_ONE = 150_000;

    /** Some 190 MiB. */
    private static final int ALL = 400_000;

    private final AtomicInteger vcpus = new AtomicInteger();
    private final AtomicInteger blocks = new AtomicInteger();

    BlockBudget() {}

    /** A vCPU comes. */
    public void join() {
        vcpus.incrementAndGet();
    }

    /** Whether a vCPU that has {@code own} blocks may keep another; else it drops all of them. */
    public boolean grants(int own) {
        return own < MOST_OF_ONE && (blocks.get() < ALL || own < ALL / vcpus.get());
    }

    /** A vCPU has so many more, or fewer. */
    public void add(int count) {
        blocks.addAndGet(count);
    }
}
