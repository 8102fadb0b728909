package dev.javisor.softcpu.core;

import dev.javisor.hypervisor.CpuIdentity;

/**
 * Paging (SDM 3A chapter 4): none, 32-bit, PAE, 4-level, 5-level. Walks the tables in guest RAM,
 * checks rights, sets accessed and dirty bits atomically, raises #PF with its error code. The
 * attributes of the last successful walk are left in fields.
 */
public final class PageWalker {
    public static final int READ = 0;
    public static final int WRITE = 1;
    public static final int FETCH = 2;

    /** MAXPHYADDR: physical addresses have this many bits; CPUID leaf 0x80000008 says the same. */
    public static final int PHYSICAL_BITS = CpuIdentity.PHYSICAL_BITS;

    private static final long ADDRESS_MASK = ((1L << PHYSICAL_BITS) - 1) & ~0xFFFL;
    private static final long RESERVED_ADDRESS = ((1L << 52) - 1) & ~((1L << PHYSICAL_BITS) - 1);

    /** Bits 52..62, which only long mode leaves to software. */
    private static final long RESERVED_PAE = 0x7FF0_0000_0000_0000L;

    // Entry bits.
    private static final long P = 1;
    private static final long RW = 2;
    private static final long US = 4;
    private static final long A = 1 << 5;
    private static final long D = 1 << 6;
    private static final long PS = 1 << 7;
    private static final long G = 1 << 8;
    private static final long NX = 1L << 63;

    // Error code bits (SDM 3A §4.7).
    private static final int ERROR_P = 1;
    private static final int ERROR_W = 2;
    private static final int ERROR_U = 4;
    private static final int ERROR_RSVD = 8;
    private static final int ERROR_I = 16;

    private final Cpu cpu;
    private final Ram ram;

    /** PAE's four page-directory-pointer registers, loaded by MOV to CR3 (SDM 3A §4.4.1). */
    private final long[] pdpte = new long[4];

    private boolean writable;
    private boolean global;
    private int pageShift;

    PageWalker(Cpu cpu, Ram ram) {
        this.cpu = cpu;
        this.ram = ram;
    }

    /** Whether a later write in the same context needs no further walk (dirty is set). */
    boolean writable() {
        return writable;
    }

    boolean global() {
        return global;
    }

    /** 12, 21, 22 or 30. */
    int pageShift() {
        return pageShift;
    }

    /**
     * Loads PAE's pointer registers from {@code cr3}. Call when PAE paging is or becomes active
     * without long mode: MOV to CR3, and changes of CR0.PG/CD/NW, CR4.PAE/PGE/PSE/SMEP.
     *
     * @throws GuestFault #GP(0) if a present entry has reserved bits set; nothing is changed then
     */
    public void loadPdptes(long cr3) {
        long[] loaded = new long[4];
        for (int i = 0; i < 4; i++) {
            loaded[i] = cpu.mmu.readPhysical((cr3 & 0xFFFFFFE0L) + 8L * i, 8);
            if ((loaded[i] & P) != 0 && (loaded[i] & (~ADDRESS_MASK & ~0xE19L)) != 0) {
                throw cpu.gp0();
            }
        }
        System.arraycopy(loaded, 0, pdpte, 0, 4);
    }

    /**
     * Translates.
     *
     * @param linear canonical
     * @param access READ, WRITE or FETCH
     * @param context of {@link Mmu}
     * @return guest-physical address
     */
    long walk(long linear, int access, int context) {
        if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
            writable = true;
            global = false;
            pageShift = 12;
            return linear & 0xFFFFFFFFL;
        }
        if ((cpu.cr4 & Cpu.CR4_PAE) == 0) {
            return walk32(linear & 0xFFFFFFFFL, access, context);
        }
        return walkPae(linear, access, context);
    }

    private long walkPae(long linear, int access, int context) {
        int level;
        long table;
        long rights = RW | US;
        boolean nx = false;
        boolean longMode = cpu.longModeActive();
        if (longMode) {
            level = (cpu.cr4 & Cpu.CR4_LA57) != 0 ? 5 : 4;
            table = cpu.cr3 & ADDRESS_MASK;
        } else {
            linear &= 0xFFFFFFFFL;
            long pointer = pdpte[(int) (linear >>> 30)];
            if ((pointer & P) == 0) {
                throw notPresent(linear, access, context);
            }
            level = 2;
            table = pointer & ADDRESS_MASK;
        }
        while (true) {
            int shift = 12 + 9 * (level - 1);
            long address = table + ((linear >>> shift) & 0x1FF) * 8;
            long entry = cpu.mmu.readPhysical(address, 8);
            if ((entry & P) == 0) {
                throw notPresent(linear, access, context);
            }
            boolean leaf = level == 1 || ((entry & PS) != 0 && level <= 3);
            long reserved = RESERVED_ADDRESS;
            if ((cpu.efer & Cpu.EFER_NXE) == 0) {
                reserved |= NX;
            }
            if (!longMode) {
                reserved |= RESERVED_PAE;
            }
            if (level >= 4) {
                reserved |= PS;
            } else if (leaf && level > 1) {
                // Bits 13 .. shift-1 of a large page's address; bit 12 is PAT.
                reserved |= ((1L << shift) - 1) & ~0x1FFFL;
            }
            if ((entry & reserved) != 0) {
                throw reservedBit(linear, access, context);
            }
            rights &= entry;
            nx |= (entry & NX) != 0;
            if (leaf) {
                checkRights(linear, access, context, rights, nx);
                entry = setAccessedDirty(address, entry, access == WRITE, 8);
                finish(entry, rights, shift, context);
                long offsetMask = (1L << shift) - 1;
                return (entry & ADDRESS_MASK & ~offsetMask) | (linear & offsetMask);
            }
            setAccessed(address, entry, 8);
            table = entry & ADDRESS_MASK;
            level--;
        }
    }

    private long walk32(long linear, int access, int context) {
        long pdeAddress = (cpu.cr3 & 0xFFFFF000L) + (linear >>> 22) * 4;
        long pde = cpu.mmu.readPhysical(pdeAddress, 4);
        if ((pde & P) == 0) {
            throw notPresent(linear, access, context);
        }
        if ((pde & PS) != 0 && (cpu.cr4 & Cpu.CR4_PSE) != 0) {
            // PSE-36: bits 13..20 are address bits 32..39, bit 21 is reserved.
            if ((pde & (1 << 21)) != 0) {
                throw reservedBit(linear, access, context);
            }
            checkRights(linear, access, context, pde, false);
            pde = setAccessedDirty(pdeAddress, pde, access == WRITE, 4);
            finish(pde, pde, 22, context);
            return (pde & 0xFFC00000L) | ((pde >>> 13) & 0xFF) << 32 | (linear & 0x3FFFFF);
        }
        long pteAddress = (pde & 0xFFFFF000L) + ((linear >>> 12) & 0x3FF) * 4;
        long pte = cpu.mmu.readPhysical(pteAddress, 4);
        if ((pte & P) == 0) {
            throw notPresent(linear, access, context);
        }
        long rights = pde & pte;
        checkRights(linear, access, context, rights, false);
        setAccessed(pdeAddress, pde, 4);
        pte = setAccessedDirty(pteAddress, pte, access == WRITE, 4);
        finish(pte, rights, 12, context);
        return (pte & 0xFFFFF000L) | (linear & 0xFFF);
    }

    private void finish(long entry, long rights, int shift, int context) {
        boolean write =
                context == Mmu.USER
                        ? (rights & RW) != 0
                        : (rights & RW) != 0 || (cpu.cr0 & Cpu.CR0_WP) == 0;
        writable = write && (entry & D) != 0;
        global = (entry & G) != 0 && (cpu.cr4 & Cpu.CR4_PGE) != 0;
        pageShift = shift;
    }

    /** SDM 3A §4.6.1. */
    private void checkRights(long linear, int access, int context, long rights, boolean nx) {
        boolean userPage = (rights & US) != 0;
        boolean ok;
        if (context == Mmu.USER) {
            ok = userPage && (access != WRITE || (rights & RW) != 0) && (access != FETCH || !nx);
        } else if (access == FETCH) {
            ok = !nx && !(userPage && (cpu.cr4 & Cpu.CR4_SMEP) != 0);
        } else {
            ok = !(userPage && context == Mmu.SUPERVISOR && (cpu.cr4 & Cpu.CR4_SMAP) != 0);
            ok &= access != WRITE || (rights & RW) != 0 || (cpu.cr0 & Cpu.CR0_WP) == 0;
        }
        if (!ok) {
            throw cpu.pageFault(linear, ERROR_P | errorBits(access, context));
        }
    }

    private GuestFault notPresent(long linear, int access, int context) {
        return cpu.pageFault(linear, errorBits(access, context));
    }

    private GuestFault reservedBit(long linear, int access, int context) {
        return cpu.pageFault(linear, ERROR_P | ERROR_RSVD | errorBits(access, context));
    }

    private int errorBits(int access, int context) {
        int bits = context == Mmu.USER ? ERROR_U : 0;
        if (access == WRITE) {
            bits |= ERROR_W;
        } else if (access == FETCH
                && ((cpu.cr4 & Cpu.CR4_SMEP) != 0
                        || ((cpu.cr4 & Cpu.CR4_PAE) != 0 && (cpu.efer & Cpu.EFER_NXE) != 0))) {
            bits |= ERROR_I;
        }
        return bits;
    }

    private void setAccessed(long address, long entry, int sizeBytes) {
        if ((entry & A) == 0) {
            setBits(address, A, sizeBytes);
        }
    }

    private long setAccessedDirty(long address, long entry, boolean dirty, int sizeBytes) {
        long wanted = dirty ? A | D : A;
        if ((entry & wanted) != wanted) {
            setBits(address, wanted, sizeBytes);
        }
        return entry | wanted;
    }

    /** Locked OR into a table entry, which is naturally aligned. */
    private void setBits(long address, long bits, int sizeBytes) {
        long offset = ram.memory.offsetOf(address, sizeBytes);
        if (offset < 0) {
            return;
        }
        if (sizeBytes == 8) {
            long unusedOld = (long) Mmu.LONG_ATOMIC.getAndBitwiseOr(ram.backing, offset, bits);
        } else {
            int unusedOld = (int) Mmu.INT_ATOMIC.getAndBitwiseOr(ram.backing, offset, (int) bits);
        }
        ram.stored((int) (offset >>> 12), address, sizeBytes);
    }
}
