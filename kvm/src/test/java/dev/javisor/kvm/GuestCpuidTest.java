package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.CpuFeature;
import dev.javisor.hypervisor.CpuFeature.Register;
import dev.javisor.hypervisor.CpuIdentity;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** CPU models on hosts of all kinds. */
class GuestCpuidTest {
    private static final long TSC_HZ = 2_500_000_000L;

    /** A host that has everything but what is named. */
    private static List<CpuidEntry> host(CpuFeature... without) {
        List<CpuidEntry> all = new ArrayList<>();
        for (int leaf :
                new int[] {
                    0, 1, 7, 0xD, 0x40000001, 0x80000001, 0x80000007, 0x80000008, 0x80000021
                }) {
            int[] words = {-1, -1, -1, -1};
            for (CpuFeature feature : without) {
                if (feature.leaf() == leaf) {
                    words[feature.register().ordinal()] &= ~feature.mask();
                }
            }
            int subleaf = leaf == 0xD ? 1 : 0;
            int eax = leaf == 0x80000008 ? 0x3027 : words[0];
            all.add(
                    new CpuidEntry(
                            leaf,
                            subleaf,
                            leaf == 7 || leaf == 0xD,
                            eax,
                            words[1],
                            words[2],
                            words[3]));
        }
        return all;
    }

    private static GuestCpuid guest(CpuModel model, List<CpuidEntry> host) {
        return new GuestCpuid(
                new VirtualMachineConfig("test", 4, model, TSC_HZ), host, Set.of(), true);
    }

    private static CpuidEntry find(List<CpuidEntry> answers, int leaf, int subleaf) {
        return answers.stream()
                .filter(e -> e.leaf() == leaf && e.subleaf() == subleaf)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void namedModel_onAHostThatHasAll_isThatOfTheSoftwareCpu() {
        CpuIdentity software = new CpuIdentity(CpuModel.X86_64_V3, 4, TSC_HZ);
        for (CpuidEntry e : guest(CpuModel.X86_64_V3, host()).answers(2)) {
            if (e.leaf() == 0x80000008) {
                continue; // this host has fewer address bits
            }
            long[] out = new long[4];
            software.query(2, 0, 7, true, e.leaf(), e.subleaf(), out);
            for (Register register : Register.values()) {
                assertThat(e.register(register))
                        .as("leaf %#x.%d %s", e.leaf(), e.subleaf(), register)
                        .isEqualTo((int) out[register.ordinal()]);
            }
        }
    }

    @Test
    void namedModel_losesWhatTheHostLacks_andSaysHowManyAddressBits() {
        List<CpuidEntry> answers =
                guest(CpuModel.X86_64_V2, host(CpuFeature.SHA, CpuFeature.SMAP)).answers(0);
        int ebx7 = find(answers, 7, 0).ebx();
        assertThat(ebx7 & CpuFeature.SHA.mask()).isZero();
        assertThat(ebx7 & CpuFeature.SMAP.mask()).isZero();
        assertThat(ebx7 & CpuFeature.SMEP.mask()).isNotZero();
        assertThat(find(answers, 0x80000008, 0).eax() & 0xFF).isEqualTo(0x27);
    }

    @Test
    void psabiLevel_mustBeWhole() {
        assertThatThrownBy(() -> guest(CpuModel.X86_64_V3, host(CpuFeature.BMI2, CpuFeature.SHA)))
                .hasMessageContaining("x86-64-v3")
                .hasMessageContaining("BMI2")
                .hasMessageNotContaining("SHA");
        assertThat(guest(CpuModel.X86_64_V2, host(CpuFeature.BMI2)).answers(0)).isNotEmpty();
    }

    @Test
    void best_isTheHighestLevelThatIsWhole() {
        assertThat(GuestCpuid.best(host(), Set.of(), true)).isEqualTo(CpuModel.X86_64_V3);
        assertThat(GuestCpuid.best(host(CpuFeature.AVX), Set.of(), true))
                .isEqualTo(CpuModel.X86_64_V2);
        assertThat(GuestCpuid.best(host(CpuFeature.AVX, CpuFeature.SSE42), Set.of(), false))
                .isEqualTo(CpuModel.X86_64_V1);
        assertThat(GuestCpuid.best(host(CpuFeature.SSE42), Set.of(CpuFeature.SSE42), true))
                .isEqualTo(CpuModel.X86_64_V3);
        List<CpuidEntry> none = host(CpuFeature.LONG_MODE);
        assertThatThrownBy(() -> GuestCpuid.best(none, Set.of(), true))
                .hasMessageContaining("x86-64-v1");
    }

    @Test
    void vcpus_differInTheirApicIds() {
        List<CpuidEntry> answers = guest(CpuModel.X86_64_V2, host()).answers(3);
        assertThat(find(answers, 1, 0).ebx() >>> 24).isEqualTo(3);
        assertThat(find(answers, 0xB, 0).edx()).isEqualTo(3);
        assertThat(find(answers, 0xB, 1).ebx()).isEqualTo(4);
    }

    @Test
    void hypervisorLeaves_areKvms() {
        List<CpuidEntry> answers = guest(CpuModel.X86_64_V2, host()).answers(0);
        assertThat(find(answers, 0x40000000, 0).ebx()).isEqualTo(0x4B4D564B);
        assertThat(find(answers, 0x40000010, 0).eax()).isEqualTo(2_500_000);
    }

    @Test
    void hostModel_passesOnWhatKvmSupports_withOurTopology() {
        List<CpuidEntry> answers = guest(CpuModel.HOST, host(CpuFeature.AVX2)).answers(1);
        assertThat(find(answers, 7, 0).ebx()).isEqualTo(-1 & ~CpuFeature.AVX2.mask());
        assertThat(find(answers, 1, 0).ebx() >>> 16).isEqualTo(1 << 8 | 4);
    }

    @Test
    void processorFlags_nameWhatNothingTakesAway() {
        assertThat(HostProcessor.parse(List.of("vendor : x", "flags\t\t: fpu pni ssse3 avx2 cx16")))
                .containsExactlyInAnyOrder(
                        CpuFeature.SSE3, CpuFeature.SSSE3, CpuFeature.CMPXCHG16B);
        assertThat(HostProcessor.parse(List.of("nothing"))).isEmpty();
    }
}
