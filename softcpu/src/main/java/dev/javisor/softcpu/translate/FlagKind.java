package dev.javisor.softcpu.translate;

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

    boolean isSubtraction() {
        return this == SUB64 || this == SUB32 || this == SUB16 || this == SUB8;
    }
}
