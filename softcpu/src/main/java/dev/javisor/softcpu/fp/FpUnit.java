package dev.javisor.softcpu.fp;

/**
 * Working storage of one vCPU's x87, SSE and MMX execution, so that operands and results of several
 * words pass between methods without allocation. Nothing here is architectural state; nothing
 * survives an instruction. Owned by the vCPU's thread.
 */
public final class FpUnit {
    /** The vector source operand, low word first. */
    long b0;

    long b1;
    long b2;
    long b3;

    /** A 128-bit result. */
    long r0;

    long r1;

    /** A 256-bit result, or the elements of one. */
    final long[] words = new long[4];

    /** SSE arithmetic: see {@link SseMath#begin}. */
    final SoftFloat sse = new SoftFloat();

    /** x87 arithmetic. */
    final SoftFloat x87 = new SoftFloat();

    /** An FXSAVE or XSAVE area as little-endian words: see {@link FpuArea}. */
    final long[] area = new long[FpuArea.WORDS];

    public FpUnit() {}
}
