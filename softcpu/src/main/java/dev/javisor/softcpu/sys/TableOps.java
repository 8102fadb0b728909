package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** Descriptor-table registers, and instructions that ask about descriptors (SDM 3A §6.10). */
final class TableOps {
    private TableOps() {}

    static void loadTable(Cpu cpu, Insn in, boolean gdt) {
        ControlRegisters.requireRing0(cpu);
        int baseSize = cpu.long64 ? 8 : 4;
        long limit = cpu.mmu.read(cpu.linear(in, 2, false), 2);
        long base = cpu.mmu.read(baseAddress(cpu, in, baseSize, false), baseSize);
        if (!cpu.long64 && in.opSize == 2) {
            base &= 0xFFFFFF;
        }
        if (cpu.long64 && !cpu.isCanonical(base)) {
            throw cpu.gp0();
        }
        if (gdt) {
            cpu.gdtBase = base;
            cpu.gdtLimit = (int) limit;
        } else {
            cpu.idtBase = base;
            cpu.idtLimit = (int) limit;
        }
    }

    static void storeTable(Cpu cpu, Insn in, boolean gdt) {
        ControlRegisters.checkUmip(cpu);
        int baseSize = cpu.long64 ? 8 : 4;
        long limitAt = cpu.linear(in, 2, true);
        long baseAt = baseAddress(cpu, in, baseSize, true);
        cpu.mmu.probeWrite(limitAt, 2);
        cpu.mmu.probeWrite(baseAt, baseSize);
        cpu.mmu.write(limitAt, 2, gdt ? cpu.gdtLimit : cpu.idtLimit);
        cpu.mmu.write(baseAt, baseSize, gdt ? cpu.gdtBase : cpu.idtBase);
    }

    private static long baseAddress(Cpu cpu, Insn in, int size, boolean write) {
        long ea = cpu.effectiveAddress(in) + 2;
        if (in.addrSize != 8) {
            ea &= in.addrSize == 4 ? 0xFFFFFFFFL : 0xFFFF;
        }
        return cpu.linear(in.seg, ea, size, write);
    }

    /** LLDT, LTR, and the others here need protected mode. */
    private static void requireProtected(Cpu cpu) {
        if (!cpu.protectedMode || cpu.virtual8086) {
            throw cpu.ud();
        }
    }

    static void lldt(Cpu cpu, Insn in) {
        requireProtected(cpu);
        ControlRegisters.requireRing0(cpu);
        int selector = (int) cpu.read(in, in.kind0, in.reg0, 2);
        if (Descriptor.isNull(selector)) {
            Segments.setNull(cpu, Seg.LDTR, selector);
            return;
        }
        loadSystem(cpu, Seg.LDTR, selector);
    }

    static void ltr(Cpu cpu, Insn in) {
        requireProtected(cpu);
        ControlRegisters.requireRing0(cpu);
        int selector = (int) cpu.read(in, in.kind0, in.reg0, 2);
        if (Descriptor.isNull(selector)) {
            throw cpu.gp0();
        }
        loadSystem(cpu, Seg.TR, selector);
    }

    private static void loadSystem(Cpu cpu, int seg, int selector) {
        boolean lma = cpu.longModeActive();
        if ((selector & 4) != 0) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        long address = Descriptor.address(cpu, selector, lma ? 16 : 8);
        if (address == -1) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        long d = cpu.mmu.readSystem(address, 8);
        int type = Descriptor.type(d);
        boolean ok;
        if (seg == Seg.LDTR) {
            ok = type == Descriptor.LDT;
        } else {
            ok = type == Descriptor.TSS32_AVAILABLE || (type == Descriptor.TSS16_AVAILABLE && !lma);
        }
        if (!ok) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
        long base = Descriptor.base(d);
        if (lma) {
            base |= cpu.mmu.readSystem(address + 8, 8) << 32;
            if (!cpu.isCanonical(base)) {
                throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
            }
        }
        int attributes = Descriptor.attributes(d);
        if (seg == Seg.TR) {
            attributes |= Descriptor.TSS_BUSY_BIT;
            cpu.mmu.writeSystem(address + 5, 1, attributes & 0xFF);
        }
        Segments.set(cpu, seg, selector, base, Descriptor.limit(d), attributes);
    }

    /** SLDT, STR. */
    static void storeSelector(Cpu cpu, Insn in, int seg) {
        requireProtected(cpu);
        ControlRegisters.checkUmip(cpu);
        if (in.kind0 == Insn.MEM) {
            cpu.write(in, Insn.MEM, 0, 2, cpu.segSelector[seg]);
        } else {
            cpu.setReg(in.reg0, in.opSize, cpu.segSelector[seg]);
        }
    }

    /** Descriptor of a selector that the program may see at this level, or 0. */
    private static long visible(Cpu cpu, int selector) {
        if (Descriptor.isNull(selector)) {
            return 0;
        }
        long address = Descriptor.address(cpu, selector);
        if (address == -1) {
            return 0;
        }
        long d = cpu.mmu.readSystem(address, 8);
        boolean conforming = Descriptor.isCode(d) && Descriptor.isConforming(d);
        int dpl = Descriptor.dpl(d);
        return conforming || (cpu.cpl <= dpl && (selector & 3) <= dpl) ? d : 0;
    }

    private static int operandSelector(Cpu cpu, int kind, int reg, Insn in) {
        return (int) cpu.read(in, kind, reg, 2) & 0xFFFF;
    }

    static void lar(Cpu cpu, Insn in) {
        requireProtected(cpu);
        long d = visible(cpu, operandSelector(cpu, in.kind1, in.reg1, in));
        boolean ok = d != 0 && (isSegment(d) || larType(cpu, Descriptor.type(d)));
        if (ok) {
            cpu.setReg(in.reg0, in.opSize, (d >>> 32) & 0x00FFFF00L);
        }
        cpu.flags.setZf(ok);
    }

    static void lsl(Cpu cpu, Insn in) {
        requireProtected(cpu);
        long d = visible(cpu, operandSelector(cpu, in.kind1, in.reg1, in));
        boolean ok = d != 0 && (isSegment(d) || lslType(cpu, Descriptor.type(d)));
        if (ok) {
            cpu.setReg(in.reg0, in.opSize, Descriptor.limit(d));
        }
        cpu.flags.setZf(ok);
    }

    private static boolean isSegment(long d) {
        return (Descriptor.type(d) & Seg.S) != 0;
    }

    private static boolean larType(Cpu cpu, int type) {
        boolean gate =
                type == Descriptor.CALL_GATE32
                        || (!cpu.longModeActive()
                                && (type == Descriptor.CALL_GATE16
                                        || type == Descriptor.TASK_GATE));
        return gate || lslType(cpu, type);
    }

    private static boolean lslType(Cpu cpu, int type) {
        return switch (type) {
            case Descriptor.LDT, Descriptor.TSS32_AVAILABLE, Descriptor.TSS32_BUSY -> true;
            case Descriptor.TSS16_AVAILABLE, Descriptor.TSS16_BUSY -> !cpu.longModeActive();
            default -> false;
        };
    }

    static void verify(Cpu cpu, Insn in, boolean write) {
        requireProtected(cpu);
        long d = visible(cpu, operandSelector(cpu, in.kind0, in.reg0, in));
        int type = Descriptor.type(d);
        boolean code = (type & Seg.CODE) != 0;
        boolean rw = (type & Seg.RW) != 0;
        boolean ok = isSegment(d) && (write ? !code && rw : !code || rw);
        cpu.flags.setZf(ok);
    }

    static void arpl(Cpu cpu, Insn in) {
        requireProtected(cpu);
        int source = (int) cpu.reg(in.reg1, 2);
        boolean adjust;
        if (in.kind0 == Insn.MEM) {
            long linear = cpu.linear(in, 2, true);
            int selector = (int) cpu.mmu.readForWrite(linear, 2);
            adjust = (selector & 3) < (source & 3);
            if (adjust) {
                cpu.mmu.write(linear, 2, (selector & ~3) | (source & 3));
            }
        } else {
            int selector = (int) cpu.reg(in.reg0, 2);
            adjust = (selector & 3) < (source & 3);
            if (adjust) {
                cpu.setReg(in.reg0, 2, (selector & ~3) | (source & 3));
            }
        }
        cpu.flags.setZf(adjust);
    }
}
