package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Stack pointers of inner levels in the current 16- or 32-bit TSS (SDM 3A §9.2.1, §9.6). */
final class TaskState {
    private TaskState() {}

    private static boolean is32(Cpu cpu) {
        return Descriptor.isTss32(cpu.segAttributes[Seg.TR] & 0x1F);
    }

    static long stackPointer(Cpu cpu, int level, int ext) {
        return is32(cpu) ? read(cpu, 4 + 8 * level, 4, ext) : read(cpu, 2 + 4 * level, 2, ext);
    }

    static int stackSelector(Cpu cpu, int level, int ext) {
        return (int)
                (is32(cpu) ? read(cpu, 8 + 8 * level, 2, ext) : read(cpu, 4 + 4 * level, 2, ext));
    }

    private static long read(Cpu cpu, int offset, int size, int ext) {
        if (offset + size - 1 > cpu.segLimit[Seg.TR]) {
            throw Descriptor.fault(cpu, GuestFault.TS, cpu.segSelector[Seg.TR], ext);
        }
        return cpu.mmu.readSystem((cpu.segBase[Seg.TR] + offset) & 0xFFFFFFFFL, size);
    }
}
