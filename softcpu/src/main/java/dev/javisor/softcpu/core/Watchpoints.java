package dev.javisor.softcpu.core;

/**
 * Data breakpoints (SDM 3B §19.2.5): the guest's, of DR0 to DR3, and the machine's. While any is
 * enabled the {@link Mmu} keeps watched pages out of its TLB and reports every access that takes
 * the slow path.
 */
public final class Watchpoints {
    /** R/W field of DR7: breaks on writes only. The other kind of data breakpoint is 3. */
    private static final int WRITE = 1;

    private Watchpoints() {}

    /** Whether any is enabled. */
    public static boolean armed(Cpu cpu) {
        for (int n = 0; n < 4; n++) {
            if (isData(cpu.dr[7], n) || isData(cpu.hostDr7, n)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isData(long dr7, int n) {
        boolean enabled = (dr7 & (3L << (2 * n))) != 0;
        return enabled && (type(dr7, n) & 1) != 0;
    }

    private static int type(long dr7, int n) {
        return (int) (dr7 >>> (16 + 4 * n)) & 3;
    }

    /** LEN field of DR7, in bytes. */
    public static int length(long dr7, int n) {
        return switch ((int) (dr7 >>> (18 + 4 * n)) & 3) {
            case 0 -> 1;
            case 1 -> 2;
            case 2 -> 8;
            default -> 4;
        };
    }

    /** Whether a breakpoint lies in the page of {@code linear}. */
    static boolean inPage(Cpu cpu, long linear) {
        for (int n = 0; n < 4; n++) {
            if (isData(cpu.dr[7], n) && cpu.dr[n] >>> 12 == linear >>> 12
                    || isData(cpu.hostDr7, n) && cpu.hostDr[n] >>> 12 == linear >>> 12) {
                return true;
            }
        }
        return false;
    }

    /**
     * Adds the breakpoints that an access meets to {@link Cpu#pendingDebug} and {@link
     * Cpu#hostHits}.
     */
    public static void check(Cpu cpu, long linear, int sizeBytes, boolean write) {
        cpu.pendingDebug |= met(cpu.dr, cpu.dr[7], linear, sizeBytes, write);
        cpu.hostHits |= met(cpu.hostDr, cpu.hostDr7, linear, sizeBytes, write);
    }

    private static int met(long[] dr, long dr7, long linear, int sizeBytes, boolean write) {
        int hits = 0;
        for (int n = 0; n < 4; n++) {
            if (isData(dr7, n)
                    && (write || type(dr7, n) != WRITE)
                    && overlaps(dr[n], length(dr7, n), linear, sizeBytes)) {
                hits |= 1 << n;
            }
        }
        return hits;
    }

    /** Breakpoints cover an aligned range of their length. */
    public static boolean overlaps(long breakpoint, int length, long address, int sizeBytes) {
        long start = breakpoint & -length;
        return address < start + length && start < address + sizeBytes;
    }
}
