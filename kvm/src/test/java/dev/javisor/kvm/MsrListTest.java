package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MsrListTest {
    private static final int STAR = 0xC0000081;
    private static final int SMBASE = 0x9E;
    private static final int SMI_COUNT = 0x34;
    private static final int VMX_BASIC = 0x480;
    private static final int HV_VP_RUNTIME = 0x40000010;
    private static final int POLL_CONTROL = 0x4B564D05;
    private static final int TSC_RATIO = 0xC0000104;
    private static final int KVM_SYSTEM_TIME = 0x4B564D01;

    /** The software CPU, which has none of these, refuses them with a value. */
    @Test
    void indices_whatNoGuestHas_isNotState() {
        int[] kvms = {
            STAR,
            SMBASE,
            SMI_COUNT,
            VMX_BASIC,
            HV_VP_RUNTIME,
            POLL_CONTROL,
            TSC_RATIO,
            KVM_SYSTEM_TIME
        };
        assertThat(new MsrList(kvms).indices()).containsExactly(STAR, KVM_SYSTEM_TIME);
    }
}
