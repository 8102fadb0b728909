package dev.javisor.vmm;

import dev.javisor.linux.Errno;
import dev.javisor.linux.SystemCalls;
import java.util.List;

/**
 * How the host schedules the threads of a machine's vCPUs (sched(7)).
 *
 * @param affinity host CPUs: vCPU n runs on the one at n modulo their number; empty for any
 * @param policy the scheduling class
 * @param nice -20 (most favoured) to 19; 0 leaves it alone
 */
public record VcpuScheduling(List<Integer> affinity, Policy policy, int nice) {
    /** As the host likes. */
    public static final VcpuScheduling STANDARD = new VcpuScheduling(List.of(), Policy.NORMAL, 0);

    /** What sched_setaffinity(2) can name here. */
    private static final int MAX_HOST_CPU = 1023;

    /** The lowest of SCHED_FIFO and SCHED_RR: above everything that is not real time. */
    private static final int REAL_TIME_PRIORITY = 1;

    /** A scheduling class. */
    public enum Policy {
        /** As other processes. */
        NORMAL,
        /** For long computations: woken later. */
        BATCH,
        /** Only when nothing else wants the CPU. */
        IDLE,
        /** Real time: until it waits. */
        FIFO,
        /** Real time: in turns. */
        RR
    }

    /**
     * @throws VmException if a value is out of its range
     */
    public VcpuScheduling {
        affinity = List.copyOf(affinity);
        for (int cpu : affinity) {
            if (cpu < 0 || cpu > MAX_HOST_CPU) {
                throw new VmException(
                        "host CPU %d: 0 to %d are possible".formatted(cpu, MAX_HOST_CPU));
            }
        }
        if (nice < -20 || nice > 19) {
            throw new VmException("nice value of %d: -20 to 19 are possible".formatted(nice));
        }
    }

    boolean isStandard() {
        return affinity.isEmpty() && policy == Policy.NORMAL && nice == 0;
    }

    /**
     * Applies this to the calling thread.
     *
     * @param vcpu that the thread runs
     * @throws VmException if the host refuses
     */
    void apply(SystemCalls system, int vcpu) {
        int thread = system.gettid();
        if (!affinity.isEmpty()) {
            int cpu = affinity.get(vcpu % affinity.size());
            long[] mask = new long[(MAX_HOST_CPU + 1) / 64];
            mask[cpu >>> 6] = 1L << cpu;
            check(
                    system.setAffinity(thread, mask),
                    "run vCPU %d on host CPU %d".formatted(vcpu, cpu),
                    "name CPUs that this process may use");
        }
        if (policy != Policy.NORMAL) {
            int priority =
                    switch (policy) {
                        case NORMAL, BATCH, IDLE -> 0;
                        case FIFO, RR -> REAL_TIME_PRIORITY;
                    };
            check(
                    system.setScheduler(thread, number(policy), priority),
                    "schedule vCPU %d as %s".formatted(vcpu, policy),
                    "real time needs CAP_SYS_NICE or RLIMIT_RTPRIO");
        }
        if (nice != 0) {
            check(
                    system.setPriority(SystemCalls.PRIO_PROCESS, thread, nice),
                    "give vCPU %d a nice value of %d".formatted(vcpu, nice),
                    "values below 0 need CAP_SYS_NICE or RLIMIT_NICE");
        }
    }

    private static int number(Policy policy) {
        return switch (policy) {
            case NORMAL -> SystemCalls.SCHED_OTHER;
            case BATCH -> SystemCalls.SCHED_BATCH;
            case IDLE -> SystemCalls.SCHED_IDLE;
            case FIFO -> SystemCalls.SCHED_FIFO;
            case RR -> SystemCalls.SCHED_RR;
        };
    }

    private static void check(int result, String what, String remedy) {
        if (result < 0) {
            throw new VmException(
                    "the host does not %s: %s: %s"
                            .formatted(what, Errno.describe(-result), remedy));
        }
    }
}
