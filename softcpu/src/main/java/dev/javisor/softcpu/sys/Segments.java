package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Loads of segment registers, with all checks (SDM 3A §6.4 to §6.7). */
public final class Segments {
    /** Attributes in virtual-8086 mode: present, DPL 3, writable data, accessed. */
    static final int VM86_ATTRIBUTES = 0xF3;

    private Segments() {}

    /**
     * Loads ES, SS, DS, FS or GS as MOV, POP or LDS would.
     *
     * @throws GuestFault before any change
     */
    public static void load(Cpu cpu, int seg, int selector) {
        if (!cpu.protectedMode || cpu.virtual8086) {
            loadReal(cpu, seg, selector);
            return;
        }
        if (seg == Seg.SS) {
            loadStack(cpu, selector);
        } else {
            loadData(cpu, seg, selector);
        }
    }

    /** Real-address and virtual-8086 mode: base is 16 times the selector. */
    static void loadReal(Cpu cpu, int seg, int selector) {
        cpu.segSelector[seg] = selector & 0xFFFF;
        cpu.segBase[seg] = (selector & 0xFFFFL) << 4;
        if (cpu.virtual8086) {
            cpu.segAttributes[seg] = VM86_ATTRIBUTES;
            cpu.segLimit[seg] = 0xFFFF;
        } else if ((cpu.segAttributes[seg] & Seg.UNUSABLE) != 0) {
            // A null selector of protected mode becomes an ordinary segment again. Otherwise the
            // limit stays what protected mode left ("unreal mode").
            cpu.segAttributes[seg] = 0x93;
            cpu.segLimit[seg] = 0xFFFF;
        }
        cpu.updateSegment(seg);
    }

    private static void loadStack(Cpu cpu, int selector) {
        int cpl = cpu.cpl;
        if (Descriptor.isNull(selector)) {
            if (!cpu.long64 || cpl == 3 || (selector & 3) != cpl) {
                throw cpu.gp0();
            }
            setNull(cpu, Seg.SS, selector);
            cpu.updateMode();
            return;
        }
        long d = stackDescriptor(cpu, selector, cpl, GuestFault.GP, 0);
        Descriptor.setAccessed(cpu, selector, d);
        set(cpu, Seg.SS, selector, d);
        cpu.updateMode();
    }

    /**
     * Reads and checks the descriptor of a stack segment for privilege level {@code cpl}.
     *
     * @param vector #GP, or #TS where the selector comes from a TSS
     */
    static long stackDescriptor(Cpu cpu, int selector, int cpl, int vector, int ext) {
        long d = Descriptor.read(cpu, selector, vector, ext);
        if ((selector & 3) != cpl || !Descriptor.isWritableData(d) || Descriptor.dpl(d) != cpl) {
            throw Descriptor.fault(cpu, vector, selector, ext);
        }
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.SS, selector, ext);
        }
        return d;
    }

    private static void loadData(Cpu cpu, int seg, int selector) {
        if (Descriptor.isNull(selector)) {
            setNull(cpu, seg, selector);
            cpu.updateSegment(seg);
            return;
        }
        long d = dataDescriptor(cpu, selector, cpu.cpl, GuestFault.GP);
        Descriptor.setAccessed(cpu, selector, d);
        set(cpu, seg, selector, d);
        cpu.updateSegment(seg);
    }

    /** Reads and checks the descriptor of a data segment, not null. */
    static long dataDescriptor(Cpu cpu, int selector, int cpl, int vector) {
        long d = Descriptor.read(cpu, selector, vector, 0);
        int type = Descriptor.type(d);
        boolean code = (type & Seg.CODE) != 0;
        boolean ok = (type & Seg.S) != 0 && (!code || (type & Seg.RW) != 0);
        if (!code || (type & Seg.DC) == 0) {
            int dpl = Descriptor.dpl(d);
            ok &= (selector & 3) <= dpl && cpl <= dpl;
        }
        if (!ok) {
            throw Descriptor.fault(cpu, vector, selector, 0);
        }
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
        return d;
    }

    /** Fills a register from its descriptor. The caller updates what is derived. */
    static void set(Cpu cpu, int seg, int selector, long d) {
        cpu.segSelector[seg] = selector;
        cpu.segBase[seg] = Descriptor.base(d);
        cpu.segLimit[seg] = Descriptor.limit(d);
        cpu.segAttributes[seg] = Descriptor.attributes(d) | Seg.ACCESSED;
    }

    static void set(Cpu cpu, int seg, int selector, long base, long limit, int attributes) {
        cpu.segSelector[seg] = selector;
        cpu.segBase[seg] = base;
        cpu.segLimit[seg] = limit;
        cpu.segAttributes[seg] = attributes;
    }

    /** A null selector; the base becomes 0 (CPUID says so in leaf 0x80000021). */
    static void setNull(Cpu cpu, int seg, int selector) {
        cpu.segSelector[seg] = selector;
        cpu.segBase[seg] = 0;
        cpu.segLimit[seg] = 0;
        cpu.segAttributes[seg] = Seg.UNUSABLE;
    }

    /** A register as virtual-8086 mode has it. */
    static void setVirtual8086(Cpu cpu, int seg, int selector) {
        set(cpu, seg, selector, (long) selector << 4, 0xFFFF, VM86_ATTRIBUTES);
    }

    /**
     * Checks the target code segment of a far transfer that stays at its privilege level (SDM 3A
     * §6.8.1): also of the return forms with {@code cpl} as the new level.
     */
    static void checkCode(Cpu cpu, int selector, long d, int cpl) {
        boolean ok = Descriptor.isCode(d);
        if (Descriptor.isConforming(d)) {
            ok &= Descriptor.dpl(d) <= cpl;
        } else {
            ok &= (selector & 3) <= cpl && Descriptor.dpl(d) == cpl;
        }
        ok &= !badLongCode(cpu, d);
        if (!ok) {
            throw Descriptor.fault(cpu, GuestFault.GP, selector, 0);
        }
        if (!Descriptor.present(d)) {
            throw Descriptor.fault(cpu, GuestFault.NP, selector, 0);
        }
    }

    /** L and D together are reserved in long mode. */
    static boolean badLongCode(Cpu cpu, long d) {
        int both = Seg.L | Seg.DB;
        return cpu.longModeActive() && (Descriptor.attributes(d) & both) == both;
    }

    static boolean isLongCode(Cpu cpu, long d) {
        return cpu.longModeActive() && (Descriptor.attributes(d) & Seg.L) != 0;
    }

    /**
     * Checks a new instruction pointer against the code segment it will run in.
     *
     * @throws GuestFault #GP({@code ext})
     */
    static void checkTarget(Cpu cpu, long d, long offset, int ext) {
        boolean ok =
                isLongCode(cpu, d)
                        ? cpu.isCanonical(offset)
                        : Long.compareUnsigned(offset, Descriptor.limit(d)) <= 0;
        if (!ok) {
            throw cpu.fault(GuestFault.GP, ext);
        }
    }

    /** Loads CS and RIP after all checks; recomputes the mode. */
    static void setCode(Cpu cpu, int selector, long d, long offset) {
        Descriptor.setAccessed(cpu, selector, d);
        set(cpu, Seg.CS, selector, d);
        cpu.rip = offset;
    }

    /** After a return to an outer level: data segments that it may not use become null. */
    static void dropInnerSegments(Cpu cpu, int newCpl) {
        for (int seg = Seg.ES; seg <= Seg.GS; seg++) {
            if (seg == Seg.CS || seg == Seg.SS) {
                continue;
            }
            int a = cpu.segAttributes[seg];
            boolean conforming = (a & (Seg.CODE | Seg.DC)) == (Seg.CODE | Seg.DC);
            if ((a & Seg.UNUSABLE) == 0 && !conforming && ((a >> Seg.DPL_SHIFT) & 3) < newCpl) {
                setNull(cpu, seg, 0);
            }
        }
    }
}
