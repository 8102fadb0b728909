package dev.javisor.kvm;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Registers of the processor model that KVM does not have on every host, held here instead: they
 * hold what is written to them. KVM is told to pass accesses on (KVM_X86_SET_MSR_FILTER), so that a
 * guest finds the same registers as on the software CPU. Belongs to a vCPU's thread.
 */
final class PlatformMsrs {
    /** AMD's system configuration (APM 2 appendix A), with power-on values. */
    private static final SortedMap<Integer, Long> POWER_ON = powerOn();

    private final SortedMap<Integer, Long> values = new TreeMap<>(Integer::compareUnsigned);

    private final boolean present;

    /**
     * @param present whether KVM passes on accesses to these registers; else they are KVM's own
     */
    PlatformMsrs(boolean present) {
        this.present = present;
        reset();
    }

    private static SortedMap<Integer, Long> powerOn() {
        SortedMap<Integer, Long> map = new TreeMap<>(Integer::compareUnsigned);
        map.put(0xC0010010, 0L); // SYSCFG
        map.put(0xC0010015, 1L << 24); // HWCR: the TSC counts at the P0 frequency
        map.put(0xC001001A, 0L); // TOP_MEM
        map.put(0xC001001D, 0L); // TOP_MEM2
        map.put(0xC001001F, 0L); // NB_CFG
        map.put(0xC0010055, 0L); // INTERRUPT_PENDING
        map.put(0xC0011020, 0L); // LS_CFG
        map.put(0xC0011022, 0L); // DC_CFG
        map.put(0xC0011029, 2L); // DE_CFG: LFENCE is serializing
        map.put(0xC001102A, 0L); // BU_CFG2
        return map;
    }

    void reset() {
        values.clear();
        if (present) {
            values.putAll(POWER_ON);
        }
    }

    static SortedMap<Integer, Long> all() {
        return POWER_ON;
    }

    boolean knows(int index) {
        return values.containsKey(index);
    }

    long read(int index) {
        return values.getOrDefault(index, 0L);
    }

    void write(int index, long value) {
        values.replace(index, value);
    }

    void saveTo(Map<Integer, Long> msrs) {
        msrs.putAll(values);
    }
}
