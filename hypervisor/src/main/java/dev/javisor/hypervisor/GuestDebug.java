package dev.javisor.hypervisor;

import java.util.List;

/**
 * What a vCPU is to stop at for its machine. The guest does not see it: neither in its own debug
 * registers nor, as far as the accelerator can help it, in RFLAGS.TF.
 *
 * @param singleStep stop after each instruction, or each element of a repeated string instruction
 * @param breakpoints at most {@link #MOST_BREAKPOINTS}
 */
public record GuestDebug(boolean singleStep, List<Breakpoint> breakpoints) {
    /** As many as a processor has address registers (SDM 3B §19.2.1). */
    public static final int MOST_BREAKPOINTS = 4;

    /** Stops at nothing. */
    public static final GuestDebug NONE = new GuestDebug(false, List.of());

    // DR7 (SDM 3B §19.2.4).
    private static final long DR7_FIXED = 1 << 10;
    private static final long DR7_GLOBAL_EXACT = 1 << 9;

    public GuestDebug {
        breakpoints = List.copyOf(breakpoints);
        if (breakpoints.size() > MOST_BREAKPOINTS) {
            throw new IllegalArgumentException(
                    "%d breakpoints: at most %d".formatted(breakpoints.size(), MOST_BREAKPOINTS));
        }
    }

    /** Whether it stops at anything. */
    public boolean isOn() {
        return singleStep || !breakpoints.isEmpty();
    }

    /** The breakpoints as DR7 says it; breakpoint {@code n}'s address belongs into DR{@code n}. */
    public long controlRegister() {
        long dr7 = DR7_FIXED | (breakpoints.isEmpty() ? 0 : DR7_GLOBAL_EXACT);
        for (int n = 0; n < breakpoints.size(); n++) {
            Breakpoint b = breakpoints.get(n);
            dr7 |= 2L << 2 * n | b.kind().readWrite() << 16 + 4 * n | b.length() << 18 + 4 * n;
        }
        return dr7;
    }

    /** Bit {@code n}: breakpoint {@code n} stands before the instruction at {@code linear}. */
    public int at(long linear) {
        int hit = 0;
        for (int n = 0; n < breakpoints.size(); n++) {
            Breakpoint b = breakpoints.get(n);
            if (b.kind() == Kind.EXECUTE && b.address() == linear) {
                hit |= 1 << n;
            }
        }
        return hit;
    }

    /** What a breakpoint watches for. */
    public enum Kind {
        /** Stops before the instruction. */
        EXECUTE(0),
        /** Stops after the instruction that stored. */
        WRITE(1),
        /** Stops after the instruction that loaded or stored. */
        ACCESS(3);

        private final long readWrite;

        Kind(long readWrite) {
            this.readWrite = readWrite;
        }

        /** DR7's R/W field. */
        long readWrite() {
            return readWrite;
        }
    }

    /**
     * One breakpoint.
     *
     * @param address linear, aligned to {@code sizeBytes}
     * @param sizeBytes 1, 2, 4 or 8; 1 for {@link Kind#EXECUTE}
     */
    public record Breakpoint(Kind kind, long address, int sizeBytes) {
        public Breakpoint {
            boolean size = sizeBytes == 1 || sizeBytes == 2 || sizeBytes == 4 || sizeBytes == 8;
            if (!size || kind == Kind.EXECUTE && sizeBytes != 1) {
                throw new IllegalArgumentException(
                        "breakpoint of %d bytes: 1, 2, 4 or 8, and 1 for code"
                                .formatted(sizeBytes));
            }
            if ((address & sizeBytes - 1) != 0) {
                throw new IllegalArgumentException(
                        "breakpoint at %#x is not aligned to %d bytes"
                                .formatted(address, sizeBytes));
            }
        }

        /** DR7's LEN field. */
        long length() {
            return sizeBytes == 8 ? 2 : sizeBytes - 1;
        }
    }

    /**
     * Why a vCPU stopped.
     *
     * @param stepped one instruction was executed because of {@link #singleStep}
     * @param breakpoints bit {@code n}: breakpoint {@code n} was met
     */
    public record Stop(boolean stepped, int breakpoints) {
        /** Before the first. */
        public static final Stop NONE = new Stop(false, 0);
    }
}
