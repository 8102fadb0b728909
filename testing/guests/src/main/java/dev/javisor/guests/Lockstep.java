package dev.javisor.guests;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs the same tiny guest on two accelerators, from one write to {@link #SYNC_PORT} to the next,
 * and compares all state of the vCPU and all of memory there. What may differ is {@link
 * SideBySide}'s to say; of memory, the bytes that a case names.
 */
public final class Lockstep {
    /** A guest writes here to have states compared. */
    public static final int SYNC_PORT = 0xF6;

    /** So that a guest that is lost ends. */
    private static final int MOST_STOPS = 10_000;

    /** Puts guest code and data into a machine and its vCPU 0 at the start. */
    @FunctionalInterface
    public interface Setup {
        void prepare(Testbed bed);
    }

    /**
     * One guest.
     *
     * @param model that it needs
     * @param ignored ranges of memory that may differ: start and size, each a multiple of 8
     */
    public record Case(String name, CpuModel model, Setup setup, List<long[]> ignored) {
        Case(String name, Setup setup) {
            this(name, CpuModel.X86_64_V2, setup, List.of());
        }

        /**
         * Runs it on both.
         *
         * @return points compared
         * @throws ConformanceException at the first difference
         */
        public int run(Hypervisor first, Hypervisor second) {
            long tscHz = Math.max(first.fixedTscHz(), second.fixedTscHz());
            try (Testbed a = new Testbed(first, 1, tscHz, model);
                    Testbed b = new Testbed(second, 1, tscHz, model)) {
                return new Lockstep(this, a, b).run();
            }
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private final Case guest;
    private final Testbed a;
    private final Testbed b;

    private Lockstep(Case guest, Testbed a, Testbed b) {
        this.guest = guest;
        this.a = a;
        this.b = b;
    }

    /** The guests: paging, faults, interrupts, segments, MSRs, tasks, strings. */
    public static List<Case> cases() {
        return LockstepCases.CASES;
    }

    private int run() {
        prepare(a);
        prepare(b);
        // From the same state: accelerators differ in what they power on with.
        CpuState start = a.on(0, a.vcpu(0)::save);
        b.on(
                0,
                () -> {
                    b.vcpu(0).restore(start);
                    return true;
                });
        compare("start");
        for (int stop = 1; stop <= MOST_STOPS; stop++) {
            Testbed.Stop x = a.runToStop(0);
            Testbed.Stop y = b.runToStop(0);
            if (!x.equals(y)) {
                throw new ConformanceException(
                        "%s, stop %d: %s %s on %s, %s %s on %s"
                                .formatted(
                                        guest.name,
                                        stop,
                                        x,
                                        a.vcpu(0).exitDetail(),
                                        a.hypervisor.name(),
                                        y,
                                        b.vcpu(0).exitDetail(),
                                        b.hypervisor.name()));
            }
            if (x.reason() == ExitReason.SHUTDOWN) {
                // What registers hold after a triple fault is nobody's promise.
                return stop;
            }
            compare("stop " + stop + " " + x);
            if (x.reason() != ExitReason.KICKED || x.port() != SYNC_PORT) {
                return stop;
            }
        }
        throw new ConformanceException(guest.name + ": does not end");
    }

    private void prepare(Testbed bed) {
        bed.stopPort = SYNC_PORT;
        guest.setup.prepare(bed);
    }

    private void compare(String where) {
        CpuState x = a.on(0, a.vcpu(0)::save);
        CpuState y = b.on(0, b.vcpu(0)::save);
        List<String> found = new ArrayList<>(SideBySide.differences(x, y));
        memory(found);
        if (!found.isEmpty()) {
            throw new ConformanceException(
                    "%s, %s, %s against %s:%n  %s"
                            .formatted(
                                    guest.name,
                                    where,
                                    a.hypervisor.name(),
                                    b.hypervisor.name(),
                                    String.join(System.lineSeparator() + "  ", found)));
        }
    }

    private void memory(List<String> found) {
        long at = 0;
        while (found.size() < 20) {
            long rest = Testbed.RAM_BYTES - at;
            long miss =
                    a.memory
                            .slice(at, rest)
                            .orElseThrow()
                            .mismatch(b.memory.slice(at, rest).orElseThrow());
            if (miss < 0) {
                return;
            }
            long word = (at + miss) & ~7L;
            if (!isIgnored(word)) {
                found.add(
                        "memory at %#x: %#x against %#x"
                                .formatted(word, a.memory.readLong(word), b.memory.readLong(word)));
            }
            at = word + 8;
            if (at >= Testbed.RAM_BYTES) {
                return;
            }
        }
    }

    private boolean isIgnored(long word) {
        for (long[] range : guest.ignored) {
            if (word >= range[0] && word < range[0] + range[1]) {
                return true;
            }
        }
        return false;
    }
}
