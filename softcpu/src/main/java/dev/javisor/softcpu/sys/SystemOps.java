package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;

/** The system instructions. {@code cpu.rip} is the next instruction when they run. */
public final class SystemOps {
    private static final long KVM_HC_VAPIC_POLL_IRQ = 1;
    private static final long KVM_HC_KICK_CPU = 5;
    private static final long KVM_ENOSYS = 1000;
    private static final long KVM_EPERM = 1;

    private SystemOps() {}

    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case IN -> in(cpu, in);
            case OUT -> out(cpu, in);
            case HLT -> {
                ControlRegisters.requireRing0(cpu);
                cpu.halted = true;
            }
            case CLI -> cli(cpu);
            case STI -> sti(cpu);
            case INT ->
                    Interrupts.software(cpu, in, (int) in.imm & 0xFF, Interrupts.Source.SOFTWARE);
            case INT3 ->
                    Interrupts.software(
                            cpu, in, GuestFault.BP, Interrupts.Source.SOFTWARE_EXCEPTION);
            case INTO -> {
                if (cpu.flags.of()) {
                    Interrupts.software(
                            cpu, in, GuestFault.OF, Interrupts.Source.SOFTWARE_EXCEPTION);
                }
            }
            case INT1 ->
                    Interrupts.software(
                            cpu, in, GuestFault.DB, Interrupts.Source.PRIVILEGED_SOFTWARE);
            case IRET -> InterruptReturn.execute(cpu, in);
            case JMP_FAR -> FarTransfers.jump(cpu, in);
            case CALL_FAR -> FarTransfers.call(cpu, in);
            case RET_FAR -> FarTransfers.ret(cpu, in);
            case LDS -> loadPointer(cpu, in, Seg.DS);
            case LES -> loadPointer(cpu, in, Seg.ES);
            case LFS -> loadPointer(cpu, in, Seg.FS);
            case LGS -> loadPointer(cpu, in, Seg.GS);
            case LSS -> loadPointer(cpu, in, Seg.SS);
            case MOV_SEG -> movSegment(cpu, in);
            case PUSH_SEG -> cpu.push(in.opSize, cpu.segSelector[in.reg0]);
            case POP_SEG -> popSegment(cpu, in);
            case MOV_CR -> ControlRegisters.mov(cpu, in);
            case MOV_DR -> DebugRegisters.mov(cpu, in);
            case LGDT -> TableOps.loadTable(cpu, in, true);
            case LIDT -> TableOps.loadTable(cpu, in, false);
            case SGDT -> TableOps.storeTable(cpu, in, true);
            case SIDT -> TableOps.storeTable(cpu, in, false);
            case LLDT -> TableOps.lldt(cpu, in);
            case LTR -> TableOps.ltr(cpu, in);
            case SLDT -> TableOps.storeSelector(cpu, in, Seg.LDTR);
            case STR -> TableOps.storeSelector(cpu, in, Seg.TR);
            case LAR -> TableOps.lar(cpu, in);
            case LSL -> TableOps.lsl(cpu, in);
            case VERR -> TableOps.verify(cpu, in, false);
            case VERW -> TableOps.verify(cpu, in, true);
            case ARPL -> TableOps.arpl(cpu, in);
            case LMSW -> ControlRegisters.lmsw(cpu, in);
            case SMSW -> ControlRegisters.smsw(cpu, in);
            case CLTS -> ControlRegisters.clts(cpu);
            case INVLPG -> invlpg(cpu, in);
            case INVPCID -> invpcid(cpu, in);
            case INVD, WBINVD -> {
                ControlRegisters.requireRing0(cpu);
                cpu.mmu.fullFence();
            }
            case RDMSR -> rdmsr(cpu);
            case WRMSR -> wrmsr(cpu);
            case RDTSC -> rdtsc(cpu);
            case RDTSCP -> {
                rdtsc(cpu);
                cpu.regs[1] = cpu.tscAux & 0xFFFFFFFFL;
            }
            case RDPMC -> throw cpu.gp0(); // there are no counters, so no index is valid
            case RDPID -> cpu.setReg(in.reg0, cpu.long64 ? 8 : 4, cpu.tscAux);
            case CPUID -> cpuid(cpu);
            case SYSCALL -> FastCalls.syscall(cpu);
            case SYSRET -> FastCalls.sysret(cpu, in);
            case SYSENTER -> FastCalls.sysenter(cpu);
            case SYSEXIT -> FastCalls.sysexit(cpu, in);
            case SWAPGS -> swapgs(cpu);
            case CLAC -> alignmentCheck(cpu, false);
            case STAC -> alignmentCheck(cpu, true);
            case RDFSBASE -> readBase(cpu, in, Seg.FS);
            case RDGSBASE -> readBase(cpu, in, Seg.GS);
            case WRFSBASE -> writeBase(cpu, in, Seg.FS);
            case WRGSBASE -> writeBase(cpu, in, Seg.GS);
            case XGETBV -> ControlRegisters.xgetbv(cpu);
            case XSETBV -> ControlRegisters.xsetbv(cpu);
            case VMCALL, VMMCALL -> hypercall(cpu);
            // MONITOR and MWAIT are not advertised; there is no system management mode for RSM.
            case MONITOR, MWAIT, RSM, UD, INVALID -> throw cpu.ud();
            default -> throw new IllegalStateException("not a system instruction: " + in.op);
        }
    }

    // ------------------------------------------------------------------ ports

    private static int port(Cpu cpu, Insn in, int kind) {
        return (int) (kind == Insn.IMM ? in.imm & 0xFF : cpu.regs[2] & 0xFFFF);
    }

    private static void in(Cpu cpu, Insn in) {
        int port = port(cpu, in, in.kind1);
        int size = in.opSize;
        IoPermission.check(cpu, port, size);
        long value = cpu.bus.readPort(port, size) & 0xFFFFFFFFL;
        cpu.setReg(0, size, value);
    }

    private static void out(Cpu cpu, Insn in) {
        int port = port(cpu, in, in.kind0);
        int size = in.opSize;
        IoPermission.check(cpu, port, size);
        cpu.bus.writePort(port, size, (int) cpu.reg(0, size));
    }

    // ------------------------------------------------------------------ interrupt flag

    private static boolean ioplAllows(Cpu cpu) {
        return !cpu.protectedMode || cpu.cpl <= (cpu.flags.system & Flags.IOPL) >> 12;
    }

    /** Whether CLI and STI work on VIF here: VME in virtual-8086 mode, PVI at level 3. */
    private static boolean usesVirtualFlag(Cpu cpu) {
        long bit = cpu.virtual8086 ? Cpu.CR4_VME : Cpu.CR4_PVI;
        return cpu.cpl == 3 && (cpu.cr4 & bit) != 0;
    }

    private static void cli(Cpu cpu) {
        if (ioplAllows(cpu)) {
            cpu.flags.system &= ~Flags.IF;
        } else if (usesVirtualFlag(cpu)) {
            cpu.flags.system &= ~Flags.VIF;
        } else {
            throw cpu.gp0();
        }
    }

    private static void sti(Cpu cpu) {
        if (ioplAllows(cpu)) {
            if ((cpu.flags.system & Flags.IF) == 0) {
                cpu.flags.system |= Flags.IF;
                cpu.interruptShadow = true;
            }
        } else if (usesVirtualFlag(cpu) && (cpu.flags.system & Flags.VIP) == 0) {
            cpu.flags.system |= Flags.VIF;
        } else {
            throw cpu.gp0();
        }
    }

    // ------------------------------------------------------------------ segments

    private static void loadPointer(Cpu cpu, Insn in, int seg) {
        long offset = cpu.mmu.read(cpu.linear(in, in.opSize, false), in.opSize);
        int selector = FarTransfers.pointerSelector(cpu, in);
        Segments.load(cpu, seg, selector);
        cpu.setReg(in.reg0, in.opSize, offset);
    }

    private static void movSegment(Cpu cpu, Insn in) {
        if (in.kind0 == Insn.SEG) {
            int seg = in.reg0;
            if (seg == Seg.CS || seg > Seg.GS) {
                throw cpu.ud();
            }
            Segments.load(cpu, seg, (int) cpu.read(in, in.kind1, in.reg1, 2));
            if (seg == Seg.SS) {
                cpu.interruptShadow = true;
            }
        } else if (in.kind0 == Insn.MEM) {
            cpu.write(in, Insn.MEM, 0, 2, cpu.segSelector[in.reg1]);
        } else {
            cpu.setReg(in.reg0, in.opSize, cpu.segSelector[in.reg1]);
        }
    }

    private static void popSegment(Cpu cpu, Insn in) {
        int size = in.opSize;
        int selector = (int) Frames.peek(cpu, 0, size) & 0xFFFF;
        long mask = cpu.stackMask;
        long sp = (cpu.regs[4] + size) & mask;
        Segments.load(cpu, in.reg0, selector);
        Frames.setStackPointer(cpu, mask, sp);
        if (in.reg0 == Seg.SS) {
            cpu.interruptShadow = true;
        }
    }

    private static void requireFsGsBase(Cpu cpu) {
        if (!cpu.long64 || (cpu.cr4 & Cpu.CR4_FSGSBASE) == 0) {
            throw cpu.ud();
        }
    }

    private static void readBase(Cpu cpu, Insn in, int seg) {
        requireFsGsBase(cpu);
        cpu.setReg(in.reg0, in.opSize, cpu.segBase[seg]);
    }

    private static void writeBase(Cpu cpu, Insn in, int seg) {
        requireFsGsBase(cpu);
        long value = cpu.reg(in.reg0, in.opSize);
        if (!cpu.isCanonical(value)) {
            throw cpu.gp0();
        }
        Msrs.setBase(cpu, seg, value);
    }

    private static void swapgs(Cpu cpu) {
        if (!cpu.long64) {
            throw cpu.ud();
        }
        ControlRegisters.requireRing0(cpu);
        long base = cpu.segBase[Seg.GS];
        cpu.segBase[Seg.GS] = cpu.kernelGsBase;
        cpu.linearBase[Seg.GS] = cpu.kernelGsBase;
        cpu.kernelGsBase = base;
    }

    private static void alignmentCheck(Cpu cpu, boolean set) {
        if (cpu.cpl != 0 || (cpu.platform.cr4Bits() & Cpu.CR4_SMAP) == 0) {
            throw cpu.ud();
        }
        if (set) {
            cpu.flags.system |= Flags.AC;
        } else {
            cpu.flags.system &= ~Flags.AC;
        }
        cpu.mmu.selectContext();
    }

    // ------------------------------------------------------------------ translations

    private static void invlpg(Cpu cpu, Insn in) {
        ControlRegisters.requireRing0(cpu);
        long linear = cpu.linearBase[in.seg] + cpu.effectiveAddress(in);
        cpu.mmu.flushPage(cpu.long64 ? linear : linear & 0xFFFFFFFFL);
    }

    private static void invpcid(Cpu cpu, Insn in) {
        ControlRegisters.requireRing0(cpu);
        long type = cpu.reg(in.reg0, cpu.long64 ? 8 : 4);
        long linear = cpu.linear(in, 16, false);
        long pcid = cpu.mmu.read64(linear);
        long address = cpu.mmu.read64(linear + 8);
        if (Long.compareUnsigned(type, 3) > 0
                || (pcid & ~0xFFFL) != 0
                || (type == 0 && !cpu.isCanonical(address))) {
            throw cpu.gp0();
        }
        switch ((int) type) {
            case 0 -> cpu.mmu.flushPage(address);
            case 2 -> cpu.mmu.flushAll();
            default -> cpu.mmu.flushNonGlobal();
        }
    }

    // ------------------------------------------------------------------ registers of the model

    private static void rdmsr(Cpu cpu) {
        ControlRegisters.requireRing0(cpu);
        long value = cpu.platform.readMsr((int) cpu.regs[1]);
        cpu.regs[0] = value & 0xFFFFFFFFL;
        cpu.regs[2] = value >>> 32;
    }

    private static void wrmsr(Cpu cpu) {
        ControlRegisters.requireRing0(cpu);
        long value = (cpu.regs[2] << 32) | (cpu.regs[0] & 0xFFFFFFFFL);
        cpu.platform.writeMsr((int) cpu.regs[1], value);
    }

    private static void rdtsc(Cpu cpu) {
        if (cpu.cpl != 0 && (cpu.cr4 & Cpu.CR4_TSD) != 0) {
            throw cpu.gp0();
        }
        long value = cpu.platform.tsc();
        cpu.regs[0] = value & 0xFFFFFFFFL;
        cpu.regs[2] = value >>> 32;
    }

    private static void cpuid(Cpu cpu) {
        long[] out = cpu.scratch;
        cpu.platform.cpuid((int) cpu.regs[0], (int) cpu.regs[1], out);
        cpu.regs[0] = out[0];
        cpu.regs[3] = out[1];
        cpu.regs[1] = out[2];
        cpu.regs[2] = out[3];
    }

    /** KVM's calls (Linux Documentation/virt/kvm/x86/hypercalls.rst). */
    private static void hypercall(Cpu cpu) {
        int size = cpu.long64 ? 8 : 4;
        long result;
        if (cpu.cpl != 0) {
            result = -KVM_EPERM;
        } else {
            long number = cpu.reg(0, size);
            if (number == KVM_HC_VAPIC_POLL_IRQ) {
                result = 0;
            } else if (number == KVM_HC_KICK_CPU) {
                cpu.platform.wake((int) cpu.regs[1]);
                result = 0;
            } else {
                result = -KVM_ENOSYS;
            }
        }
        cpu.setReg(0, size, result);
    }
}
