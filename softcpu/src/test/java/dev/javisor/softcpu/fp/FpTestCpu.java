package dev.javisor.softcpu.fp;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.Arena;
import java.util.List;

/** A vCPU in 32-bit protected mode without paging, with 64 KiB of RAM and flat segments. */
final class FpTestCpu {
    final Cpu cpu;

    FpTestCpu() {
        GuestMemory memory =
                new GuestMemory(
                        Arena.ofAuto().allocate(65536, 4096),
                        List.of(new GuestMemory.Region(0, 0, 65536)),
                        () -> {});
        cpu = new Cpu(0, new Ram(memory));
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_MP;
        cpu.cr4 = Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_OSXSAVE;
        cpu.xcr0 = 7;
        for (int s = 0; s < 6; s++) {
            cpu.segLimit[s] = 0xFFFFFFFFL;
            int type = s == Seg.CS ? Seg.CODE | Seg.RW : Seg.RW;
            cpu.segAttributes[s] = Seg.PRESENT | Seg.S | type | Seg.DB | Seg.G;
        }
        cpu.flags.setRflags(Flags.IF);
        cpu.updateMode();
    }

    /** {@code op destination, source} on XMM registers, legacy encoding. */
    static Insn xmm(Op op, int destination, int source) {
        Insn in = new Insn();
        in.op = op;
        in.kind0 = Insn.XMM;
        in.reg0 = (byte) destination;
        in.kind1 = Insn.XMM;
        in.reg1 = (byte) source;
        in.vectorBytes = 16;
        in.opSize = 4;
        in.addrSize = 4;
        in.seg = Seg.DS;
        in.mode = 32;
        return in;
    }

    static Insn xmm(Op op, int destination, int source, int imm) {
        Insn in = xmm(op, destination, source);
        in.imm = imm;
        in.kind2 = Insn.IMM;
        return in;
    }

    static Insn mmx(Op op, int destination, int source) {
        Insn in = xmm(op, destination, source);
        in.kind0 = Insn.MMX;
        in.kind1 = Insn.MMX;
        in.vectorBytes = 8;
        return in;
    }

    /** The instruction with its source operand in memory at {@code address}. */
    static Insn fromMemory(Insn in, long address) {
        in.kind1 = Insn.MEM;
        in.disp = address;
        return in;
    }

    /** An instruction whose only operand is memory at {@code address}. */
    static Insn memory(Op op, long address) {
        Insn in = xmm(op, 0, 0);
        in.kind0 = Insn.MEM;
        in.kind1 = Insn.NONE;
        in.disp = address;
        return in;
    }

    void set(int xmm, long low, long high) {
        cpu.vec[4 * xmm] = low;
        cpu.vec[4 * xmm + 1] = high;
    }

    long low(int xmm) {
        return cpu.vec[4 * xmm];
    }

    long high(int xmm) {
        return cpu.vec[4 * xmm + 1];
    }
}
