package dev.javisor.kvm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One vCPU's time-stamp counter: KVM's offset to the host's TSC (Documentation/virt/kvm/devices/
 * vcpu.rst, KVM_VCPU_TSC_CTRL), or, where KVM does not tell it, the counter itself.
 */
final class TscOffset {
    // struct kvm_device_attr: flags@0, group@4, attr@8, addr@16
    private static final int ATTR_BYTES = 24;
    private static final int GROUP_TSC_CONTROL = 0;
    private static final int ATTR_OFFSET = 0;

    private final KvmCalls vcpu;
    private final MsrAccess msrs;
    private final VmClock clock;
    private final boolean exact;

    TscOffset(KvmCalls vcpu, MsrAccess msrs, VmClock clock) {
        this.vcpu = vcpu;
        this.msrs = msrs;
        this.clock = clock;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
            exact = vcpu.attempt(KvmAbi.HAS_DEVICE_ATTR, attribute(arena, value)) == 0;
        }
    }

    private static MemorySegment attribute(Arena arena, MemorySegment value) {
        MemorySegment s = arena.allocate(ATTR_BYTES, 8);
        s.set(ValueLayout.JAVA_INT, 4, GROUP_TSC_CONTROL);
        s.set(ValueLayout.JAVA_LONG, 8, ATTR_OFFSET);
        s.set(ValueLayout.JAVA_LONG, 16, value.address());
        return s;
    }

    /** KVM's offset: the guest's counter minus the host's. */
    private long kvmOffset() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
            vcpu.call("tell the TSC's offset", KvmAbi.GET_DEVICE_ATTR, attribute(arena, value));
            return value.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private long hostTsc() {
        return msrs.read(MsrList.TSC) - kvmOffset();
    }

    /** The guest's counter minus the guest clock in ticks. */
    long neutral() {
        return exact
                ? kvmOffset() - clock.base(this::hostTsc)
                : msrs.read(MsrList.TSC) - clock.ticksNow();
    }

    void setNeutral(long offset) {
        if (!exact) {
            // Off by the time between the two calls; KVM itself joins counters that are close.
            msrs.write(MsrList.TSC, clock.ticksNow() + offset);
            return;
        }
        long kvmOffset = clock.base(this::hostTsc) + offset;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_LONG, kvmOffset);
            vcpu.call("set the TSC's offset", KvmAbi.SET_DEVICE_ATTR, attribute(arena, value));
        }
    }
}
