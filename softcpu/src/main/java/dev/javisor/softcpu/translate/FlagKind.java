package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.PendingFlags;

/**
 * Where the status flags are while translated code runs. All but {@link #STORED} keep the operands
 * of the last operation in two locals, a and b, and compute flags only where something asks.
 */
enum FlagKind {
    /** In two locals as {@link dev.javisor.softcpu.core.Flags} has them. */
    STORED,
    /** Of a + b. */
    ADD64,
    ADD32,
    /** Of a - b. */
    SUB64,
    SUB32,
    /** Of the low bytes or words of a - b, which are kept shifted to the top. */
    SUB16,
    SUB8,
    /** Of the result a, sign-extended; CF, OF and AF are zero. */
    LOGIC;

    /** As {@link PendingFlags} knows it. */
    int pending() {
        return switch (this) {
            case STORED -> PendingFlags.STORED;
            case ADD64 -> PendingFlags.ADD64;
            case ADD32 -> PendingFlags.ADD32;
            case SUB64 -> PendingFlags.SUB64;
            case SUB32 -> PendingFlags.SUB32;
            case SUB16 -> PendingFlags.SUB16;
            case SUB8 -> PendingFlags.SUB8;
            case LOGIC -> PendingFlags.LOGIC;
        };
    }

    boolean isSubtraction() {
        return this == SUB64 || this == SUB32 || this == SUB16 || this == SUB8;
    }
}
