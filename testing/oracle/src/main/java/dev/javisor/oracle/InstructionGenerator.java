package dev.javisor.oracle;

import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.util.SplittableRandom;

/**
 * Random encodings: prefixes, an opcode of any map, ModRM and what follows, all at random; what
 * does not decode to an operation in question is thrown away. Remembers where the displacement is.
 */
final class InstructionGenerator {
    private static final int[] LEGACY_PREFIXES = {
        0x66, 0x66, 0x66, 0x66, 0xF2, 0xF3, 0xF2, 0xF3, 0xF0, 0xF0, 0x67, 0x2E, 0x36, 0x3E, 0x26
    };

    private final Selection selection;
    final byte[] code = new byte[16];
    final Insn insn = new Insn();

    /** Index in {@link #code} of a displacement without base or index register, or -1. */
    int displacementAt;

    /** Its size: 4, or of moffs the address size. */
    int displacementBytes = 4;

    boolean ripRelative;

    private int opcodeAt;
    private int length;

    InstructionGenerator(Selection selection) {
        this.selection = selection;
    }

    /** Makes one for code of {@code mode} bits at {@code ip}. */
    void next(SplittableRandom random, int mode, long ip) {
        while (true) {
            encode(random, mode);
            int decoded = Decoder.decode(code, 0, code.length, mode, ip, insn);
            if (decoded > 0 && insn.op != Op.INVALID && selection.accepts(insn, code, opcodeAt)) {
                length = decoded;
                if (displacementBytes == 0) {
                    displacementBytes = insn.addrSize;
                }
                for (int i = decoded; i < 16; i++) {
                    code[i] = (byte) 0xCC;
                }
                return;
            }
        }
    }

    /** ENTER with a frame below 256 bytes. */
    void shrinkFrame() {
        code[length - 2] = 0;
    }

    /** Decodes again after a change of {@link #code}. */
    void decodeAgain(int mode, long ip) {
        Decoder.decode(code, 0, length, mode, ip, insn);
    }

    /** Prefixes and escapes, which are no one-byte opcodes. */
    private static boolean isEscape(int opcode, int mode) {
        return switch (opcode) {
            case 0x0F, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67 -> true;
            case 0xC4, 0xC5, 0xF0, 0xF2, 0xF3 -> true;
            case 0x62 -> mode == 64;
            default -> mode == 64 && (opcode & 0xF0) == 0x40;
        };
    }

    private void encode(SplittableRandom random, int mode) {
        int p = 0;
        displacementAt = -1;
        ripRelative = false;
        int map = selection.map(random);
        boolean vex = map >= 4;
        if (!vex) {
            while (random.nextInt(5) < 2 && p < 3) {
                code[p++] = (byte) LEGACY_PREFIXES[random.nextInt(LEGACY_PREFIXES.length)];
            }
            if (mode == 64 && random.nextBoolean()) {
                code[p++] = (byte) (0x40 | random.nextInt(16));
            }
        } else if (random.nextInt(16) == 0) {
            code[p++] = 0x67;
        }
        int opcode = random.nextInt(256);
        while (map == 0 ? isEscape(opcode, mode) : map == 1 && (opcode & 0xFD) == 0x38) {
            opcode = random.nextInt(256);
        }
        switch (map) {
            case 0 -> {}
            case 1 -> code[p++] = 0x0F;
            case 2 -> {
                code[p++] = 0x0F;
                code[p++] = 0x38;
            }
            case 3 -> {
                code[p++] = 0x0F;
                code[p++] = 0x3A;
            }
            default -> {
                if (map == 4 && random.nextBoolean()) {
                    // The two-byte form: R inverted, which is 1 outside 64-bit mode.
                    code[p++] = (byte) 0xC5;
                    code[p++] = (byte) (random.nextInt(256) | (mode == 64 ? 0 : 0x80));
                    break;
                }
                code[p++] = (byte) 0xC4;
                // R, X, B inverted; outside 64-bit mode R and X must be 1.
                int rxb = mode == 64 ? random.nextInt(8) << 5 : 0xC0 | random.nextInt(2) << 5;
                code[p++] = (byte) (rxb | (map - 3));
                code[p++] = (byte) random.nextInt(256);
            }
        }
        opcodeAt = p;
        code[p++] = (byte) opcode;
        int modrmAt = p;
        for (; p < 16; p++) {
            code[p] = (byte) random.nextInt(256);
        }
        if (map == 0 && (opcode & 0xFC) == 0xA0) {
            displacementAt = modrmAt;
            displacementBytes = 0; // as many as the address size, known after decoding
            return;
        }
        if (random.nextInt(3) == 0) {
            code[modrmAt] |= (byte) 0xC0;
        }
        int modrm = code[modrmAt] & 0xFF;
        int sib = code[modrmAt + 1] & 0xFF;
        boolean noBase = (modrm & 0xC7) == 5 || ((modrm & 0xC7) == 4 && (sib & 7) == 5);
        if (noBase) {
            ripRelative = mode == 64 && (modrm & 7) == 5;
            displacementAt = (modrm & 7) == 5 ? modrmAt + 1 : modrmAt + 2;
            displacementBytes = 4;
        }
    }
}
