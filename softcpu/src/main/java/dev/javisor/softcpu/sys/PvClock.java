package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.Tsc;

/**
 * The KVM paravirtual clock of one vCPU (Linux Documentation/virt/kvm/x86/msr.rst and
 * arch/x86/include/asm/pvclock-abi.h). The page says how to turn the TSC into guest time; as both
 * come from one clock, it only changes when the TSC is moved. Owned by the vCPU's thread.
 */
final class PvClock {
    /** MSR_KVM_SYSTEM_TIME_NEW bit 0. */
    private static final long ENABLE = 1;

    private static final int TSC_STABLE = 1;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;

    // struct pvclock_vcpu_time_info
    private static final int VERSION = 0;
    private static final int TSC_TIMESTAMP = 8;
    private static final int SYSTEM_TIME = 16;
    private static final int MULTIPLIER = 24;
    private static final int SHIFT_FLAGS = 28;
    private static final int SIZE_BYTES = 32;

    private final Cpu cpu;
    private final Tsc tsc;
    private final int multiplier;
    private final int shift;
    private long systemTime;
    private long wallClock;

    PvClock(Cpu cpu, Tsc tsc) {
        this.cpu = cpu;
        this.tsc = tsc;
        // nanos = (ticks shifted by shift) * multiplier / 2^32, with 2^31 <= multiplier < 2^32.
        long hz = tsc.clock().tscHz();
        int s = 0;
        long scaled = hz;
        while (scaled > 2 * NANOS_PER_SECOND) {
            scaled >>= 1;
            s--;
        }
        while (scaled <= NANOS_PER_SECOND) {
            scaled <<= 1;
            s++;
        }
        this.shift = s;
        this.multiplier = (int) ((NANOS_PER_SECOND << 32) / scaled);
    }

    long systemTime() {
        return systemTime;
    }

    long wallClock() {
        return wallClock;
    }

    void reset() {
        systemTime = 0;
        wallClock = 0;
    }

    void writeSystemTime(long value) {
        systemTime = value;
        update();
    }

    /** Writes the page again: after a change of MSR or TSC. */
    void update() {
        if ((systemTime & ENABLE) == 0) {
            return;
        }
        long address = systemTime & ~3L & ~ENABLE;
        if (!cpu.mmu.ram().memory.contains(address, SIZE_BYTES)) {
            return;
        }
        // Odd while it changes. It goes on from what is there, which another accelerator may have
        // written while the guest was reading it.
        int there = (int) cpu.mmu.readPhysical(address + VERSION, 4);
        int version = (there | 1) + 2;
        put(address + VERSION, version);
        put64(address + TSC_TIMESTAMP, tsc.offset());
        put64(address + SYSTEM_TIME, 0);
        put(address + MULTIPLIER, multiplier);
        put(address + SHIFT_FLAGS, (shift & 0xFF) | TSC_STABLE << 8);
        put(address + VERSION, version + 1);
    }

    /** MSR_KVM_WALL_CLOCK_NEW: wall time at guest time 0, written once. */
    void writeWallClock(long value) {
        wallClock = value;
        long address = value & ~3L;
        if (!cpu.mmu.ram().memory.contains(address, 12)) {
            return;
        }
        GuestClock clock = tsc.clock();
        long wallNanos = clock.source().wallMillis() * 1_000_000 - clock.nanos();
        put(address, 1);
        put(address + 4, (int) Math.floorDiv(wallNanos, NANOS_PER_SECOND));
        put(address + 8, (int) Math.floorMod(wallNanos, NANOS_PER_SECOND));
        put(address, 2);
    }

    /** Pages are 4-byte aligned: a 64-bit field may straddle a page. */
    private void put(long address, int value) {
        cpu.mmu.writePhysical(address, 4, value & 0xFFFFFFFFL);
    }

    private void put64(long address, long value) {
        put(address, (int) value);
        put(address + 4, (int) (value >>> 32));
    }

    /** Restores the registers without touching guest memory, which is restored with its content. */
    void restore(long newSystemTime, long newWallClock) {
        systemTime = newSystemTime;
        wallClock = newWallClock;
        update();
    }
}
