package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.VirtualTimeSource;
import org.junit.jupiter.api.Test;

class Pit8254Test {
    private static final Frequency CLOCK = new Frequency(Pit8254.HZ);

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final RecordingInterruptLine line = new RecordingInterruptLine();
    private final Pit8254 pit = new Pit8254(time, line);
    private long tick;

    /** Moves to {@code ticks} PIT clocks after the last call. */
    private void ticks(long ticks) {
        tick += ticks;
        time.advanceTo(CLOCK.nanos(tick));
    }

    private void program(int channel, int mode, int count) {
        pit.writePort(0x43, 1, channel << 6 | 0x30 | mode << 1);
        pit.writePort(0x40 + channel, 1, count & 0xFF);
        pit.writePort(0x40 + channel, 1, count >>> 8);
    }

    private int latched(int channel) {
        pit.writePort(0x43, 1, channel << 6);
        return pit.readPort(0x40 + channel, 1) | pit.readPort(0x40 + channel, 1) << 8;
    }

    private boolean out2() {
        return (pit.readPort(0x61, 1) & 0x20) != 0;
    }

    private int status(int channel) {
        pit.writePort(0x43, 1, 0xE0 | 2 << channel);
        return pit.readPort(0x40 + channel, 1);
    }

    @Test
    void mode0_terminalCount_isOneClockAfterTheCount() {
        program(0, 0, 1000);
        assertThat(line.level()).isFalse();
        ticks(1000);
        assertThat(line.level()).isFalse();
        ticks(1);
        assertThat(line.level()).isTrue();
        assertThat(line.risingEdges()).isEqualTo(1);
        ticks(200_000);
        assertThat(line.risingEdges()).isEqualTo(1);
    }

    @Test
    void mode0_afterTerminalCount_wrapsAndCountsOn() {
        program(0, 0, 10);
        ticks(1);
        assertThat(latched(0)).isEqualTo(10);
        ticks(10);
        assertThat(latched(0)).isZero();
        ticks(1);
        assertThat(latched(0)).isEqualTo(0xFFFF);
    }

    @Test
    void mode0_firstByteOfANewCount_stopsAndLowersOut() {
        program(0, 0, 10);
        ticks(20);
        assertThat(line.level()).isTrue();
        pit.writePort(0x40, 1, 10);
        ticks(100);
        pit.writePort(0x40, 1, 0);
        assertThat(line.level()).isFalse();
        ticks(10);
        assertThat(line.level()).isFalse();
        ticks(1);
        assertThat(line.level()).isTrue();
    }

    @Test
    void mode2_channel0_interruptsAtTheExactRateWithoutDrift() {
        // HZ=250 of Linux: 1193182 / 250 rounded.
        program(0, 2, 4773);
        ticks(1 + 4773L * 250_000);
        assertThat(line.risingEdges()).isEqualTo(250_000 + 1);
    }

    @Test
    void mode2_count_runsFromNToOne() {
        program(0, 2, 5);
        ticks(1);
        int[] seen = new int[7];
        for (int i = 0; i < seen.length; i++) {
            seen[i] = latched(0);
            ticks(1);
        }
        assertThat(seen).containsExactly(5, 4, 3, 2, 1, 5, 4);
    }

    @Test
    void mode2_newCount_takesOverAtTheEndOfTheCycle() {
        program(2, 2, 100);
        pit.writePort(0x61, 1, 1);
        ticks(1 + 10);
        pit.writePort(0x42, 1, 50);
        pit.writePort(0x42, 1, 0);
        assertThat(status(2) & 0x40).isEqualTo(0x40);
        ticks(89);
        assertThat(latched(2)).isEqualTo(1);
        ticks(1);
        assertThat(latched(2)).isEqualTo(50);
        assertThat(status(2) & 0x40).isZero();
        ticks(49);
        assertThat(latched(2)).isEqualTo(1);
    }

    @Test
    void mode3_even_isHighForHalfAndStepsByTwo() {
        program(2, 3, 6);
        pit.writePort(0x61, 1, 1);
        ticks(1);
        StringBuilder out = new StringBuilder();
        StringBuilder counts = new StringBuilder();
        for (int i = 0; i < 7; i++) {
            out.append(out2() ? '1' : '0');
            counts.append(latched(2));
            ticks(1);
        }
        assertThat(out.toString()).isEqualTo("1110001");
        assertThat(counts.toString()).isEqualTo("6426426");
    }

    @Test
    void mode3_odd_isHighOneClockLonger() {
        program(2, 3, 5);
        pit.writePort(0x61, 1, 1);
        ticks(1);
        StringBuilder out = new StringBuilder();
        StringBuilder counts = new StringBuilder();
        for (int i = 0; i < 6; i++) {
            out.append(out2() ? '1' : '0');
            counts.append(latched(2));
            ticks(1);
        }
        assertThat(out.toString()).isEqualTo("111001");
        assertThat(counts.toString()).isEqualTo("420424");
    }

    @Test
    void mode3_newCount_takesOverAtTheHalfCycle() {
        program(2, 3, 100);
        pit.writePort(0x61, 1, 1);
        ticks(1 + 10);
        pit.writePort(0x42, 1, 20);
        pit.writePort(0x42, 1, 0);
        ticks(39);
        assertThat(out2()).isTrue();
        ticks(1);
        assertThat(out2()).isFalse();
        ticks(9);
        assertThat(out2()).isFalse();
        ticks(1);
        assertThat(out2()).isTrue();
    }

    @Test
    void mode1_gateEdge_isARetriggerableOneShot() {
        program(2, 1, 10);
        assertThat(out2()).isTrue();
        ticks(50);
        assertThat(out2()).isTrue();
        pit.writePort(0x61, 1, 1);
        ticks(1);
        assertThat(out2()).isFalse();
        ticks(5);
        pit.writePort(0x61, 1, 0);
        pit.writePort(0x61, 1, 1);
        ticks(10);
        assertThat(out2()).isFalse();
        ticks(1);
        assertThat(out2()).isTrue();
    }

    @Test
    void mode4_strobe_isLowForOneClock() {
        pit.writePort(0x61, 1, 1);
        program(2, 4, 10);
        ticks(10);
        assertThat(out2()).isTrue();
        ticks(1);
        assertThat(out2()).isFalse();
        ticks(1);
        assertThat(out2()).isTrue();
    }

    @Test
    void mode5_gateEdge_strobesAfterTheCount() {
        program(2, 5, 10);
        ticks(30);
        pit.writePort(0x61, 1, 1);
        ticks(10);
        assertThat(out2()).isTrue();
        ticks(1);
        assertThat(out2()).isFalse();
        ticks(1);
        assertThat(out2()).isTrue();
    }

    @Test
    void gate_low_pausesMode0() {
        pit.writePort(0x61, 1, 1);
        program(2, 0, 100);
        ticks(41);
        pit.writePort(0x61, 1, 0);
        ticks(1000);
        assertThat(latched(2)).isEqualTo(60);
        pit.writePort(0x61, 1, 1);
        ticks(59);
        assertThat(out2()).isFalse();
        ticks(1);
        assertThat(out2()).isTrue();
    }

    @Test
    void gate_lowInMode2_holdsOutHighAndReloadsOnTheEdge() {
        pit.writePort(0x61, 1, 1);
        program(2, 2, 100);
        ticks(41);
        pit.writePort(0x61, 1, 0);
        ticks(500);
        assertThat(out2()).isTrue();
        pit.writePort(0x61, 1, 1);
        ticks(1);
        assertThat(latched(2)).isEqualTo(100);
    }

    /** What Linux's pit_calibrate_tsc does: 50 ms on channel 2, waiting for port 0x61 bit 5. */
    @Test
    void linuxCalibration_channel2Mode0_takesTheProgrammedTime() {
        pit.writePort(0x61, 1, pit.readPort(0x61, 1) & ~0x02 | 0x01);
        pit.writePort(0x43, 1, 0xB0);
        int latch = (int) (Pit8254.HZ / 20);
        pit.writePort(0x42, 1, latch & 0xFF);
        pit.writePort(0x42, 1, latch >> 8);
        long start = time.nanos();
        while (!out2()) {
            time.advance(1000);
        }
        assertThat(time.nanos() - start).isBetween(49_990_000L, 50_010_000L);
    }

    /** What Linux's quick_pit_calibrate does: reads both bytes unlatched, watches the high one. */
    @Test
    void linuxQuickCalibration_highByte_fallsEvery256Clocks() {
        pit.writePort(0x61, 1, 0x01);
        pit.writePort(0x43, 1, 0xB0);
        pit.writePort(0x42, 1, 0xFF);
        pit.writePort(0x42, 1, 0xFF);
        ticks(1);
        for (int expected = 0xFF; expected > 0x80; expected--) {
            pit.readPort(0x42, 1);
            assertThat(pit.readPort(0x42, 1)).isEqualTo(expected);
            ticks(256);
        }
    }

    @Test
    void latch_count_standsStillUntilBothBytesWereRead() {
        program(0, 2, 0x1234);
        ticks(1);
        pit.writePort(0x43, 1, 0x00);
        ticks(100);
        pit.writePort(0x43, 1, 0x00);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x34);
        ticks(100);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x12);
        assertThat(latched(0)).isEqualTo(0x1234 - 200);
    }

    @Test
    void readBack_statusAndCount_givesStatusFirst() {
        program(0, 2, 0x1234);
        ticks(5);
        pit.writePort(0x43, 1, 0xC2);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x80 | 0x30 | 2 << 1);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x30);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x12);
    }

    @Test
    void bcd_count_isDecimal() {
        pit.writePort(0x43, 1, 0x31);
        pit.writePort(0x40, 1, 0x00);
        pit.writePort(0x40, 1, 0x10);
        ticks(2);
        assertThat(latched(0)).isEqualTo(0x0999);
        ticks(999);
        assertThat(line.level()).isTrue();
        ticks(1);
        assertThat(latched(0)).isEqualTo(0x9999);
    }

    @Test
    void accessModes_lowOrHighByte_loadAtOnce() {
        pit.writePort(0x43, 1, 0x10);
        pit.writePort(0x40, 1, 0x80);
        ticks(1);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x80);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x80);
        pit.writePort(0x43, 1, 0x20);
        pit.writePort(0x40, 1, 0x80);
        ticks(2);
        assertThat(pit.readPort(0x40, 1)).isEqualTo(0x7F);
    }

    @Test
    void zeroCount_isTheWholeRange() {
        program(0, 0, 0);
        ticks(65536);
        assertThat(line.level()).isFalse();
        ticks(1);
        assertThat(line.level()).isTrue();
    }

    @Test
    void refresh_toggle_changesEvery15Microseconds() {
        int toggles = 0;
        int last = pit.readPort(0x61, 1) & 0x10;
        for (int i = 0; i < 1000; i++) {
            time.advance(1000);
            int now = pit.readPort(0x61, 1) & 0x10;
            toggles += now != last ? 1 : 0;
            last = now;
        }
        assertThat(toggles).isBetween(65, 67);
    }

    @Test
    void shortestPeriod_hostile_doesNotFloodTheTimer() {
        program(0, 2, 1);
        time.advance(10_000_000);
        assertThat(line.risingEdges()).isLessThan(600);
    }

    @Test
    void restore_runningChannels_goOnWhereTheyWere() {
        program(0, 2, 1000);
        program(2, 3, 500);
        pit.writePort(0x61, 1, 1);
        ticks(321);
        PitState saved = pit.state();
        RecordingInterruptLine otherLine = new RecordingInterruptLine();
        Pit8254 other = new Pit8254(time, otherLine);
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        int edges = otherLine.risingEdges();
        ticks(679);
        assertThat(otherLine.risingEdges()).isEqualTo(edges);
        ticks(2);
        assertThat(otherLine.risingEdges()).isEqualTo(edges + 1);
    }
}
