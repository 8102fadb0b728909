package dev.javisor.softcpu.decode;

import java.util.Random;

/**
 * Random byte strings that look like instructions: every opcode of every map comes up equally
 * often, with prefixes, addressing forms and constants that matter more often than chance.
 */
final class InstructionBytes {
    static final int LENGTH = 15;

    private static final int[] LEGACY_PREFIXES = {
        0x66, 0x66, 0x66, 0x67, 0x67, 0xF2, 0xF3, 0xF2, 0xF3, 0xF0, 0x26, 0x2E, 0x36, 0x3E, 0x64,
        0x65
    };

    private final Random random;
    private final int mode;
    private final byte[] scratch = new byte[LENGTH];
    private int round;

    InstructionBytes(Random random, int mode) {
        this.random = random;
        this.mode = mode;
    }

    /** Fills {@code LENGTH} bytes from {@code at}. */
    void next(byte[] into, int at) {
        random.nextBytes(scratch);
        System.arraycopy(scratch, 0, into, at, LENGTH);
        int opcode = round & 0xFF;
        int map = (round >> 8) % 10;
        round++;
        int p = at;
        int prefixes = map < 7 ? random.nextInt(8) - 3 : random.nextInt(10) - 7;
        for (int i = 0; i < Math.min(prefixes, 3); i++) {
            into[p++] = (byte) LEGACY_PREFIXES[random.nextInt(LEGACY_PREFIXES.length)];
        }
        if ((map == 5 || map == 6) && random.nextInt(4) > 0) {
            into[p++] = 0x66;
        }
        if (mode == 64 && random.nextInt(map < 7 ? 2 : 20) == 0) {
            into[p++] = (byte) (0x40 + random.nextInt(16));
        }
        switch (map) {
            case 0, 1 -> into[p++] = (byte) opcode;
            case 2, 3, 4 -> {
                into[p++] = 0x0F;
                into[p++] = (byte) opcode;
            }
            case 5, 6 -> {
                into[p++] = 0x0F;
                into[p++] = (byte) (map == 5 ? 0x38 : 0x3A);
                into[p++] = (byte) opcode;
            }
            case 7 -> {
                into[p++] = (byte) 0xC5;
                into[p++] = (byte) vexLast(0);
                into[p++] = (byte) opcode;
            }
            default -> {
                into[p++] = (byte) 0xC4;
                int rxb = mode == 64 ? random.nextInt(8) << 5 : 0xC0 | random.nextInt(2) << 5;
                into[p++] = (byte) (rxb | (map == 8 ? 2 : random.nextInt(8) == 0 ? 1 : 3));
                into[p++] = (byte) vexLast(random.nextInt(2) << 7);
                into[p++] = (byte) opcode;
            }
        }
        modRm(into, at, p);
    }

    /** W, vvvv, L, pp; in the short form the top bit is R. */
    private int vexLast(int w) {
        int vvvv = random.nextBoolean() ? 15 : random.nextInt(16);
        if (mode != 64) {
            vvvv |= 8;
        }
        int top = mode == 64 && random.nextInt(3) == 0 ? 0 : 0x80;
        int pp = random.nextInt(3) > 0 ? 1 : random.nextInt(4);
        return (w == 0 ? top & 0x80 : w) | vvvv << 3 | random.nextInt(2) << 2 | pp;
    }

    /** Register forms, SIB bytes, absolute addresses and small numbers. */
    private void modRm(byte[] into, int start, int at) {
        int mod = random.nextInt(5);
        int rm = random.nextInt(4) == 0 ? 4 + random.nextInt(2) : random.nextInt(8);
        into[at] = (byte) (Math.min(mod, 3) << 6 | random.nextInt(8) << 3 | rm);
        if (random.nextInt(4) == 0) {
            for (int i = at + 2; i < start + LENGTH && i < at + 10; i++) {
                into[i] = (byte) (random.nextInt(4) == 0 ? 0xFF : random.nextInt(3));
            }
        }
    }
}
