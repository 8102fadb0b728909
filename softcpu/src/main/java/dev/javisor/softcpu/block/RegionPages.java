package dev.javisor.softcpu.block;

import dev.javisor.softcpu.core.CodePages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;

/**
 * The pages of code that a region was made from.
 *
 * @param linear page-aligned linear addresses
 * @param backing page numbers of the backing segment
 * @param versions of the backing pages when their code was decoded
 */
public record RegionPages(long[] linear, int[] backing, int[] versions) {
    /** Whether no page was written since. */
    boolean current(CodePages codePages) {
        for (int i = 0; i < backing.length; i++) {
            if (codePages.version(backing[i]) != versions[i]) {
                return false;
            }
        }
        return true;
    }

    /** Whether the linear pages still mean those backing pages, at the current privilege. */
    boolean stillMapped(Cpu cpu) {
        Mmu mmu = cpu.mmu;
        // The walk may set accessed flags, as a prefetch does, but must not show a fault.
        long cr2 = cpu.cr2;
        try {
            for (int i = 0; i < linear.length; i++) {
                long physical = mmu.translateFetch(linear[i]);
                if (mmu.ram().memory.offsetOf(physical, 4096) >>> 12 != backing[i]) {
                    return false;
                }
            }
            return true;
        } catch (GuestFault notFetchable) {
            cpu.cr2 = cr2;
            return false;
        }
    }
}
