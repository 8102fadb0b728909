package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Segment and gate descriptors as raw 64-bit words (SDM 3A §3.4.5, §3.5, §6.8.3, §7.11). */
final class Descriptor {
    // System types, bits 0..4 of the attributes with S clear.
    static final int TSS16_AVAILABLE = 1;
    static final int LDT = 2;
    static final int TSS16_BUSY = 3;
    static final int CALL_GATE16 = 4;
    static final int TASK_GATE = 5;
    static final int INTERRUPT_GATE16 = 6;
    static final int TRAP_GATE16 = 7;
    static final int TSS32_AVAILABLE = 9;
    static final int TSS32_BUSY = 0xB;
    static final int CALL_GATE32 = 0xC;
    static final int INTERRUPT_GATE32 = 0xE;
    static final int TRAP_GATE32 = 0xF;

    /** Difference between an available and a busy TSS. */
    static final int TSS_BUSY_BIT = 2;

    private Descriptor() {}

    static long base(long d) {
        return ((d >>> 16) & 0xFFFFFF) | ((d >>> 32) & 0xFF000000L);
    }

    static long limit(long d) {
        long raw = (d & 0xFFFF) | ((d >>> 32) & 0xF0000);
        return (attributes(d) & Seg.G) != 0 ? raw << 12 | 0xFFF : raw;
    }

    /** In the form of {@link Seg}. */
    static int attributes(long d) {
        return (int) (d >>> 40) & 0xF0FF;
    }

    /** S and the type: bits 0..4 of the attributes. */
    static int type(long d) {
        return (int) (d >>> 40) & 0x1F;
    }

    static int dpl(long d) {
        return (int) (d >>> 45) & 3;
    }

    static boolean present(long d) {
        return d << 16 < 0;
    }

    static boolean isCode(long d) {
        return (type(d) & (Seg.S | Seg.CODE)) == (Seg.S | Seg.CODE);
    }

    static boolean isConforming(long d) {
        return (type(d) & Seg.DC) != 0;
    }

    static boolean isWritableData(long d) {
        return (type(d) & (Seg.S | Seg.CODE | Seg.RW)) == (Seg.S | Seg.RW);
    }

    static boolean isTss(int type) {
        return (type & ~(8 | TSS_BUSY_BIT)) == TSS16_AVAILABLE;
    }

    static boolean isTss32(int type) {
        return (type & 8) != 0;
    }

    static int gateSelector(long gate) {
        return (int) (gate >>> 16) & 0xFFFF;
    }

    /** Offset of a 16- or 32-bit gate. */
    static long gateOffset(long gate) {
        long offset = gate & 0xFFFF;
        return (type(gate) & 8) != 0 ? offset | ((gate >>> 32) & 0xFFFF0000L) : offset;
    }

    /** Offset of a 64-bit gate, whose second word is {@code high}. */
    static long gateOffset64(long gate, long high) {
        return (gate & 0xFFFF) | ((gate >>> 32) & 0xFFFF0000L) | high << 32;
    }

    static boolean isNull(int selector) {
        return (selector & 0xFFFC) == 0;
    }

    /** Linear address of the descriptor, or -1 if the selector is beyond its table. */
    static long address(Cpu cpu, int selector) {
        return address(cpu, selector, 8);
    }

    static long address(Cpu cpu, int selector, int sizeBytes) {
        long base;
        long limit;
        if ((selector & 4) != 0) {
            if ((cpu.segAttributes[Seg.LDTR] & Seg.UNUSABLE) != 0) {
                return -1;
            }
            base = cpu.segBase[Seg.LDTR];
            limit = cpu.segLimit[Seg.LDTR];
        } else {
            base = cpu.gdtBase;
            limit = cpu.gdtLimit;
        }
        int index = selector & 0xFFF8;
        if (index + sizeBytes - 1 > limit) {
            return -1;
        }
        return wrap(cpu, base + index);
    }

    static long wrap(Cpu cpu, long linear) {
        return cpu.longModeActive() ? linear : linear & 0xFFFFFFFFL;
    }

    /**
     * Reads the descriptor of a selector that is not null.
     *
     * @param vector fault if it is beyond its table, with the selector
     * @param ext EXT bit of the error code
     */
    static long read(Cpu cpu, int selector, int vector, int ext) {
        long address = address(cpu, selector);
        if (address == -1) {
            throw fault(cpu, vector, selector, ext);
        }
        return cpu.mmu.readSystem(address, 8);
    }

    static GuestFault fault(Cpu cpu, int vector, int selector, int ext) {
        return cpu.fault(vector, (selector & 0xFFFC) | ext);
    }

    /** Sets the accessed bit of a code or data segment in its table. */
    static void setAccessed(Cpu cpu, int selector, long d) {
        if ((type(d) & Seg.ACCESSED) == 0) {
            long address = address(cpu, selector);
            cpu.mmu.writeSystem(address + 5, 1, ((d >>> 40) & 0xFF) | Seg.ACCESSED);
        }
    }
}
