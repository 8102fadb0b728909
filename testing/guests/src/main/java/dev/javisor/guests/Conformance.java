package dev.javisor.guests;

import dev.javisor.hypervisor.Hypervisor;
import java.util.ArrayList;
import java.util.List;

/** The suite: every case on an accelerator, through the contract only. */
public final class Conformance {
    /** What one case does with a fresh virtual machine. */
    @FunctionalInterface
    public interface Body {
        void run(Testbed bed);
    }

    /**
     * One case.
     *
     * @param vcpus it needs
     */
    public record Case(String name, int vcpus, Body body) {
        /**
         * Runs it.
         *
         * @throws ConformanceException if the accelerator does not conform
         */
        public void run(Hypervisor hypervisor) {
            try (Testbed bed = new Testbed(hypervisor, vcpus)) {
                body.run(bed);
            }
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /**
     * How one case went.
     *
     * @param failure empty if it passed
     */
    public record Result(String name, String failure, long nanos) {
        public boolean passed() {
            return failure.isEmpty();
        }
    }

    private Conformance() {}

    public static List<Case> cases() {
        List<Case> all = new ArrayList<>();
        all.addAll(CpuCases.CASES);
        all.addAll(IoCases.CASES);
        all.addAll(PagingCases.CASES);
        all.addAll(ModeCases.CASES);
        all.addAll(InterruptCases.CASES);
        all.addAll(MachineCases.CASES);
        all.addAll(DirtyCases.CASES);
        all.addAll(CodeCases.CASES);
        all.addAll(DebugCases.CASES);
        all.addAll(SmpCases.CASES);
        return List.copyOf(all);
    }

    /** All cases, and what also needs an accelerator's assistant. */
    public static List<Case> casesWithAssistant() {
        List<Case> all = new ArrayList<>(cases());
        all.addAll(DebugCases.ASSISTED);
        return List.copyOf(all);
    }

    /** Runs all cases, one after the other. */
    public static List<Result> run(Hypervisor hypervisor) {
        List<Result> results = new ArrayList<>();
        for (Case c : cases()) {
            long start = System.nanoTime();
            String failure = "";
            try {
                c.run(hypervisor);
            } catch (ConformanceException e) {
                failure = String.valueOf(e.getMessage());
            }
            results.add(new Result(c.name, failure, System.nanoTime() - start));
        }
        return results;
    }
}
