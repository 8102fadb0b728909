package dev.javisor.block.qcow2;

import java.util.ArrayList;
import java.util.List;

/** The guest clusters that are being allocated. Guarded by the metadata lock. */
final class Allocations {
    /** Guest clusters [first, first + count). */
    record Allocation(long first, long count) {}

    private final Qcow2Metadata meta;
    private final List<Allocation> all = new ArrayList<>();

    Allocations(Qcow2Metadata meta) {
        this.meta = meta;
    }

    boolean isBusy(long cluster) {
        for (int i = 0; i < all.size(); i++) {
            Allocation each = all.get(i);
            if (cluster >= each.first && cluster < each.first + each.count) {
                return true;
            }
        }
        return false;
    }

    /** Waits, without the lock, until some allocation has ended. */
    void await() {
        meta.allocationEnded.awaitUninterruptibly();
    }

    Allocation begin(long first, long count) {
        Allocation allocation = new Allocation(first, count);
        all.add(allocation);
        return allocation;
    }

    void end(Allocation allocation) {
        all.remove(allocation);
        meta.allocationEnded.signalAll();
    }
}
