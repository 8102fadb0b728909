package dev.javisor.softcpu.sys;

import dev.javisor.hypervisor.CpuFeature;
import dev.javisor.hypervisor.CpuIdentity;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.softcpu.core.Cpu;

/** What a model means for this CPU: its features, and what control registers can hold. */
public final class Cpuid {
    private final CpuIdentity identity;

    /**
     * @param vcpus that the virtual machine can have
     */
    public Cpuid(CpuModel model, int vcpus, long tscHz) {
        this.identity = new CpuIdentity(model, vcpus, tscHz);
    }

    public boolean has(CpuFeature feature) {
        return identity.has(feature);
    }

    /** CR4 bits that exist with these features. */
    long cr4Bits() {
        long mask =
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
        mask |= has(CpuFeature.UMIP) ? Cpu.CR4_UMIP : 0;
        mask |= has(CpuFeature.LA57) ? Cpu.CR4_LA57 : 0;
        mask |= has(CpuFeature.FSGSBASE) ? Cpu.CR4_FSGSBASE : 0;
        mask |= has(CpuFeature.PCID) ? Cpu.CR4_PCIDE : 0;
        mask |= has(CpuFeature.XSAVE) ? Cpu.CR4_OSXSAVE : 0;
        mask |= has(CpuFeature.SMEP) ? Cpu.CR4_SMEP : 0;
        mask |= has(CpuFeature.SMAP) ? Cpu.CR4_SMAP : 0;
        return mask;
    }

    long xcr0Bits() {
        return identity.xcr0Bits();
    }

    /**
     * Answers CPUID on {@code cpu}.
     *
     * @param out EAX, EBX, ECX, EDX, zero-extended
     */
    void query(Cpu cpu, boolean apicEnabled, int leaf, int subleaf, long[] out) {
        identity.query(cpu.id, cpu.cr4, cpu.xcr0, apicEnabled, leaf, subleaf, out);
    }
}
