package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.RecordingMachineEvents;
import dev.javisor.fixtures.VirtualTimeSource;
import org.junit.jupiter.api.Test;

class AcpiPmTest {
    private static final int STATUS = 0x600;
    private static final int ENABLE = 0x602;
    private static final int CONTROL = 0x604;
    private static final int TIMER = 0x608;
    private static final int GPE_STATUS = 0x620;
    private static final int GPE_ENABLE = 0x624;

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final RecordingInterruptLine sci = new RecordingInterruptLine();
    private final RecordingMachineEvents events = new RecordingMachineEvents();
    private final AcpiPm pm = new AcpiPm(time, sci, events);

    @Test
    void timer_oneSecond_counts3579545() {
        time.advance(1_000_000_000L);
        assertThat(pm.readPort(TIMER, 4)).isEqualTo(3_579_545);
        assertThat(pm.readPort(TIMER, 1)).isEqualTo(3_579_545 & 0xFF);
        assertThat(pm.readPort(TIMER + 2, 2)).isEqualTo(3_579_545 >> 16);
    }

    @Test
    void timer_topBitFlips_setsStatusAndSci() {
        pm.writePort(ENABLE, 2, 1);
        time.advance(599_900_000_000L);
        assertThat(sci.level()).isFalse();
        time.advance(100_000_000L);
        assertThat(sci.level()).isTrue();
        assertThat(pm.readPort(STATUS, 2)).isEqualTo(1);
        pm.writePort(STATUS, 2, 1);
        assertThat(sci.level()).isFalse();
        time.advance(600_000_000_000L);
        assertThat(sci.level()).isTrue();
    }

    @Test
    void powerButton_enabled_raisesSciUntilCleared() {
        pm.writePort(ENABLE, 2, 0x100);
        pm.pressPowerButton();
        assertThat(sci.level()).isTrue();
        assertThat(pm.readPort(STATUS, 4)).isEqualTo(0x0100_0100);
        pm.writePort(STATUS, 2, 0x100);
        assertThat(sci.level()).isFalse();
        assertThat(pm.readPort(STATUS, 2)).isZero();
    }

    @Test
    void powerButton_notEnabled_waitsInTheStatus() {
        pm.pressPowerButton();
        assertThat(sci.level()).isFalse();
        pm.writePort(ENABLE, 2, 0x100);
        assertThat(sci.level()).isTrue();
    }

    @Test
    void control_sciEnable_isAlwaysSet() {
        assertThat(pm.readPort(CONTROL, 2)).isEqualTo(1);
        pm.writePort(CONTROL, 2, 0);
        assertThat(pm.readPort(CONTROL, 2)).isEqualTo(1);
    }

    @Test
    void sleep_s5_powersOff() {
        pm.writePort(CONTROL, 2, 5 << 10);
        assertThat(events.powerOffs()).isZero();
        pm.writePort(CONTROL, 2, 5 << 10 | 1 << 13);
        assertThat(events.powerOffs()).isEqualTo(1);
        assertThat(pm.readPort(CONTROL, 2)).isEqualTo(5 << 10 | 1);
    }

    @Test
    void sleep_otherType_doesNothing() {
        pm.writePort(CONTROL, 2, 1 << 10 | 1 << 13);
        assertThat(events.powerOffs()).isZero();
    }

    @Test
    void generalEvent_enabled_raisesSci() {
        pm.writePort(GPE_ENABLE, 1, 0x04);
        pm.raiseGeneralEvent(2);
        assertThat(sci.level()).isTrue();
        assertThat(pm.readPort(GPE_STATUS, 1)).isEqualTo(0x04);
        pm.writePort(GPE_STATUS, 1, 0x04);
        assertThat(sci.level()).isFalse();
        pm.raiseGeneralEvent(31);
        assertThat(pm.readPort(GPE_STATUS + 3, 1)).isEqualTo(0x80);
    }

    @Test
    void writes_reserved_areIgnored() {
        pm.writePort(ENABLE, 2, 0xFFFF);
        assertThat(pm.readPort(ENABLE, 2)).isEqualTo(0x0721);
        pm.writePort(0x60C, 4, -1);
        assertThat(pm.readPort(0x60C, 4)).isZero();
        assertThat(pm.readPort(0x606, 2)).isZero();
    }

    @Test
    void restore_savedState_countsOn() {
        pm.writePort(ENABLE, 2, 0x100);
        pm.pressPowerButton();
        time.advance(1_234_567_890L);
        AcpiPmState saved = pm.state();
        RecordingInterruptLine line = new RecordingInterruptLine();
        AcpiPm other = new AcpiPm(time, line, events);
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        assertThat(line.level()).isTrue();
        time.advance(1_000_000_000L);
        assertThat(other.readPort(TIMER, 4))
                .isCloseTo(pm.readPort(TIMER, 4), org.assertj.core.api.Assertions.within(1));
    }
}
