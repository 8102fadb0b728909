package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.sys.IoPermission;

/**
 * String instructions (SDM 1 §7.3.9). The source segment is {@code in.seg}, the destination is ES.
 *
 * <p>A repeated instruction does at least one element and at most {@link #BUDGET_BYTES} per call;
 * unfinished, it sets {@code cpu.rip} back to itself, so that interrupts are taken between. The
 * registers are exact after every element or run of elements, so a fault leaves them at the element
 * that met it. Runs within a page are copied, filled and compared as a whole ({@link StringRuns}).
 */
public final class StringOps {
    private static final int BUDGET_BYTES = 64 << 10;

    private static final int RCX = 1;
    private static final int RSI = 6;
    private static final int RDI = 7;

    private StringOps() {}

    /** Executes one instruction of family STRING. */
    public static void execute(Cpu cpu, Insn in) {
        if (in.rep == 0) {
            element(cpu, in);
            return;
        }
        int width = in.addrSize;
        long count = cpu.reg(RCX, width);
        if (count == 0) {
            return;
        }
        boolean single = (cpu.requests() & Cpu.REQUEST_STEP) != 0;
        boolean compares = in.op == Op.CMPS || in.op == Op.SCAS;
        boolean wanted = in.rep == 0xF3;
        long budget = single ? 1 : BUDGET_BYTES / in.opSize;
        while (true) {
            long done = single ? 0 : StringRuns.run(cpu, in, Math.min(count, budget));
            if (done == 0) {
                element(cpu, in);
                done = 1;
            }
            count -= done;
            budget -= done;
            cpu.setReg(RCX, width, count);
            if (count == 0 || (compares && cpu.flags.zf() != wanted)) {
                return;
            }
            if (budget <= 0 || cpu.requests() != 0) {
                cpu.rip = in.ip;
                return;
            }
        }
    }

    /** One element: memory, flags, accumulator and the pointers, not the count. */
    private static void element(Cpu cpu, Insn in) {
        int size = in.opSize;
        int width = in.addrSize;
        Mmu mmu = cpu.mmu;
        long step = (cpu.flags.system & Flags.DF) == 0 ? size : -size;
        long si = cpu.reg(RSI, width);
        long di = cpu.reg(RDI, width);
        switch (in.op) {
            case MOVS -> {
                long value = mmu.read(cpu.linear(in.seg, si, size, false), size);
                mmu.write(cpu.linear(Seg.ES, di, size, true), size, value);
                cpu.setReg(RSI, width, si + step);
                cpu.setReg(RDI, width, di + step);
            }
            case CMPS -> {
                long a = mmu.read(cpu.linear(in.seg, si, size, false), size);
                long b = mmu.read(cpu.linear(Seg.ES, di, size, false), size);
                cpu.flags.sub(size, a, b, a - b);
                cpu.setReg(RSI, width, si + step);
                cpu.setReg(RDI, width, di + step);
            }
            case STOS -> {
                mmu.write(cpu.linear(Seg.ES, di, size, true), size, cpu.regs[0]);
                cpu.setReg(RDI, width, di + step);
            }
            case LODS -> {
                long value = mmu.read(cpu.linear(in.seg, si, size, false), size);
                cpu.setReg(0, size, value);
                cpu.setReg(RSI, width, si + step);
            }
            case SCAS -> {
                long a = cpu.reg(0, size);
                long b = mmu.read(cpu.linear(Seg.ES, di, size, false), size);
                cpu.flags.sub(size, a, b, a - b);
                cpu.setReg(RDI, width, di + step);
            }
            case INS -> {
                int port = (int) cpu.reg(2, 2);
                IoPermission.check(cpu, port, size);
                long linear = cpu.linear(Seg.ES, di, size, true);
                // The port must not be read if the store would fault.
                mmu.probeWrite(linear, size);
                mmu.write(linear, size, cpu.bus.readPort(port, size));
                cpu.setReg(RDI, width, di + step);
            }
            case OUTS -> {
                int port = (int) cpu.reg(2, 2);
                IoPermission.check(cpu, port, size);
                long value = mmu.read(cpu.linear(in.seg, si, size, false), size);
                cpu.bus.writePort(port, size, (int) value);
                cpu.setReg(RSI, width, si + step);
            }
            default -> throw new IllegalStateException("not a string instruction: " + in.op);
        }
    }
}
