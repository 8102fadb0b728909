package dev.javisor.kvm;

import dev.javisor.hypervisor.HypervisorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Guest time on KVM: kvmclock is the guest clock, and a vCPU's neutral TSC offset is its counter
 * minus the guest clock in ticks.
 *
 * <p>The kernel tells kvmclock and the host's TSC of one instant; their relation, in ticks, is
 * {@link #base}. It is taken once for all vCPUs, so that equal neutral offsets become equal KVM
 * offsets: only then are the guest's counters in step, and kvmclock stable.
 */
final class VmClock {
    private static final int CLOCK_BYTES = 48;
    private static final int CLOCK = 0;
    private static final int FLAGS = 8;
    private static final int HOST_TSC = 24;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    /** What clocks may differ by without anybody noticing: as in KVM's own tsc_tolerance_ppm. */
    private static final long TOLERANCE_PPM = 250;

    private final KvmCalls vm;
    private final long tscHz;

    /** Guest clock in ticks minus the host's TSC, once known. Guarded by this. */
    private long base;

    private boolean baseKnown;

    VmClock(KvmCalls vm, long wantedHz, boolean canScale) {
        this.vm = vm;
        long khz = vm.system().ioctl(vm.fd(), KvmAbi.GET_TSC_KHZ, 0);
        if (khz <= 0) {
            throw new HypervisorException("this host's TSC frequency is not known to KVM");
        }
        long wantedKhz = wantedHz / 1000;
        if (wantedHz != 0 && Math.abs(wantedKhz - khz) > khz * TOLERANCE_PPM / 1_000_000) {
            if (!canScale) {
                throw new HypervisorException(
                        "a TSC of %d kHz: this host's runs at %d kHz and cannot be scaled"
                                .formatted(wantedKhz, khz));
            }
            vm.call("scale the TSC", KvmAbi.SET_TSC_KHZ, wantedKhz);
            khz = wantedKhz;
        }
        tscHz = khz * 1000;
    }

    long tscHz() {
        return tscHz;
    }

    long nanos() {
        try (Arena arena = Arena.ofConfined()) {
            return read(arena).get(ValueLayout.JAVA_LONG, CLOCK);
        }
    }

    /** Only while no vCPU runs. */
    synchronized void set(long guestNanos) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment s = arena.allocate(CLOCK_BYTES, 8);
            s.set(ValueLayout.JAVA_LONG, CLOCK, guestNanos);
            vm.call("set the clock", KvmAbi.SET_CLOCK, s);
        }
        baseKnown = false;
    }

    private MemorySegment read(Arena arena) {
        MemorySegment s = arena.allocate(CLOCK_BYTES, 8);
        vm.call("tell the time", KvmAbi.GET_CLOCK, s);
        return s;
    }

    /**
     * The relation of guest clock and host TSC.
     *
     * @param hostTsc for hosts whose kernel does not tell it: the host's TSC about now
     */
    synchronized long base(java.util.function.LongSupplier hostTsc) {
        if (!baseKnown) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment s = read(arena);
                boolean told = (s.get(ValueLayout.JAVA_INT, FLAGS) & KvmAbi.CLOCK_HOST_TSC) != 0;
                long host = told ? s.get(ValueLayout.JAVA_LONG, HOST_TSC) : hostTsc.getAsLong();
                base = ticks(s.get(ValueLayout.JAVA_LONG, CLOCK)) - host;
                baseKnown = true;
            }
        }
        return base;
    }

    /** The guest clock in ticks, about now. */
    long ticksNow() {
        return ticks(nanos());
    }

    private long ticks(long nanos) {
        return Math.multiplyHigh(nanos, tscHz) == 0 && nanos * tscHz >= 0
                ? nanos * tscHz / NANOS_PER_SECOND
                : nanos / NANOS_PER_SECOND * tscHz
                        + nanos % NANOS_PER_SECOND * tscHz / NANOS_PER_SECOND;
    }
}
