package dev.javisor.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Availability.Reason;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class AcceleratorChoiceTest {
    private record Answers(Availability probe) implements Hypervisor {
        @Override
        public String name() {
            return "kvm";
        }

        @Override
        public VirtualMachine createVirtualMachine(
                VirtualMachineConfig config, GuestMemory memory, TimeSource time) {
            throw new AssertionError("only the measurement makes machines");
        }
    }

    private static final Hypervisor THERE = new Answers(new Availability.Available("KVM"));
    private static final Hypervisor MISSING =
            new Answers(
                    new Availability.Unavailable(Reason.NO_DEVICE_NODE, "no /dev/kvm", "load it"));

    private static AcceleratorChoice choose(Hypervisor kvm, AcceleratorSpeed... speed) {
        return AcceleratorChoice.auto(kvm, _ -> Optional.ofNullable(speed[0]));
    }

    @Test
    void auto_kvmExecutesNatively_isKvmWithoutAWord() {
        AcceleratorChoice choice = choose(THERE, new AcceleratorSpeed(1500, 0.6));
        assertThat(choice)
                .isEqualTo(new AcceleratorChoice(Accelerator.KVM, Optional.empty(), false));
    }

    @Test
    void auto_kvmOnlyEmulates_isSoftAndSaysSo() {
        AcceleratorChoice choice = choose(THERE, new AcceleratorSpeed(9000, 1200));
        assertThat(choice.accelerator()).isEqualTo(Accelerator.SOFT);
        assertThat(choice.surprising()).isTrue();
        assertThat(choice.why().orElseThrow())
                .contains("only emulates")
                .contains("1200 ns")
                .contains("--accel kvm");
    }

    @Test
    void auto_kvmDoesNotEndTheGuest_isSoftAndSaysSo() {
        AcceleratorChoice choice = AcceleratorChoice.auto(THERE, _ -> Optional.empty());
        assertThat(choice.accelerator()).isEqualTo(Accelerator.SOFT);
        assertThat(choice.surprising()).isTrue();
    }

    @Test
    void auto_noKvm_isSoftSilentlyWithTheReason() {
        AcceleratorChoice choice = choose(MISSING, new AcceleratorSpeed(1, 1));
        assertThat(choice.accelerator()).isEqualTo(Accelerator.SOFT);
        assertThat(choice.surprising()).isFalse();
        assertThat(choice.why()).hasValue("KVM is not used: no /dev/kvm");
    }

    @Test
    void measure_softwareCpu_comesToTheGuestsEnd() {
        Optional<AcceleratorSpeed> speed = SpeedProbe.measure(new SoftHypervisor(Translation.OFF));
        assertThat(speed).isPresent();
        assertThat(speed.get().exitNanos()).isPositive();
        assertThat(speed.get().iterationNanos()).isPositive();
    }

    @Test
    void measure_guestThatStopsEarly_isEmpty() {
        FakeHypervisor fake =
                new FakeHypervisor(
                        (_, _) -> Optional.of(dev.javisor.hypervisor.Vcpu.ExitReason.FAULT));
        assertThat(SpeedProbe.measure(fake)).isEmpty();
    }
}
