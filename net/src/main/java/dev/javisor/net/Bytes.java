package dev.javisor.net;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Fields of packets: big endian, at any alignment. */
public final class Bytes {
    private static final VarHandle SHORT =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private Bytes() {}

    /** One byte, zero-extended. */
    public static int getByte(byte[] from, int at) {
        return from[at] & 0xFF;
    }

    /** Two bytes, zero-extended. */
    public static int getShort(byte[] from, int at) {
        return (short) SHORT.get(from, at) & 0xFFFF;
    }

    public static int getInt(byte[] from, int at) {
        return (int) INT.get(from, at);
    }

    public static long getLong(byte[] from, int at) {
        return (long) LONG.get(from, at);
    }

    public static void putByte(byte[] to, int at, int value) {
        to[at] = (byte) value;
    }

    public static void putShort(byte[] to, int at, int value) {
        SHORT.set(to, at, (short) value);
    }

    public static void putInt(byte[] to, int at, int value) {
        INT.set(to, at, value);
    }

    public static void putLong(byte[] to, int at, long value) {
        LONG.set(to, at, value);
    }
}
