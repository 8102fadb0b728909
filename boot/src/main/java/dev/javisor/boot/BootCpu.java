package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SortedMap;
import java.util.TreeMap;

/** The bootstrap processor's state at a kernel's entry point. */
final class BootCpu {
    static final int RAX = 0;
    static final int RBX = 3;
    static final int RSP = 4;
    static final int RSI = 6;

    /** Linux's __BOOT_CS and __BOOT_DS (asm/segment.h). */
    private static final int CODE_SELECTOR = 0x10;

    private static final int DATA_SELECTOR = 0x18;
    private static final int TASK_SELECTOR = 0x20;

    /** Segment attributes as in {@link Segment#attributes}: present, accessed, 4 KiB granular. */
    private static final int CODE_64 = 0xA09B;

    private static final int CODE_32 = 0xC09B;
    private static final int DATA = 0xC093;
    private static final int BUSY_TSS = 0x008B;
    private static final int LDT = 0x0082;

    private static final long CR0_PE = 1;
    private static final long CR0_ET = 1 << 4;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1 << 5;
    private static final long EFER_LME = 1 << 8;
    private static final long EFER_LMA = 1 << 10;
    private static final long RFLAGS_FIXED = 2;

    private static final long PTE_PRESENT_WRITABLE = 3;
    private static final long PDE_PAGE_SIZE = 1 << 7;

    // Local APIC registers, byte offsets (SDM 3A table 12-1).
    private static final int LAPIC_SPURIOUS = 0xF0;
    private static final int LAPIC_LVT_LINT0 = 0x350;
    private static final int LAPIC_LVT_LINT1 = 0x360;

    private static final int MSR_MTRR_DEF_TYPE = 0x2FF;

    /** MTRRs enabled, everything write-back (SDM 3A §13.11.2.1). */
    private static final long MTRR_ENABLED_WRITE_BACK = 0x806;

    private BootCpu() {}

    /**
     * Flat 32-bit protected mode without paging: Linux's 32-bit entry, PVH and Multiboot.
     *
     * @param powerOn the state to start from: local APIC, MSRs and FPU are kept
     */
    static CpuState protected32(GuestMemory memory, CpuState powerOn, long entry, long[] gpr) {
        writeGdt(memory, CODE_32);
        return state(powerOn, CODE_32, entry, gpr, CR0_PE | CR0_ET, 0, 0, 0);
    }

    /** 64-bit mode, the low 4 GiB mapped one to one: Linux's 64-bit entry. */
    static CpuState long64(GuestMemory memory, CpuState powerOn, long entry, long[] gpr) {
        writeGdt(memory, CODE_64);
        writePageTables(memory);
        return state(
                powerOn,
                CODE_64,
                entry,
                gpr,
                CR0_PE | CR0_ET | CR0_PG,
                BootLayout.PAGE_TABLES,
                CR4_PAE,
                EFER_LME | EFER_LMA);
    }

    private static CpuState state(
            CpuState powerOn,
            int codeAttributes,
            long entry,
            long[] gpr,
            long cr0,
            long cr3,
            long cr4,
            long efer) {
        Segment code = new Segment(CODE_SELECTOR, 0, -1, codeAttributes);
        Segment data = new Segment(DATA_SELECTOR, 0, -1, DATA);
        // A busy TSS of the smallest size, as PVH demands and VMX needs.
        Segment task = new Segment(TASK_SELECTOR, 0, 0x67, BUSY_TSS);
        Segment local = new Segment(0, 0, 0xFFFF, LDT);
        return new CpuState(
                gpr,
                entry,
                RFLAGS_FIXED,
                new Segments(data, code, data, data, data, data, task, local),
                new DescriptorTable(BootLayout.GDT, BootLayout.GDT_ENTRIES * 8 - 1),
                new DescriptorTable(0, 0),
                cr0,
                0,
                cr3,
                cr4,
                0,
                efer,
                powerOn.xcr0(),
                powerOn.debug(),
                msrs(powerOn.msrs()),
                powerOn.xsave(),
                lapic(powerOn.lapic()),
                new CpuState.Events(-1, -1, -1, false, false, false, -1),
                CpuState.Activity.RUNNING,
                powerOn.tscOffset());
    }

    /** What firmware leaves behind: all memory write-back, where the CPU has MTRRs. */
    private static SortedMap<Integer, Long> msrs(SortedMap<Integer, Long> powerOn) {
        SortedMap<Integer, Long> msrs = new TreeMap<>(powerOn);
        msrs.computeIfPresent(MSR_MTRR_DEF_TYPE, (index, value) -> MTRR_ENABLED_WRITE_BACK);
        return msrs;
    }

    /**
     * Virtual wire mode, as firmware leaves it (MultiProcessor Specification 1.4 §3.6.2.2): the
     * 8259 pair's interrupts pass through LINT0, LINT1 is the NMI.
     */
    private static byte[] lapic(byte[] powerOn) {
        byte[] page = powerOn.clone();
        if (page.length > LAPIC_LVT_LINT1 + 4) {
            ByteBuffer registers = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
            registers.putInt(LAPIC_SPURIOUS, 0x1FF);
            registers.putInt(LAPIC_LVT_LINT0, 0x700);
            registers.putInt(LAPIC_LVT_LINT1, 0x400);
        }
        return page;
    }

    private static void writeGdt(GuestMemory memory, int codeAttributes) {
        ByteBuffer table =
                ByteBuffer.allocate(BootLayout.GDT_ENTRIES * 8).order(ByteOrder.LITTLE_ENDIAN);
        table.putLong(CODE_SELECTOR, descriptor(codeAttributes, 0xF_FFFF));
        table.putLong(DATA_SELECTOR, descriptor(DATA, 0xF_FFFF));
        table.putLong(TASK_SELECTOR, descriptor(BUSY_TSS, 0x67));
        memory.write(BootLayout.GDT, table.array());
    }

    /** A descriptor with base 0 (SDM 3A §3.4.5); {@code limit} in units of its granularity. */
    private static long descriptor(int attributes, int limit) {
        return (limit & 0xFFFFL)
                | (attributes & 0xFFL) << 40
                | (limit >>> 16 & 0xFL) << 48
                | (attributes >>> 12 & 0xFL) << 52;
    }

    private static void writePageTables(GuestMemory memory) {
        ByteBuffer tables =
                ByteBuffer.allocate(BootLayout.PAGE_TABLES_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        int page = GuestMemory.PAGE_BYTES;
        tables.putLong(0, (BootLayout.PAGE_TABLES + page) | PTE_PRESENT_WRITABLE);
        for (int gib = 0; gib < 4; gib++) {
            long directory = BootLayout.PAGE_TABLES + (2L + gib) * page;
            tables.putLong(page + gib * 8, directory | PTE_PRESENT_WRITABLE);
        }
        for (int i = 0; i < 2048; i++) {
            tables.putLong(
                    2 * page + i * 8, ((long) i << 21) | PTE_PRESENT_WRITABLE | PDE_PAGE_SIZE);
        }
        memory.write(BootLayout.PAGE_TABLES, tables.array());
    }
}
