package dev.javisor.softcpu.core;

/**
 * An exception of the guest's (SDM 3A chapter 7), thrown by whatever part of an instruction meets
 * it, before any architectural effect of that instruction. One object per vCPU, refilled: no stack
 * trace, no allocation.
 */
public final class GuestFault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Vector value: not an exception; the instruction must be run again as a block of its own. */
    public static final int RESTART_ALONE = -1;

    public static final int DE = 0;
    public static final int DB = 1;
    public static final int BP = 3;
    public static final int OF = 4;
    public static final int BR = 5;
    public static final int UD = 6;
    public static final int NM = 7;
    public static final int DF = 8;
    public static final int TS = 10;
    public static final int NP = 11;
    public static final int SS = 12;
    public static final int GP = 13;
    public static final int PF = 14;
    public static final int MF = 16;
    public static final int AC = 17;
    public static final int XM = 19;

    private int vector;
    private int errorCode;

    GuestFault() {
        super(null, null, false, false);
    }

    GuestFault with(int newVector, int newErrorCode) {
        vector = newVector;
        errorCode = newErrorCode;
        return this;
    }

    public int vector() {
        return vector;
    }

    /** Error code, or -1 for exceptions that push none. */
    public int errorCode() {
        return errorCode;
    }

    @Override
    public String getMessage() {
        return "vector " + vector + " error " + errorCode;
    }
}
