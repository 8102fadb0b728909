package dev.javisor.vmm;

import java.util.ArrayDeque;
import java.util.Deque;

/** What must be closed, in the reverse order of its opening, all of it whatever fails. */
final class Resources implements AutoCloseable {
    /** A close that throws nothing checked. */
    @FunctionalInterface
    interface Release extends AutoCloseable {
        @Override
        void close();
    }

    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    <T extends AutoCloseable> T add(T resource) {
        open.push(resource);
        return resource;
    }

    void add(Release release) {
        open.push(release);
    }

    /** Closes everything; a failure is added to {@code cause}. */
    void closeAfter(Throwable cause) {
        try {
            close();
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    @Override
    public void close() {
        VmException failure = null;
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Exception e) {
                if (failure == null) {
                    failure = new VmException(String.valueOf(e.getMessage()), e);
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
