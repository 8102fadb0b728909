package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.Flags;

/**
 * Status flags as translated code leaves them: the kind of the last operation, and its operands a
 * and b in {@link Flags#result} and {@link Flags#aux}. Computing them here, behind the region,
 * keeps calls out of it: a call in a loop makes the JIT keep the loop's variables in memory.
 */
public final class PendingFlags {
    /** Nothing is pending. */
    public static final int STORED = 0;

    /** Of a + b. */
    public static final int ADD64 = 1;

    public static final int ADD32 = 2;

    /** Of a - b. */
    public static final int SUB64 = 3;

    public static final int SUB32 = 4;

    /** Of a - b, both shifted up to the sign's place. */
    public static final int SUB16 = 5;

    public static final int SUB8 = 6;

    /** Of the sign-extended result a; CF, OF and AF are zero. */
    public static final int LOGIC = 7;

    private PendingFlags() {}

    /** Makes the flags what {@code kind} and the two operands say. */
    public static void settle(Flags flags, int kind) {
        long a = flags.result;
        long b = flags.aux;
        switch (kind) {
            case STORED -> {}
            case ADD64 -> Alu.add64(flags, a, b);
            case ADD32 -> Alu.add32(flags, a, b);
            case SUB64 -> Alu.sub64(flags, a, b);
            case SUB32 -> Alu.sub32(flags, a, b);
            case SUB16 -> Alu.cmpNarrow(flags, a >>> 48, b >>> 48, 48);
            case SUB8 -> Alu.cmpNarrow(flags, a >>> 56, b >>> 56, 56);
            case LOGIC -> Alu.logic64(flags, a);
            default -> throw new IllegalArgumentException("flags of kind " + kind);
        }
    }
}
