package dev.javisor.softcpu.sys;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;

/** Who may use which ports (SDM 1 §20.5). */
public final class IoPermission {
    private IoPermission() {}

    /**
     * Checks IOPL and, where that is not enough, the I/O permission bitmap of the TSS.
     *
     * @throws GuestFault #GP(0)
     */
    public static void check(Cpu cpu, int port, int sizeBytes) {
        if (cpu.protectedMode
                && (cpu.virtual8086 || cpu.cpl > (cpu.flags.system & Flags.IOPL) >> 12)) {
            checkBitmap(cpu, port, sizeBytes);
        }
        DebugRegisters.checkPort(cpu, port, sizeBytes);
    }

    private static void checkBitmap(Cpu cpu, int port, int sizeBytes) {
        int attributes = cpu.segAttributes[Seg.TR];
        long limit = cpu.segLimit[Seg.TR];
        boolean tss32 = Descriptor.isTss32(attributes & 0x1F);
        if ((attributes & Seg.PRESENT) == 0 || !tss32 || limit < 103) {
            throw cpu.gp0();
        }
        long base = cpu.segBase[Seg.TR];
        long at = cpu.mmu.readSystem(base + 102, 2) + (port >>> 3);
        // Two bytes are read always: the map ends with a byte of ones.
        if (at + 1 > limit) {
            throw cpu.gp0();
        }
        long bits = cpu.mmu.readSystem(base + at, 2) >>> (port & 7);
        if ((bits & ((1 << sizeBytes) - 1)) != 0) {
            throw cpu.gp0();
        }
    }
}
