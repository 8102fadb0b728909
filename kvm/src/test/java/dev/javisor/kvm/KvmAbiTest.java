package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** Numbers and offsets against those that a C compiler gives for include/uapi/linux/kvm.h. */
class KvmAbiTest {
    @Test
    void ioctlNumbers_areTheKernels() {
        Map<Long, Long> expected =
                Map.ofEntries(
                        Map.entry(KvmAbi.GET_API_VERSION, 0xAE00L),
                        Map.entry(KvmAbi.CREATE_VM, 0xAE01L),
                        Map.entry(KvmAbi.GET_MSR_INDEX_LIST, 0xC004AE02L),
                        Map.entry(KvmAbi.CHECK_EXTENSION, 0xAE03L),
                        Map.entry(KvmAbi.GET_SUPPORTED_CPUID, 0xC008AE05L),
                        Map.entry(KvmAbi.CREATE_VCPU, 0xAE41L),
                        Map.entry(KvmAbi.GET_DIRTY_LOG, 0x4010AE42L),
                        Map.entry(KvmAbi.SET_USER_MEMORY_REGION, 0x4020AE46L),
                        Map.entry(KvmAbi.SET_TSS_ADDR, 0xAE47L),
                        Map.entry(KvmAbi.SET_IDENTITY_MAP_ADDR, 0x4008AE48L),
                        Map.entry(KvmAbi.SET_GSI_ROUTING, 0x4008AE6AL),
                        Map.entry(KvmAbi.IOEVENTFD, 0x4040AE79L),
                        Map.entry(KvmAbi.SET_CLOCK, 0x4030AE7BL),
                        Map.entry(KvmAbi.GET_CLOCK, 0x8030AE7CL),
                        Map.entry(KvmAbi.ENABLE_CAP, 0x4068AEA3L),
                        Map.entry(KvmAbi.SIGNAL_MSI, 0x4020AEA5L),
                        Map.entry(KvmAbi.CLEAR_DIRTY_LOG, 0xC018AEC0L),
                        Map.entry(KvmAbi.X86_SET_MSR_FILTER, 0x4188AEC6L),
                        Map.entry(KvmAbi.RUN, 0xAE80L),
                        Map.entry(KvmAbi.GET_REGS, 0x8090AE81L),
                        Map.entry(KvmAbi.SET_REGS, 0x4090AE82L),
                        Map.entry(KvmAbi.GET_SREGS, 0x8138AE83L),
                        Map.entry(KvmAbi.SET_SREGS, 0x4138AE84L),
                        Map.entry(KvmAbi.GET_MSRS, 0xC008AE88L),
                        Map.entry(KvmAbi.SET_MSRS, 0x4008AE89L),
                        Map.entry(KvmAbi.GET_LAPIC, 0x8400AE8EL),
                        Map.entry(KvmAbi.SET_LAPIC, 0x4400AE8FL),
                        Map.entry(KvmAbi.SET_CPUID2, 0x4008AE90L),
                        Map.entry(KvmAbi.GET_MP_STATE, 0x8004AE98L),
                        Map.entry(KvmAbi.SET_MP_STATE, 0x4004AE99L),
                        Map.entry(KvmAbi.NMI, 0xAE9AL),
                        Map.entry(KvmAbi.GET_VCPU_EVENTS, 0x8040AE9FL),
                        Map.entry(KvmAbi.SET_VCPU_EVENTS, 0x4040AEA0L),
                        Map.entry(KvmAbi.GET_DEBUGREGS, 0x8080AEA1L),
                        Map.entry(KvmAbi.SET_DEBUGREGS, 0x4080AEA2L),
                        Map.entry(KvmAbi.GET_XSAVE, 0x9000AEA4L),
                        Map.entry(KvmAbi.SET_XSAVE, 0x5000AEA5L),
                        Map.entry(KvmAbi.GET_XSAVE2, 0x9000AECFL),
                        Map.entry(KvmAbi.GET_XCRS, 0x8188AEA6L),
                        Map.entry(KvmAbi.SET_XCRS, 0x4188AEA7L));
        expected.forEach((ours, kernels) -> assertThat(ours).isEqualTo(kernels));
    }

    @Test
    void offsets_areTheCompilers() {
        // RAX RBX RCX RDX RSI RDI RSP RBP in struct kvm_regs, by encoding number.
        assertThat(RegsLayout.gpr(0)).isEqualTo(0);
        assertThat(RegsLayout.gpr(3)).isEqualTo(8);
        assertThat(RegsLayout.gpr(1)).isEqualTo(16);
        assertThat(RegsLayout.gpr(2)).isEqualTo(24);
        assertThat(RegsLayout.gpr(6)).isEqualTo(32);
        assertThat(RegsLayout.gpr(7)).isEqualTo(40);
        assertThat(RegsLayout.gpr(4)).isEqualTo(48);
        assertThat(RegsLayout.gpr(5)).isEqualTo(56);
        assertThat(RegsLayout.gpr(8)).isEqualTo(64);
        assertThat(RegsLayout.gpr(15)).isEqualTo(120);
        assertThat(RegsLayout.RIP).isEqualTo(128);
        assertThat(SregsLayout.SS).isEqualTo(120);
        assertThat(SregsLayout.IDT).isEqualTo(208);
        assertThat(SregsLayout.APIC_BASE).isEqualTo(272);
        assertThat(RunLayout.READY_FOR_INTERRUPT_INJECTION).isEqualTo(12);
        assertThat(RunLayout.IO_DATA_OFFSET).isEqualTo(40);
        assertThat(RunLayout.MMIO_IS_WRITE).isEqualTo(52);
        assertThat(RunLayout.MSR_DATA).isEqualTo(48);
        assertThat(RunLayout.EMULATION_BYTES).isEqualTo(49);
    }
}
