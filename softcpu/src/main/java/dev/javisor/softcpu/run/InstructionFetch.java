package dev.javisor.softcpu.run;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Fetches and decodes the instruction at CS:RIP, remembering nothing. */
final class InstructionFetch {
    private static final int MAX_LENGTH = 15;

    private final Cpu cpu;
    private final Mmu mmu;
    private final byte[] bytes = new byte[MAX_LENGTH];

    InstructionFetch(Cpu cpu) {
        this.cpu = cpu;
        this.mmu = cpu.mmu;
    }

    /** Linear address of CS:RIP. */
    long linear() {
        return cpu.long64 ? cpu.rip : (cpu.segBase[Seg.CS] + cpu.rip) & 0xFFFFFFFFL;
    }

    /**
     * The next instruction.
     *
     * @throws GuestFault if fetching or decoding it faults
     */
    Insn next() {
        long linear = linear();
        int inPage = Math.min(MAX_LENGTH, 4096 - (int) (linear & 0xFFF));
        fetch(mmu.translateFetch(linear), 0, inPage);
        Insn in = new Insn();
        int length = Decoder.decode(bytes, 0, inPage, cpu.codeBits, cpu.rip, in);
        if (length == Decoder.TRUNCATED && inPage < MAX_LENGTH) {
            long second = linear + inPage;
            fetch(
                    mmu.translateFetch(cpu.long64 ? second : second & 0xFFFFFFFFL),
                    inPage,
                    MAX_LENGTH - inPage);
            length = Decoder.decode(bytes, 0, MAX_LENGTH, cpu.codeBits, cpu.rip, in);
        }
        if (length == Decoder.TOO_LONG || length == Decoder.TRUNCATED) {
            throw cpu.gp0();
        }
        if (!cpu.long64 && cpu.rip + length - 1 > cpu.segLimit[Seg.CS]) {
            throw cpu.gp0();
        }
        return in;
    }

    /** Whether the last instruction is encoded with VEX, EVEX, XOP or in a three-byte map. */
    boolean isExtension() {
        int at = 0;
        while (at < MAX_LENGTH - 1 && isPrefix(bytes[at] & 0xFF)) {
            at++;
        }
        int opcode = bytes[at] & 0xFF;
        int next = at + 1 < MAX_LENGTH ? bytes[at + 1] & 0xFF : 0;
        return switch (opcode) {
            case 0x62, 0xC4, 0xC5, 0x8F -> true;
            case 0x0F -> next == 0x38 || next == 0x3A;
            default -> false;
        };
    }

    private boolean isPrefix(int value) {
        return switch (value) {
            case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3 -> true;
            default -> cpu.codeBits == 64 && value >>> 4 == 4;
        };
    }

    private void fetch(long physical, int at, int count) {
        long offset = mmu.ram().memory.offsetOf(physical, count);
        if (offset >= 0) {
            MemorySegment.copy(mmu.backing(), ValueLayout.JAVA_BYTE, offset, bytes, at, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            bytes[at + i] = (byte) mmu.readPhysical(physical + i, 1);
        }
    }
}
