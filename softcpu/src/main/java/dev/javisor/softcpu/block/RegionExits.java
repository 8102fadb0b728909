package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Cpu;

/**
 * The ways out of a region, by the number that its code returns. What they have to say is kept here
 * and not in the code, so that it stays small and the JIT has less to merge.
 */
public final class RegionExits {
    private static final int PENDING_SHIFT = 8;
    private static final int UNCOUNTED_SHIFT = 16;
    private static final int INDIRECT = 1 << 4;
    private static final int WHY = INDIRECT - 1;

    private final long[] ips;
    private final int[] infos;
    private int count;

    /**
     * @param capacity most exits
     */
    public RegionExits(int capacity) {
        ips = new long[capacity];
        infos = new int[capacity];
    }

    /**
     * Adds the next one.
     *
     * @param ip where to go on
     * @param why {@link Region#NEXT} or {@link Region#SIDE_EXIT}
     * @param pending kind of {@link PendingFlags}
     * @param uncounted instructions that have been counted, but not executed
     */
    public void add(long ip, int why, int pending, int uncounted) {
        ips[count] = ip;
        infos[count++] = why | pending << PENDING_SHIFT | uncounted << UNCOUNTED_SHIFT;
    }

    /** Adds the next one, {@link Region#NEXT}, whose code sets RIP. */
    public void addIndirect(int pending) {
        infos[count++] = Region.NEXT | INDIRECT | pending << PENDING_SHIFT;
    }

    /**
     * Makes RIP, flags and the count of instructions exact.
     *
     * @return {@link Region#NEXT} or {@link Region#SIDE_EXIT}
     */
    int leave(Cpu cpu, int number) {
        int info = infos[number];
        if ((info & INDIRECT) == 0) {
            cpu.rip = ips[number];
        }
        cpu.retired -= info >>> UNCOUNTED_SHIFT;
        PendingFlags.settle(cpu.flags, info >>> PENDING_SHIFT & 0xFF);
        return info & WHY;
    }
}
