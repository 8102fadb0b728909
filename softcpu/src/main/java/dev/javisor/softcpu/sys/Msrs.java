package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.CpuFeature;
import dev.javisor.softcpu.apic.LocalApic;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.core.Tsc;
import java.util.Arrays;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Model-specific registers of one vCPU (SDM volume 4, AMD APM 2 appendix A). Accesses to registers
 * that do not exist raise #GP(0) and are counted. Owned by the vCPU's thread.
 */
public final class Msrs {
    public static final int TSC = 0x10;
    public static final int APIC_BASE = 0x1B;
    public static final int TSC_ADJUST = 0x3B;
    public static final int PAT = 0x277;
    public static final int MTRR_DEF_TYPE = 0x2FF;
    public static final int TSC_DEADLINE = 0x6E0;
    public static final int EFER = 0xC0000080;
    public static final int STAR = 0xC0000081;
    public static final int LSTAR = 0xC0000082;
    public static final int CSTAR = 0xC0000083;
    public static final int SFMASK = 0xC0000084;
    public static final int FS_BASE = 0xC0000100;
    public static final int GS_BASE = 0xC0000101;
    public static final int KERNEL_GS_BASE = 0xC0000102;
    public static final int TSC_AUX = 0xC0000103;
    public static final int KVM_WALL_CLOCK = 0x4B564D00;
    public static final int KVM_SYSTEM_TIME = 0x4B564D01;

    private static final int KVM_WALL_CLOCK_OLD = 0x11;
    private static final int KVM_SYSTEM_TIME_OLD = 0x12;
    static final int SYSENTER_CS = 0x174;
    static final int SYSENTER_ESP = 0x175;
    static final int SYSENTER_EIP = 0x176;
    private static final int PLATFORM_ID = 0x17;
    private static final int UCODE_REV = 0x8B;
    private static final int MTRR_CAP = 0xFE;
    private static final int MCG_CAP = 0x179;
    private static final int X2APIC_FIRST = 0x800;
    private static final int X2APIC_LAST = 0x8FF;

    /** 8 variable ranges, fixed ranges, write-combining. */
    private static final long MTRR_CAPABILITIES = 0x508;

    /** WB, WT, UC-, UC twice: the power-on value. */
    private static final long PAT_DEFAULT = 0x0007_0406_0007_0406L;

    /** Registers that only hold what is written to them, ascending as unsigned numbers. */
    private static final int[] STORED = stored();

    /** Of {@link #STORED} and the handled ones, what {@code CpuState.msrs} carries. */
    private static final int[] SAVED = {
        TSC_ADJUST,
        SYSENTER_CS,
        SYSENTER_ESP,
        SYSENTER_EIP,
        TSC_DEADLINE,
        KVM_WALL_CLOCK,
        KVM_SYSTEM_TIME,
        STAR,
        LSTAR,
        CSTAR,
        SFMASK,
        KERNEL_GS_BASE,
        TSC_AUX
    };

    private static final int COUNTED_INDICES = 64;

    private final Cpu cpu;
    private final Cpuid cpuid;
    private final Tsc tsc;
    private final LocalApic apic;
    private final PvClock clock;
    private final long[] values = new long[STORED.length];
    private final SortedMap<Integer, Integer> unknown = new TreeMap<>(Integer::compareUnsigned);

    Msrs(Cpu cpu, Cpuid cpuid, Tsc tsc, LocalApic apic, PvClock clock) {
        this.cpu = cpu;
        this.cpuid = cpuid;
        this.tsc = tsc;
        this.apic = apic;
        this.clock = clock;
        reset();
    }

    private static int[] stored() {
        int[] list = new int[64];
        int n = 0;
        list[n++] = 0x17A; // IA32_MCG_STATUS
        list[n++] = 0x1A0; // IA32_MISC_ENABLE
        list[n++] = 0x1D9; // IA32_DEBUGCTL
        for (int i = 0x200; i <= 0x20F; i++) {
            list[n++] = i; // MTRR variable ranges
        }
        list[n++] = 0x250; // MTRR fixed ranges
        list[n++] = 0x258;
        list[n++] = 0x259;
        for (int i = 0x268; i <= 0x26F; i++) {
            list[n++] = i;
        }
        list[n++] = PAT;
        list[n++] = MTRR_DEF_TYPE;
        list[n++] = 0xC0010010; // SYSCFG
        list[n++] = 0xC0010015; // HWCR
        list[n++] = 0xC001001A; // TOP_MEM
        list[n++] = 0xC001001D; // TOP_MEM2
        list[n++] = 0xC001001F; // NB_CFG
        list[n++] = 0xC0010055; // INTERRUPT_PENDING
        list[n++] = 0xC0011020; // LS_CFG
        list[n++] = 0xC0011022; // DC_CFG
        list[n++] = 0xC0011029; // DE_CFG
        list[n++] = 0xC001102A; // BU_CFG2
        return Arrays.copyOf(list, n);
    }

    private static int storedIndex(int index) {
        int low = 0;
        int high = STORED.length - 1;
        while (low <= high) {
            int mid = (low + high) >>> 1;
            int order = Integer.compareUnsigned(STORED[mid], index);
            if (order == 0) {
                return mid;
            }
            if (order < 0) {
                low = mid + 1;
            } else {
                high = mid - 1;
            }
        }
        return -1;
    }

    /** Power-on values. INIT leaves all of these alone. */
    void reset() {
        Arrays.fill(values, 0);
        values[storedIndex(PAT)] = PAT_DEFAULT;
        values[storedIndex(0x1A0)] = 1; // fast strings
        values[storedIndex(0xC0010015)] = 1 << 24; // HWCR: the TSC counts at the P0 frequency
        values[storedIndex(0xC0011029)] = 2; // DE_CFG: LFENCE is serializing
        cpu.star = 0;
        cpu.lstar = 0;
        cpu.cstar = 0;
        cpu.sfmask = 0;
        cpu.kernelGsBase = 0;
        cpu.tscAux = 0;
        cpu.sysenterCs = 0;
        cpu.sysenterEsp = 0;
        cpu.sysenterEip = 0;
        clock.reset();
    }

    long read(int index) {
        return switch (index) {
            case TSC -> tsc.now();
            case TSC_ADJUST -> tsc.adjust();
            case TSC_DEADLINE -> apic.tscDeadline();
            case APIC_BASE -> apic.base();
            case EFER -> cpu.efer;
            case STAR -> cpu.star;
            case LSTAR -> cpu.lstar;
            case CSTAR -> cpu.cstar;
            case SFMASK -> cpu.sfmask;
            case FS_BASE -> cpu.segBase[Seg.FS];
            case GS_BASE -> cpu.segBase[Seg.GS];
            case KERNEL_GS_BASE -> cpu.kernelGsBase;
            case TSC_AUX -> cpu.tscAux;
            case SYSENTER_CS -> cpu.sysenterCs;
            case SYSENTER_ESP -> cpu.sysenterEsp;
            case SYSENTER_EIP -> cpu.sysenterEip;
            case KVM_WALL_CLOCK, KVM_WALL_CLOCK_OLD -> clock.wallClock();
            case KVM_SYSTEM_TIME, KVM_SYSTEM_TIME_OLD -> clock.systemTime();
            case MTRR_CAP -> MTRR_CAPABILITIES;
            case PLATFORM_ID, UCODE_REV, MCG_CAP -> 0;
            default -> {
                if (index >= X2APIC_FIRST && index <= X2APIC_LAST && cpuid.has(CpuFeature.X2APIC)) {
                    yield apic.readMsr(index);
                }
                int at = storedIndex(index);
                if (at < 0) {
                    throw noSuch(index);
                }
                yield values[at];
            }
        };
    }

    void write(int index, long value) {
        switch (index) {
            case TSC -> {
                tsc.setNow(value);
                tscMoved();
            }
            case TSC_ADJUST -> {
                tsc.setAdjust(value);
                tscMoved();
            }
            case TSC_DEADLINE -> apic.setTscDeadline(value);
            case APIC_BASE -> apic.writeBase(value);
            case EFER -> ControlRegisters.writeEfer(cpu, value);
            case STAR -> cpu.star = value;
            case LSTAR -> cpu.lstar = canonical(value);
            case CSTAR -> cpu.cstar = canonical(value);
            case SFMASK -> cpu.sfmask = value & 0xFFFFFFFFL;
            case FS_BASE -> setBase(cpu, Seg.FS, canonical(value));
            case GS_BASE -> setBase(cpu, Seg.GS, canonical(value));
            case KERNEL_GS_BASE -> cpu.kernelGsBase = canonical(value);
            case TSC_AUX -> cpu.tscAux = low32(value);
            case SYSENTER_CS -> cpu.sysenterCs = value & 0xFFFFFFFFL;
            case SYSENTER_ESP -> cpu.sysenterEsp = canonical(value);
            case SYSENTER_EIP -> cpu.sysenterEip = canonical(value);
            case KVM_WALL_CLOCK, KVM_WALL_CLOCK_OLD -> clock.writeWallClock(value);
            case KVM_SYSTEM_TIME, KVM_SYSTEM_TIME_OLD -> clock.writeSystemTime(value);
            case UCODE_REV -> {
                // Software clears it before it asks for the revision (SDM 3A §11.11.7.1).
            }
            case MTRR_CAP, PLATFORM_ID, MCG_CAP -> throw cpu.gp0();
            default -> {
                if (index >= X2APIC_FIRST && index <= X2APIC_LAST && cpuid.has(CpuFeature.X2APIC)) {
                    apic.writeMsr(index, value);
                } else {
                    writeStored(index, value);
                }
            }
        }
    }

    private void writeStored(int index, long value) {
        int at = storedIndex(index);
        if (at < 0) {
            throw noSuch(index);
        }
        if (index == PAT && !areMemoryTypes(value, true)) {
            throw cpu.gp0();
        }
        if (index >= 0x250 && index <= 0x26F && !areMemoryTypes(value, false)) {
            throw cpu.gp0();
        }
        values[at] = value;
    }

    /** Each byte a memory type (SDM 3A tables 13-8 and 13-10). UC- is for PAT only. */
    private static boolean areMemoryTypes(long value, boolean pat) {
        for (int i = 0; i < 64; i += 8) {
            int type = (int) (value >>> i) & 0xFF;
            boolean ok = type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
            if (!ok) {
                return false;
            }
        }
        return true;
    }

    static void setBase(Cpu cpu, int seg, long value) {
        cpu.segBase[seg] = value;
        cpu.updateSegment(seg);
    }

    private long canonical(long value) {
        if (!cpu.isCanonical(value)) {
            throw cpu.gp0();
        }
        return value;
    }

    private long low32(long value) {
        if (value >>> 32 != 0) {
            throw cpu.gp0();
        }
        return value;
    }

    private void tscMoved() {
        clock.update();
        apic.clockMoved();
    }

    private GuestFault noSuch(int index) {
        if (unknown.size() < COUNTED_INDICES || unknown.containsKey(index)) {
            unknown.merge(index, 1, Integer::sum);
        }
        return cpu.gp0();
    }

    /** Accesses to registers that do not exist, by index (the first few indices only). */
    public SortedMap<Integer, Integer> unknownAccesses() {
        return unknown;
    }

    /** What {@code CpuState.msrs} carries. */
    SortedMap<Integer, Long> save() {
        SortedMap<Integer, Long> map = new TreeMap<>(Integer::compareUnsigned);
        map.put(APIC_BASE, apic.base());
        for (int index : SAVED) {
            map.put(index, read(index));
        }
        for (int i = 0; i < STORED.length; i++) {
            map.put(STORED[i], values[i]);
        }
        return map;
    }

    /**
     * Takes over saved values. IA32_APIC_BASE is the local APIC's to restore. Registers that this
     * CPU does not have may be named with value 0.
     *
     * @throws IllegalArgumentException if a register cannot have its value
     */
    void restore(SortedMap<Integer, Long> saved) {
        reset();
        tsc.restoreAdjust(0);
        long systemTime = 0;
        long wallClock = 0;
        for (java.util.Map.Entry<Integer, Long> entry : saved.entrySet()) {
            int index = entry.getKey();
            long value = entry.getValue();
            switch (index) {
                case APIC_BASE, TSC, EFER, FS_BASE, GS_BASE -> {
                    // Elsewhere in the state.
                }
                case TSC_ADJUST -> tsc.restoreAdjust(value);
                case KVM_SYSTEM_TIME -> systemTime = value;
                case KVM_WALL_CLOCK -> wallClock = value;
                default -> restoreOne(index, value);
            }
        }
        clock.restore(systemTime, wallClock);
    }

    private void restoreOne(int index, long value) {
        try {
            write(index, value);
        } catch (GuestFault fault) {
            if (value != 0) {
                throw new IllegalArgumentException(
                        "MSR %#x cannot be %#x".formatted(index, value), fault);
            }
        }
    }
}
