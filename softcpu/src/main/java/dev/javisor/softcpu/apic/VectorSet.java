package dev.javisor.softcpu.apic;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** A 256-bit register: IRR, ISR or TMR. Every method may be called from any thread. */
final class VectorSet {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long[] words = new long[4];

    void set(int vector) {
        long unusedOld = (long) WORDS.getAndBitwiseOr(words, vector >>> 6, 1L << vector);
    }

    void clear(int vector) {
        long unusedOld = (long) WORDS.getAndBitwiseAnd(words, vector >>> 6, ~(1L << vector));
    }

    boolean contains(int vector) {
        return ((long) WORDS.getVolatile(words, vector >>> 6) & (1L << vector)) != 0;
    }

    /** The highest vector, or -1. */
    int highest() {
        for (int i = 3; i >= 0; i--) {
            long word = (long) WORDS.getVolatile(words, i);
            if (word != 0) {
                return i * 64 + 63 - Long.numberOfLeadingZeros(word);
            }
        }
        return -1;
    }

    /** The n-th of eight 32-bit registers. */
    int register(int n) {
        return (int) ((long) WORDS.getVolatile(words, n >>> 1) >>> (32 * (n & 1)));
    }

    void setRegister(int n, int value) {
        int shift = 32 * (n & 1);
        long old = (long) WORDS.getVolatile(words, n >>> 1);
        long next = (old & ~(0xFFFFFFFFL << shift)) | (value & 0xFFFFFFFFL) << shift;
        WORDS.setVolatile(words, n >>> 1, next);
    }

    void clearAll() {
        for (int i = 0; i < 4; i++) {
            WORDS.setVolatile(words, i, 0L);
        }
    }
}
