package dev.javisor.kvm;

import dev.javisor.base.TimeSource;

/** KVM has a clock of its own: what is never asked. */
final class NoTime implements TimeSource {
    @Override
    public long nanos() {
        throw new AssertionError("asked for the time");
    }

    @Override
    public long wallMillis() {
        throw new AssertionError("asked for the time");
    }

    @Override
    public Timer timer(String name, Runnable action) {
        throw new AssertionError("asked for a timer");
    }
}
