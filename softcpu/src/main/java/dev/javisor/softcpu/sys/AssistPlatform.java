package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.CpuFeature;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.DeclinedAccess;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.Platform;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Op;

/**
 * What surrounds the core while it executes instructions for another accelerator's vCPU: clock,
 * identity, MSRs and local APIC are that vCPU's. Owned by the vCPU's thread.
 */
public final class AssistPlatform implements Platform, Mmu.ApicPage {
    private static final long CR4_ALWAYS =
            Cpu.CR4_VME
                    | Cpu.CR4_PVI
                    | Cpu.CR4_TSD
                    | Cpu.CR4_DE
                    | Cpu.CR4_PSE
                    | Cpu.CR4_PAE
                    | Cpu.CR4_MCE
                    | Cpu.CR4_PGE
                    | Cpu.CR4_PCE
                    | Cpu.CR4_OSFXSR
                    | Cpu.CR4_OSXMMEXCPT;

    private static final long APIC_ENABLE = 1 << 11;
    private static final long APIC_X2 = 1 << 10;

    private final Cpu cpu;
    private final AssistedVcpu vcpu;
    private final long[] value = new long[4];
    private final long cr4Bits;
    private final long xcr0Bits;

    /** IA32_APIC_BASE, and CR8, as of this assist. */
    private long apicBase;

    private int taskPriorityClass;

    public AssistPlatform(Cpu cpu, AssistedVcpu vcpu) {
        this.cpu = cpu;
        this.vcpu = vcpu;
        this.cr4Bits = findCr4Bits();
        this.xcr0Bits = findXcr0Bits();
        cpu.platform = this;
        cpu.mmu.apicPage = this;
    }

    private long findCr4Bits() {
        vcpu.cpuid(1, 0, value);
        long c = value[2];
        vcpu.cpuid(7, 0, value);
        long bits = CR4_ALWAYS;
        bits |= (c & CpuFeature.PCID.mask()) != 0 ? Cpu.CR4_PCIDE : 0;
        bits |= (c & CpuFeature.XSAVE.mask()) != 0 ? Cpu.CR4_OSXSAVE : 0;
        bits |= (value[1] & CpuFeature.FSGSBASE.mask()) != 0 ? Cpu.CR4_FSGSBASE : 0;
        bits |= (value[1] & CpuFeature.SMEP.mask()) != 0 ? Cpu.CR4_SMEP : 0;
        bits |= (value[1] & CpuFeature.SMAP.mask()) != 0 ? Cpu.CR4_SMAP : 0;
        bits |= (value[2] & CpuFeature.UMIP.mask()) != 0 ? Cpu.CR4_UMIP : 0;
        bits |= (value[2] & CpuFeature.LA57.mask()) != 0 ? Cpu.CR4_LA57 : 0;
        return bits;
    }

    private long findXcr0Bits() {
        if ((cr4Bits & Cpu.CR4_OSXSAVE) == 0) {
            return 1;
        }
        vcpu.cpuid(0xD, 0, value);
        return value[0] & 7 | 1;
    }

    /** Before an assist. */
    void begin(long newApicBase, int newTaskPriorityClass) {
        apicBase = newApicBase;
        taskPriorityClass = newTaskPriorityClass;
    }

    /** Fetches the MSRs that instructions use as operands: the core has fields for them. */
    public void fetchFor(Op op) {
        switch (op) {
            case SYSCALL, SYSRET -> {
                cpu.star = fetch(Msrs.STAR);
                cpu.lstar = fetch(Msrs.LSTAR);
                cpu.cstar = fetch(Msrs.CSTAR);
                cpu.sfmask = fetch(Msrs.SFMASK);
            }
            case SYSENTER, SYSEXIT -> {
                cpu.sysenterCs = fetch(Msrs.SYSENTER_CS);
                cpu.sysenterEsp = fetch(Msrs.SYSENTER_ESP);
                cpu.sysenterEip = fetch(Msrs.SYSENTER_EIP);
            }
            case SWAPGS -> cpu.kernelGsBase = fetch(Msrs.KERNEL_GS_BASE);
            case RDTSCP, RDPID -> cpu.tscAux = fetch(Msrs.TSC_AUX);
            default -> {
                // Uses none.
            }
        }
    }

    /** After the instruction. */
    public void storeFor(Op op) {
        if (op == Op.SWAPGS && !vcpu.writeMsr(Msrs.KERNEL_GS_BASE, cpu.kernelGsBase)) {
            throw new IllegalStateException("KERNEL_GS_BASE cannot be %#x".formatted(value[0]));
        }
    }

    private long fetch(int index) {
        return vcpu.readMsr(index, value) ? value[0] : 0;
    }

    @Override
    public long tsc() {
        return fetch(Msrs.TSC);
    }

    @Override
    public long readMsr(int index) {
        return switch (index) {
            case Msrs.EFER -> cpu.efer;
            case Msrs.FS_BASE -> cpu.segBase[Seg.FS];
            case Msrs.GS_BASE -> cpu.segBase[Seg.GS];
            default -> {
                if (!vcpu.readMsr(index, value)) {
                    throw cpu.gp0();
                }
                yield value[0];
            }
        };
    }

    @Override
    public void writeMsr(int index, long newValue) {
        switch (index) {
            case Msrs.EFER -> ControlRegisters.writeEfer(cpu, newValue);
            case Msrs.FS_BASE -> setBase(Seg.FS, newValue);
            case Msrs.GS_BASE -> setBase(Seg.GS, newValue);
            default -> {
                if (!vcpu.writeMsr(index, newValue)) {
                    throw cpu.gp0();
                }
                if (index == Msrs.APIC_BASE) {
                    apicBase = newValue;
                }
            }
        }
    }

    private void setBase(int seg, long newValue) {
        if (!cpu.isCanonical(newValue)) {
            throw cpu.gp0();
        }
        Msrs.setBase(cpu, seg, newValue);
    }

    @Override
    public void cpuid(int leaf, int subleaf, long[] registers) {
        vcpu.cpuid(leaf, subleaf, registers);
    }

    @Override
    public long cr4Bits() {
        return cr4Bits;
    }

    @Override
    public long xcr0Bits() {
        return xcr0Bits;
    }

    @Override
    public int taskPriorityClass() {
        return taskPriorityClass;
    }

    @Override
    public void setTaskPriorityClass(int newValue) {
        taskPriorityClass = newValue;
    }

    /** Hypercalls are declined, so nobody asks. */
    @Override
    public void wake(int apicId) {
        throw new IllegalStateException("hypercall in an assist");
    }

    // ------------------------------------------------------------------ the APIC's page

    @Override
    public boolean claims(long physical) {
        return (apicBase & (APIC_ENABLE | APIC_X2)) == APIC_ENABLE
                && (physical & ~0xFFFL) == (apicBase & 0xF_FFFF_FFFF_F000L);
    }

    @Override
    public long read(long physical, int sizeBytes) {
        throw DeclinedAccess.LOCAL_APIC;
    }

    @Override
    public void write(long physical, int sizeBytes, long newValue) {
        throw DeclinedAccess.LOCAL_APIC;
    }
}
