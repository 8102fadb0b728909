package dev.javisor.mainlinekvm;

import dev.javisor.guests.Conformance;
import dev.javisor.guests.ConformanceException;
import dev.javisor.guests.Lockstep;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.kvm.DirtyTracking;
import dev.javisor.kvm.KvmHypervisor;
import dev.javisor.mainlinekvm.Suite.TestCase;
import dev.javisor.softcpu.SoftAssistance;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Runs all suites in this process and tells the results ({@link Results}). Arguments: nothing for
 * all cases but those by name only, else parts of {@code SUITE/CASE} names, of which one must
 * occur.
 */
public final class InsideMain {
    /** Arguments of a short run that touches most classes, on any host. */
    static final List<String> TRAINING =
            List.of("conformance-soft/registers", "conformance-soft/paging");

    private InsideMain() {}

    public static void main(String[] arguments) {
        List<String> parts = List.of(arguments);
        List<Suite> suites = new ArrayList<>(suites());
        if (parts.stream().anyMatch(part -> part.startsWith(HandoverCases.SUITE))) {
            suites.add(HandoverCases.all());
        }
        System.exit(run(suites, new Results(System.out), parts));
    }

    private static List<Suite> suites() {
        return List.of(
                conformance("soft", new SoftHypervisor(Translation.OFF)),
                conformance("kvm", new KvmHypervisor()),
                assisted(),
                dirtyRings(),
                lockstep(),
                LinuxCases.kvm());
    }

    private static Suite conformance(String accelerator, Hypervisor hypervisor) {
        List<TestCase> cases = new ArrayList<>();
        for (Conformance.Case c : Conformance.cases()) {
            cases.add(new TestCase(c.name(), () -> conforms(c, hypervisor)));
        }
        return new Suite("conformance-" + accelerator, cases);
    }

    /** What the accelerator does otherwise if it has an instruction assistant. */
    private static Suite assisted() {
        Hypervisor kvm = new KvmHypervisor(new SoftAssistance());
        List<TestCase> cases = new ArrayList<>();
        for (Conformance.Case c : Conformance.casesWithAssistant()) {
            if (c.name().startsWith("machine-")) {
                cases.add(new TestCase(c.name(), () -> conforms(c, kvm)));
            }
        }
        return new Suite("assisted-kvm", cases);
    }

    /** The dirty log by ring, which is taken by itself for large memory only. */
    private static Suite dirtyRings() {
        Hypervisor kvm = new KvmHypervisor(new SoftAssistance(), DirtyTracking.RING);
        List<TestCase> cases = new ArrayList<>();
        for (Conformance.Case c : Conformance.cases()) {
            if (c.name().startsWith("dirty-log")) {
                cases.add(new TestCase(c.name(), () -> conforms(c, kvm)));
            }
        }
        return new Suite("dirty-rings", cases);
    }

    /** The software CPU against KVM: all state and memory, at each stop. */
    private static Suite lockstep() {
        Hypervisor soft = new SoftHypervisor(Translation.OFF);
        Hypervisor kvm = new KvmHypervisor();
        List<TestCase> cases = new ArrayList<>();
        for (Lockstep.Case c : Lockstep.cases()) {
            cases.add(new TestCase(c.name(), () -> agree(c, soft, kvm)));
        }
        return new Suite("lockstep", cases);
    }

    private static void agree(Lockstep.Case c, Hypervisor soft, Hypervisor kvm) {
        try {
            if (c.run(soft, kvm) < 1) {
                throw new AssertionError("nothing was compared");
            }
        } catch (ConformanceException e) {
            if (EmulatorFlaw.onlyResumeFlag(String.valueOf(e.getMessage()))) {
                throw new SkippedException(
                        "the emulated processor treats RF otherwise in the flags that a fault"
                                + " pushes (SDM 3B 18.3.1.1); equal until then: "
                                + e.getMessage());
            }
            throw e;
        }
    }

    private static void conforms(Conformance.Case c, Hypervisor hypervisor) {
        try {
            c.run(hypervisor);
        } catch (ConformanceException e) {
            boolean onProcessor = hypervisor instanceof KvmHypervisor;
            Optional<EmulatorFlaw> flaw =
                    onProcessor ? EmulatorFlaw.shownBy(c.name(), e) : Optional.empty();
            if (flaw.isPresent()) {
                throw new SkippedException("the emulated processor " + flaw.get().reason());
            }
            throw e;
        }
    }

    /** The exit status: 0 if no case failed. */
    static int run(List<Suite> suites, Results results, List<String> filters) {
        List<Suite> wanted = new ArrayList<>();
        for (Suite suite : suites) {
            List<TestCase> cases =
                    suite.cases().stream()
                            .filter(c -> matches(suite.name() + '/' + c.name(), filters))
                            .toList();
            wanted.add(new Suite(suite.name(), cases));
            cases.forEach(c -> results.plan(suite.name(), c.name()));
        }
        int status = 0;
        HangWatch watch = new HangWatch(System.out);
        for (Suite suite : wanted) {
            for (TestCase c : suite.cases()) {
                results.start(suite.name(), c.name());
                long start = System.nanoTime();
                watch.begin(suite.name() + '/' + c.name());
                try {
                    c.body().run();
                    results.pass(suite.name(), c.name(), millisSince(start));
                } catch (SkippedException e) {
                    results.skip(
                            suite.name(),
                            c.name(),
                            millisSince(start),
                            String.valueOf(e.getMessage()));
                } catch (Throwable e) {
                    results.fail(suite.name(), c.name(), millisSince(start), e);
                    status = 1;
                } finally {
                    watch.end();
                }
            }
        }
        results.end();
        return status;
    }

    private static boolean matches(String name, List<String> filters) {
        return filters.isEmpty() || filters.stream().anyMatch(name::contains);
    }

    private static long millisSince(long start) {
        return (System.nanoTime() - start) / 1_000_000;
    }
}
