package dev.javisor.softcpu.core;

/** Segment register numbers (encoding order) and descriptor attribute bits. */
public final class Seg {
    public static final int ES = 0;
    public static final int CS = 1;
    public static final int SS = 2;
    public static final int DS = 3;
    public static final int FS = 4;
    public static final int GS = 5;
    public static final int TR = 6;
    public static final int LDTR = 7;

    // Attributes: bits 8..23 of a descriptor's high dword, shifted right by 8 (as in CpuState).
    public static final int TYPE_MASK = 0xF;
    public static final int ACCESSED = 0x1;

    /** Data: writable. Code: readable. */
    public static final int RW = 0x2;

    /** Data: expand-down. Code: conforming. */
    public static final int DC = 0x4;

    public static final int CODE = 0x8;

    /** S: code or data (set) or system (clear). */
    public static final int S = 0x10;

    public static final int DPL_SHIFT = 5;
    public static final int PRESENT = 0x80;
    public static final int AVL = 0x1000;
    public static final int L = 0x2000;

    /** D/B: default size 32 bits; for stacks and expand-down also the upper bound. */
    public static final int DB = 0x4000;

    public static final int G = 0x8000;

    /** Not architectural: the register holds a null selector. */
    public static final int UNUSABLE = 0x10000;

    private Seg() {}
}
