package dev.javisor.softcpu.core;

/**
 * RFLAGS. The six status flags are kept lazily in two words, so that setting them costs a few
 * operations without a branch and reading one costs one or two:
 *
 * <pre>
 * result  sign-extended result of the last flag-setting operation
 *           ZF = result == 0      SF = sign(result) ^ aux bit 16
 *           PF = even parity of (result ^ aux >> 8) bits 0..7
 * aux     bit 63 CF    bit 62 such that OF = bit 63 ^ bit 62
 *         bit 3 AF     bits 8..15 parity correction    bit 16 sign correction
 * </pre>
 *
 * The corrections are zero after arithmetic; {@link #setStatus} uses them for combinations that no
 * result has (ZF and SF both set, say).
 */
public final class Flags {
    public static final int CF = 1;
    public static final int PF = 1 << 2;
    public static final int AF = 1 << 4;
    public static final int ZF = 1 << 6;
    public static final int SF = 1 << 7;
    public static final int TF = 1 << 8;
    public static final int IF = 1 << 9;
    public static final int DF = 1 << 10;
    public static final int OF = 1 << 11;
    public static final int IOPL = 3 << 12;
    public static final int NT = 1 << 14;
    public static final int RF = 1 << 16;
    public static final int VM = 1 << 17;
    public static final int AC = 1 << 18;
    public static final int VIF = 1 << 19;
    public static final int VIP = 1 << 20;
    public static final int ID = 1 << 21;

    /** CF, PF, AF, ZF, SF, OF. */
    public static final int STATUS = CF | PF | AF | ZF | SF | OF;

    /** Everything else that exists. */
    public static final int SYSTEM = TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

    public long result = 1;
    public long aux;

    /** Bits of {@link #SYSTEM}; bit 1 is not kept here. */
    public int system;

    Flags() {}

    /**
     * Sets all six after an operation of {@code sizeBytes}.
     *
     * @param value the result, any extension
     * @param carries carry (or borrow) out of every bit position
     */
    public void set(int sizeBytes, long value, long carries) {
        int shift = 64 - 8 * sizeBytes;
        result = value << shift >> shift;
        aux = ((carries << shift) & 0xC000_0000_0000_0000L) | (carries & 8);
    }

    /** After {@code a + b (+ carry) = value}. */
    public void add(int sizeBytes, long a, long b, long value) {
        set(sizeBytes, value, (a & b) | ((a | b) & ~value));
    }

    /** After {@code a - b (- borrow) = value}. */
    public void sub(int sizeBytes, long a, long b, long value) {
        set(sizeBytes, value, (~a & b) | ((~a | b) & value));
    }

    /** After AND, OR, XOR, TEST: CF, OF, AF (undefined) zero. */
    public void logic(int sizeBytes, long value) {
        int shift = 64 - 8 * sizeBytes;
        result = value << shift >> shift;
        aux = 0;
    }

    /** After INC ({@code b == 1}): all but CF. */
    public void inc(int sizeBytes, long a, long value) {
        boolean carry = cf();
        add(sizeBytes, a, 1, value);
        setCarryKeepingOverflow(carry);
    }

    public void dec(int sizeBytes, long a, long value) {
        boolean carry = cf();
        sub(sizeBytes, a, 1, value);
        setCarryKeepingOverflow(carry);
    }

    private void setCarryKeepingOverflow(boolean carry) {
        if (carry != cf()) {
            aux ^= 0xC000_0000_0000_0000L;
        }
    }

    public boolean cf() {
        return aux < 0;
    }

    public boolean zf() {
        return result == 0;
    }

    public boolean sf() {
        return (result ^ (aux << 47)) < 0;
    }

    public boolean of() {
        return (aux ^ (aux << 1)) < 0;
    }

    public boolean pf() {
        return (Integer.bitCount((int) (result ^ (aux >>> 8)) & 0xFF) & 1) == 0;
    }

    public boolean af() {
        return (aux & 8) != 0;
    }

    /** Changes CF, keeps the other five. */
    public void setCf(boolean carry) {
        setCarryKeepingOverflow(carry);
    }

    /** Changes ZF, keeps the other five. */
    public void setZf(boolean zero) {
        setStatus((status() & ~ZF) | (zero ? ZF : 0));
    }

    /** Changes CF and OF, keeps the other four (rotates). */
    public void setCfOf(boolean carry, boolean overflow) {
        aux =
                (aux & 0x3FFF_FFFF_FFFF_FFFFL)
                        | (carry ? 1L << 63 : 0)
                        | (carry != overflow ? 1L << 62 : 0);
    }

    /** The six status flags in their RFLAGS positions. */
    public int status() {
        return (cf() ? CF : 0)
                | (pf() ? PF : 0)
                | (af() ? AF : 0)
                | (zf() ? ZF : 0)
                | (sf() ? SF : 0)
                | (of() ? OF : 0);
    }

    /** Sets the six status flags from their RFLAGS positions. */
    public void setStatus(int value) {
        boolean zero = (value & ZF) != 0;
        boolean sign = (value & SF) != 0;
        boolean parity = (value & PF) != 0;
        boolean carry = (value & CF) != 0;
        result = zero ? 0 : 1;
        // result 0 has even parity, 1 has odd: correct when the wanted parity differs.
        long parityFix = parity == zero ? 0 : 1;
        aux =
                (carry ? 1L << 63 : 0)
                        | (carry != ((value & OF) != 0) ? 1L << 62 : 0)
                        | ((value & AF) != 0 ? 8 : 0)
                        | parityFix << 8
                        | (sign ? 1L << 16 : 0);
    }

    /** RFLAGS, bit 1 set. */
    public long rflags() {
        return status() | system | 2;
    }

    /** Sets everything. The caller applies privilege rules and calls {@code updateMode()}. */
    public void setRflags(long value) {
        setStatus((int) value);
        system = (int) value & SYSTEM;
    }

    /** Condition {@code code} of Jcc (SDM 1 appendix B.1). */
    public boolean condition(int code) {
        boolean value =
                switch (code >> 1) {
                    case 0 -> of();
                    case 1 -> cf();
                    case 2 -> zf();
                    case 3 -> cf() || zf();
                    case 4 -> sf();
                    case 5 -> pf();
                    case 6 -> sf() != of();
                    default -> zf() || sf() != of();
                };
        return value != ((code & 1) != 0);
    }
}
