package dev.javisor.softcpu.exec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;

/** A vCPU with 64 KiB of identity-mapped RAM in a chosen mode, and makers of instructions. */
final class ExecTestCpu {
    static final int RAM_BYTES = 65536;

    final GuestMemory memory =
            new GuestMemory(
                    Arena.ofAuto().allocate(RAM_BYTES, 4096),
                    List.of(new GuestMemory.Region(0, 0, RAM_BYTES)),
                    () -> {});
    final Cpu cpu = new Cpu(0, new Ram(memory));
    private final int bits;

    /**
     * @param bits 16 (real mode), 32 or 64
     */
    ExecTestCpu(int bits) {
        this.bits = bits;
        if (bits == 16) {
            for (int s = 0; s < 6; s++) {
                cpu.segLimit[s] = 0xFFFF;
                cpu.segAttributes[s] = Seg.PRESENT | Seg.S | Seg.RW;
            }
        } else {
            cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET;
            cpu.efer = bits == 64 ? Cpu.EFER_LME | Cpu.EFER_LMA : 0;
            for (int s = 0; s < 6; s++) {
                cpu.segLimit[s] = 0xFFFFFFFFL;
                cpu.segAttributes[s] = Seg.PRESENT | Seg.S | Seg.RW | Seg.G | Seg.DB;
            }
            cpu.segAttributes[Seg.CS] =
                    Seg.PRESENT | Seg.S | Seg.CODE | Seg.RW | Seg.G | (bits == 64 ? Seg.L : Seg.DB);
        }
        cpu.updateMode();
    }

    Insn insn(Op op, int opSize) {
        Insn in = new Insn();
        in.op = op;
        in.opSize = (byte) opSize;
        in.memSize = (short) opSize;
        in.addrSize = (byte) (bits / 8);
        in.mode = (byte) bits;
        in.seg = Seg.DS;
        in.ip = 0x8000;
        in.length = 3;
        in.nextIp = 0x8003;
        cpu.rip = in.nextIp;
        return in;
    }

    /** Decodes the bytes at 0x8000 and executes them as an instruction of this package. */
    void execute(int... bytes) {
        byte[] code = new byte[bytes.length];
        for (int i = 0; i < code.length; i++) {
            code[i] = (byte) bytes[i];
        }
        Insn in = new Insn();
        assertThat(Decoder.decode(code, 0, code.length, bits, 0x8000, in)).isEqualTo(code.length);
        cpu.rip = in.nextIp;
        switch (in.op.family()) {
            case INTEGER -> IntegerOps.execute(cpu, in);
            case DECIMAL -> DecimalOps.execute(cpu, in);
            case BRANCH -> BranchOps.execute(cpu, in);
            case STRING -> StringOps.execute(cpu, in);
            default -> throw new IllegalArgumentException(in.op.toString());
        }
    }

    /** Vector of the exception that the bytes raise, or -1. */
    int faultOf(int... bytes) {
        try {
            execute(bytes);
        } catch (GuestFault fault) {
            return fault.vector();
        }
        return -1;
    }

    /** {@code op r0, r1}. */
    Insn registers(Op op, int opSize, int r0, int r1) {
        Insn in = insn(op, opSize);
        in.kind0 = Insn.GPR;
        in.reg0 = (byte) r0;
        in.kind1 = Insn.GPR;
        in.reg1 = (byte) r1;
        return in;
    }

    /** {@code op [address], r1}. */
    Insn toMemory(Op op, int opSize, long address, int r1) {
        Insn in = registers(op, opSize, 0, r1);
        in.kind0 = Insn.MEM;
        in.disp = address;
        return in;
    }

    /** {@code op r0, [address]}. */
    Insn fromMemory(Op op, int opSize, int r0, long address) {
        Insn in = registers(op, opSize, r0, 0);
        in.kind1 = Insn.MEM;
        in.disp = address;
        return in;
    }

    /** Random bits, often with long runs of equal bits or near a power of two. */
    static long value(SplittableRandom random) {
        long value = random.nextLong();
        return switch (random.nextInt(6)) {
            case 0 -> value >> random.nextInt(64);
            case 1 -> value >>> random.nextInt(64);
            case 2 -> (1L << random.nextInt(64)) + random.nextInt(-2, 3);
            case 3 -> random.nextInt(-2, 3);
            default -> value;
        };
    }
}
