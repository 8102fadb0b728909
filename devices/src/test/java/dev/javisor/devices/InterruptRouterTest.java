package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.machine.InterruptLine;
import org.junit.jupiter.api.Test;

class InterruptRouterTest {
    private final Pic8259Pair pic = new Pic8259Pair(InterruptLine.NONE);
    private final IoApic ioApic = new IoApic((address, data) -> {}, (gsi, message) -> {});
    private final InterruptRouter router = new InterruptRouter(pic, ioApic);

    private int pins() {
        return ioApic.state().lines();
    }

    @Test
    void isa0_asserted_reachesPin2AndIrq0() {
        router.isa(0).set(true);
        assertThat(pins()).isEqualTo(1 << 2);
        assertThat(pic.state().master().lines()).isEqualTo(1);
    }

    @Test
    void isa12_asserted_reachesPin12AndSlaveInput() {
        router.isa(12).set(true);
        assertThat(pins()).isEqualTo(1 << 12);
        assertThat(pic.state().slave().lines()).isEqualTo(0x10);
    }

    @Test
    void isa2_theCascade_refused() {
        assertThatThrownBy(() -> router.isa(2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void pci_twoSourcesOfOneLine_areOred() {
        InterruptLine first = router.pci(0, 0);
        InterruptLine second = router.pci(8, 0);
        first.set(true);
        second.set(true);
        first.set(false);
        first.set(false);
        assertThat(pins()).isEqualTo(1 << 16);
        second.set(false);
        assertThat(pins()).isZero();
    }

    @Test
    void legacyReplacement_enabled_disconnectsPitAndRtc() {
        router.pit().set(true);
        router.setLegacyReplacement(true);
        assertThat(pins()).isZero();
        router.rtc().set(true);
        assertThat(pins()).isZero();
        router.isa(0).set(true);
        assertThat(pins()).isEqualTo(1 << 2);
        router.isa(0).set(false);
        router.setLegacyReplacement(false);
        assertThat(pins()).isEqualTo(1 << 2 | 1 << 8);
    }
}
