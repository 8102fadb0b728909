package dev.javisor.guests;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A small x86 assembler for test guests: typed methods emit bytes, labels are names. Covers what
 * the guests use, in 16-, 32- and 64-bit code (SDM volume 2). Registers are numbered as encoded.
 */
public final class Asm {
    public static final int RAX = 0;
    public static final int RCX = 1;
    public static final int RDX = 2;
    public static final int RBX = 3;
    public static final int RSP = 4;
    public static final int RBP = 5;
    public static final int RSI = 6;
    public static final int RDI = 7;
    public static final int R8 = 8;
    public static final int R9 = 9;
    public static final int R10 = 10;
    public static final int R11 = 11;
    public static final int R12 = 12;
    public static final int R13 = 13;
    public static final int R14 = 14;
    public static final int R15 = 15;

    /** Two-operand arithmetic, by opcode number. */
    public enum Alu {
        ADD,
        OR,
        ADC,
        SBB,
        AND,
        SUB,
        XOR,
        CMP
    }

    /** Condition codes, in encoding order (SDM 1 appendix B). */
    public enum Cond {
        O,
        NO,
        B,
        AE,
        E,
        NE,
        BE,
        A,
        S,
        NS,
        P,
        NP,
        L,
        GE,
        LE,
        G
    }

    /**
     * A memory operand.
     *
     * @param base register, or -1 for an absolute address
     */
    public record Mem(int base, long disp) {}

    /** {@code [base + disp]}. */
    public static Mem at(int base, long disp) {
        return new Mem(base, disp);
    }

    /** {@code [address]}, below 2 GiB. */
    public static Mem abs(long address) {
        return new Mem(-1, address);
    }

    private record Fixup(int position, int sizeBytes, String label, boolean relative) {}

    private final long origin;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final Map<String, Long> labels = new HashMap<>();
    private final List<Fixup> fixups = new ArrayList<>();
    private int bits;

    /**
     * @param bits 16, 32 or 64
     * @param origin address of the first byte
     */
    public Asm(int bits, long origin) {
        this.bits = bits;
        this.origin = origin;
    }

    public long origin() {
        return origin;
    }

    public long here() {
        return origin + out.size();
    }

    /** Following code is of this size. */
    public Asm bits(int value) {
        bits = value;
        return this;
    }

    public Asm label(String name) {
        if (labels.put(name, here()) != null) {
            throw new IllegalStateException("label twice: " + name);
        }
        return this;
    }

    /** The address of a label that is already placed. */
    public long address(String name) {
        Long address = labels.get(name);
        if (address == null) {
            throw new IllegalStateException("no label: " + name);
        }
        return address;
    }

    /** The assembled bytes, with all labels resolved. */
    public byte[] assemble() {
        byte[] code = out.toByteArray();
        for (Fixup fixup : fixups) {
            long value = address(fixup.label);
            if (fixup.relative) {
                value -= origin + fixup.position + fixup.sizeBytes;
                int shift = 64 - 8 * fixup.sizeBytes;
                if (value << shift >> shift != value) {
                    throw new IllegalStateException("branch too far: " + fixup.label);
                }
            }
            for (int i = 0; i < fixup.sizeBytes; i++) {
                code[fixup.position + i] = (byte) (value >>> (8 * i));
            }
        }
        return code;
    }

    // ------------------------------------------------------------------ raw

    public Asm bytes(int... values) {
        for (int value : values) {
            out.write(value);
        }
        return this;
    }

    private Asm value(int sizeBytes, long value) {
        for (int i = 0; i < sizeBytes; i++) {
            out.write((int) (value >>> (8 * i)));
        }
        return this;
    }

    public Asm dd(long value) {
        return value(4, value);
    }

    public Asm dq(long value) {
        return value(8, value);
    }

    /** The 32-bit address of a label. */
    public Asm dd(String label) {
        return reference(4, label, false);
    }

    private Asm reference(int sizeBytes, String label, boolean relative) {
        fixups.add(new Fixup(out.size(), sizeBytes, label, relative));
        return value(sizeBytes, 0);
    }

    public Asm align(int sizeBytes) {
        while (here() % sizeBytes != 0) {
            out.write(0x90);
        }
        return this;
    }

    // ------------------------------------------------------------------ encoding

    private void prefix(int size, int reg, int rm) {
        if (size == 2 ? bits != 16 : size == 4 && bits == 16) {
            out.write(0x66);
        }
        int rex = (size == 8 ? 8 : 0) | (reg >> 3 & 1) << 2 | (rm >> 3 & 1);
        // SPL, BPL, SIL, DIL need a REX prefix.
        boolean byteRegister = size == 1 && (reg > 3 || rm > 3);
        if (rex != 0 || byteRegister) {
            if (bits != 64) {
                throw new IllegalStateException("register or size needs 64-bit code");
            }
            out.write(0x40 | rex);
        }
    }

    private Asm regForm(int size, int reg, int rm, int... opcode) {
        prefix(size, reg, rm);
        bytes(opcode);
        return bytes(0xC0 | (reg & 7) << 3 | (rm & 7));
    }

    private Asm memForm(int size, int reg, Mem mem, int... opcode) {
        prefix(size, reg, Math.max(mem.base, 0));
        bytes(opcode);
        return modRm(reg, mem);
    }

    private Asm modRm(int reg, Mem mem) {
        int r = (reg & 7) << 3;
        if (bits == 16) {
            if (mem.base != -1) {
                throw new IllegalStateException("16-bit code has absolute operands only here");
            }
            return bytes(r | 6).value(2, mem.disp);
        }
        if (mem.base == -1) {
            return bits == 64 ? bytes(r | 4, 0x25).value(4, mem.disp) : bytes(r | 5).dd(mem.disp);
        }
        int b = mem.base & 7;
        bytes(0x80 | r | b);
        if (b == RSP) {
            bytes(0x24);
        }
        return value(4, mem.disp);
    }

    private static int wide(int size) {
        return size == 1 ? 0 : 1;
    }

    // ------------------------------------------------------------------ data

    /** {@code MOV reg, imm}, shortest of the zero- or sign-extended forms. */
    public Asm mov(int reg, long imm) {
        if (bits != 64 || imm >>> 32 == 0) {
            prefix(bits == 16 ? 2 : 4, 0, reg);
            return bytes(0xB8 | (reg & 7)).value(bits == 16 ? 2 : 4, imm);
        }
        prefix(8, 0, reg);
        return bytes(0xB8 | (reg & 7)).dq(imm);
    }

    /** {@code MOV reg, address of label}. */
    public Asm mov(int reg, String label) {
        prefix(bits == 16 ? 2 : 4, 0, reg);
        return bytes(0xB8 | (reg & 7)).reference(bits == 16 ? 2 : 4, label, false);
    }

    public Asm movReg(int to, int from) {
        return regForm(bits / 8, from, to, 0x89);
    }

    public Asm load(int size, int reg, Mem mem) {
        return memForm(size, reg, mem, 0x8A | wide(size));
    }

    public Asm store(int size, Mem mem, int reg) {
        return memForm(size, reg, mem, 0x88 | wide(size));
    }

    /** The immediate is sign-extended for 8 bytes. */
    public Asm storeImm(int size, Mem mem, long imm) {
        memForm(size, 0, mem, 0xC6 | wide(size));
        return value(Math.min(size, 4), imm);
    }

    public Asm push(int reg) {
        prefix(bits == 16 ? 2 : 4, 0, reg);
        return bytes(0x50 | (reg & 7));
    }

    public Asm pushImm(int imm) {
        return bytes(0x68).dd(imm);
    }

    public Asm pop(int reg) {
        prefix(bits == 16 ? 2 : 4, 0, reg);
        return bytes(0x58 | (reg & 7));
    }

    public Asm lea(int reg, Mem mem) {
        return memForm(bits / 8, reg, mem, 0x8D);
    }

    /** Moves a 16-byte vector register from or to memory, unaligned. */
    public Asm movdquLoad(int xmm, Mem mem) {
        bytes(0xF3);
        return memForm(4, xmm, mem, 0x0F, 0x6F);
    }

    public Asm movdquStore(Mem mem, int xmm) {
        bytes(0xF3);
        return memForm(4, xmm, mem, 0x0F, 0x7F);
    }

    // ------------------------------------------------------------------ arithmetic

    public Asm alu(Alu op, int size, int to, int from) {
        return regForm(size, from, to, op.ordinal() << 3 | wide(size));
    }

    public Asm aluImm(Alu op, int size, int reg, long imm) {
        regForm(size, op.ordinal(), reg, size == 1 ? 0x80 : 0x81);
        return value(Math.min(size, 4), imm);
    }

    public Asm aluMem(Alu op, int size, Mem mem, int reg) {
        return memForm(size, reg, mem, op.ordinal() << 3 | wide(size));
    }

    public Asm aluMemImm(Alu op, int size, Mem mem, long imm) {
        memForm(size, op.ordinal(), mem, size == 1 ? 0x80 : 0x81);
        return value(Math.min(size, 4), imm);
    }

    public Asm inc(int size, int reg) {
        return regForm(size, 0, reg, 0xFE | wide(size));
    }

    public Asm dec(int size, int reg) {
        return regForm(size, 1, reg, 0xFE | wide(size));
    }

    public Asm incMem(int size, Mem mem) {
        return memForm(size, 0, mem, 0xFE | wide(size));
    }

    public Asm shl(int size, int reg, int count) {
        return regForm(size, 4, reg, 0xC0 | wide(size)).bytes(count);
    }

    public Asm shr(int size, int reg, int count) {
        return regForm(size, 5, reg, 0xC0 | wide(size)).bytes(count);
    }

    public Asm div(int size, int reg) {
        return regForm(size, 6, reg, 0xF6 | wide(size));
    }

    public Asm test(int size, int a, int b) {
        return regForm(size, b, a, 0x84 | wide(size));
    }

    public Asm lock() {
        return bytes(0xF0);
    }

    public Asm xadd(int size, Mem mem, int reg) {
        return memForm(size, reg, mem, 0x0F, 0xC0 | wide(size));
    }

    public Asm cmpxchg(int size, Mem mem, int reg) {
        return memForm(size, reg, mem, 0x0F, 0xB0 | wide(size));
    }

    public Asm cmpxchg16b(Mem mem) {
        return memForm(8, 1, mem, 0x0F, 0xC7);
    }

    public Asm xchg(int size, Mem mem, int reg) {
        return memForm(size, reg, mem, 0x86 | wide(size));
    }

    // ------------------------------------------------------------------ control

    public Asm jmp(String label) {
        return bytes(0xE9).reference(bits == 16 ? 2 : 4, label, true);
    }

    public Asm jcc(Cond cond, String label) {
        return bytes(0x0F, 0x80 | cond.ordinal()).reference(bits == 16 ? 2 : 4, label, true);
    }

    public Asm call(String label) {
        return bytes(0xE8).reference(bits == 16 ? 2 : 4, label, true);
    }

    public Asm callReg(int reg) {
        return regForm(4, 2, reg, 0xFF);
    }

    public Asm jmpReg(int reg) {
        return regForm(bits == 16 ? 2 : 4, 4, reg, 0xFF);
    }

    public Asm ret() {
        return bytes(0xC3);
    }

    /** {@code JMP selector:label} with a 32-bit offset, from 16- or 32-bit code. */
    public Asm jmpFar(int selector, String label) {
        if (bits == 16) {
            bytes(0x66);
        }
        return bytes(0xEA).reference(4, label, false).value(2, selector);
    }

    public Asm interrupt(int vector) {
        return bytes(0xCD, vector);
    }

    public Asm iretq() {
        return bytes(0x48, 0xCF);
    }

    public Asm syscall() {
        return bytes(0x0F, 0x05);
    }

    public Asm sysretq() {
        return bytes(0x48, 0x0F, 0x07);
    }

    public Asm nop() {
        return bytes(0x90);
    }

    public Asm pause() {
        return bytes(0xF3, 0x90);
    }

    public Asm mfence() {
        return bytes(0x0F, 0xAE, 0xF0);
    }

    public Asm ud2() {
        return bytes(0x0F, 0x0B);
    }

    public Asm pushf() {
        return bytes(0x9C);
    }

    public Asm popf() {
        return bytes(0x9D);
    }

    // ------------------------------------------------------------------ system

    public Asm hlt() {
        return bytes(0xF4);
    }

    public Asm cli() {
        return bytes(0xFA);
    }

    public Asm sti() {
        return bytes(0xFB);
    }

    /** {@code OUT DX, AL/AX/EAX}. */
    public Asm outDx(int size) {
        prefix(size, 0, 0);
        return bytes(0xEE | wide(size));
    }

    /** {@code IN AL/AX/EAX, DX}. */
    public Asm inDx(int size) {
        prefix(size, 0, 0);
        return bytes(0xEC | wide(size));
    }

    /** {@code OUT imm8, AL/AX/EAX}. */
    public Asm outImm(int port, int size) {
        prefix(size, 0, 0);
        return bytes(0xE6 | wide(size), port);
    }

    public Asm cpuid() {
        return bytes(0x0F, 0xA2);
    }

    public Asm rdtsc() {
        return bytes(0x0F, 0x31);
    }

    public Asm rdmsr() {
        return bytes(0x0F, 0x32);
    }

    /** ECX = index, EDX:EAX = value. */
    public Asm wrmsr() {
        return bytes(0x0F, 0x30);
    }

    /** Writes an MSR; changes RAX, RCX, RDX. */
    public Asm wrmsr(int index, long value) {
        return mov(RCX, index & 0xFFFFFFFFL)
                .mov(RAX, value & 0xFFFFFFFFL)
                .mov(RDX, value >>> 32)
                .wrmsr();
    }

    public Asm movToCr(int cr, int reg) {
        return regControl(cr, reg, 0x22);
    }

    public Asm movFromCr(int reg, int cr) {
        return regControl(cr, reg, 0x20);
    }

    public Asm movToDr(int dr, int reg) {
        return regControl(dr, reg, 0x23);
    }

    public Asm movFromDr(int reg, int dr) {
        return regControl(dr, reg, 0x21);
    }

    private Asm regControl(int number, int reg, int opcode) {
        int rex = (number >> 3) << 2 | reg >> 3;
        if (rex != 0) {
            bytes(0x40 | rex);
        }
        return bytes(0x0F, opcode, 0xC0 | (number & 7) << 3 | (reg & 7));
    }

    public Asm lgdt(Mem mem) {
        return memForm(4, 2, mem, 0x0F, 0x01);
    }

    /** LGDT with a 16-bit base limit form in 16-bit code. */
    public Asm lgdt16(Mem mem) {
        return memForm(2, 2, mem, 0x0F, 0x01);
    }

    public Asm lidt(Mem mem) {
        return memForm(4, 3, mem, 0x0F, 0x01);
    }

    public Asm invlpg(Mem mem) {
        return memForm(4, 7, mem, 0x0F, 0x01);
    }

    /** {@code MOV seg, reg}; ES, CS, SS, DS, FS, GS are 0 to 5. */
    public Asm movSeg(int seg, int reg) {
        return regForm(bits == 16 ? 2 : 4, seg, reg, 0x8E);
    }

    public Asm ltr(int reg) {
        return regForm(bits == 16 ? 2 : 4, 3, reg, 0x0F, 0x00);
    }

    public Asm swapgs() {
        return bytes(0x0F, 0x01, 0xF8);
    }

    // ------------------------------------------------------------------ the test bed's protocol

    /** Ends the test with the value in EAX. */
    public Asm exit() {
        return outImm(Testbed.EXIT_PORT, 4).label("halt@" + here()).cli().hlt().bytes(0xEB, 0xFC);
    }

    /** Ends the test with {@code code}. */
    public Asm exit(long code) {
        return mov(RAX, code).exit();
    }
}
