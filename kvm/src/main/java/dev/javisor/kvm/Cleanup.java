package dev.javisor.kvm;

import java.util.ArrayDeque;
import java.util.Deque;

/** What must be closed, in the reverse order of its opening, all of it whatever fails. */
final class Cleanup implements AutoCloseable {
    /** A close that throws nothing checked. */
    @FunctionalInterface
    interface Step {
        void run();
    }

    private final Deque<Step> steps = new ArrayDeque<>();

    void add(Step step) {
        steps.push(step);
    }

    /** Undoes everything after {@code cause}, to which further failures are added. */
    void closeAfter(Throwable cause) {
        try {
            close();
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    @Override
    public void close() {
        RuntimeException failure = null;
        while (!steps.isEmpty()) {
            try {
                steps.pop().run();
            } catch (RuntimeException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
