package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.VirtualTimeSource;
import java.util.Collections;
import org.junit.jupiter.api.Test;

/** The clock starts at Friday 2026-01-02T03:04:05Z. */
class RtcTest {
    private static final long SECOND = 1_000_000_000L;

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final RecordingInterruptLine line = new RecordingInterruptLine();
    private final Rtc rtc = new Rtc(time, line, 6L << 30);

    private int read(int register) {
        rtc.writePort(0x70, 1, register);
        return rtc.readPort(0x71, 1);
    }

    private void write(int register, int value) {
        rtc.writePort(0x70, 1, register);
        rtc.writePort(0x71, 1, value);
    }

    private String now() {
        return "%02x%02x-%02x-%02x %02x:%02x:%02x"
                .formatted(read(0x32), read(9), read(8), read(7), read(4), read(2), read(0));
    }

    @Test
    void time_atStart_isTheWallClockInBcd() {
        assertThat(now()).isEqualTo("2026-01-02 03:04:05");
        assertThat(read(6)).isEqualTo(6);
        time.advance(55 * SECOND);
        assertThat(now()).isEqualTo("2026-01-02 03:05:00");
    }

    @Test
    void time_aYearOn_carriesThroughEveryField() {
        time.advance(364L * 86_400 * SECOND);
        assertThat(now()).isEqualTo("2027-01-01 03:04:05");
    }

    @Test
    void time_binaryAnd12Hours_isEncodedSo() {
        time.advance(17L * 3600 * SECOND);
        write(0x0B, 0x04);
        assertThat(read(4)).isEqualTo(0x80 | 8);
        assertThat(read(9)).isEqualTo(26);
        write(0x0B, 0x00);
        assertThat(read(4)).isEqualTo(0x88);
        time.advance(4L * 3600 * SECOND);
        assertThat(read(4)).isEqualTo(0x12);
    }

    @Test
    void set_newTime_isTakenWhenReleased() {
        write(0x0B, 0x82);
        int[][] fields = {
            {0, 0x58}, {2, 0x59}, {4, 0x23}, {7, 0x31}, {8, 0x12}, {9, 0x99}, {0x32, 0x19}, {6, 6}
        };
        for (int[] field : fields) {
            write(field[0], field[1]);
        }
        time.advance(10 * SECOND);
        assertThat(now()).isEqualTo("1999-12-31 23:59:58");
        write(0x0B, 0x02);
        assertThat(now()).isEqualTo("1999-12-31 23:59:58");
        time.advance(2 * SECOND);
        assertThat(now()).isEqualTo("2000-01-01 00:00:00");
        assertThat(read(6)).isEqualTo(7);
    }

    @Test
    void dividerReset_released_updatesHalfASecondLater() {
        time.advance(900_000_000L);
        write(0x0A, 0x76);
        write(0, 0x30);
        time.advance(5 * SECOND);
        write(0x0A, 0x26);
        time.advance(499_000_000L);
        assertThat(read(0)).isEqualTo(0x30);
        time.advance(2_000_000L);
        assertThat(read(0)).isEqualTo(0x31);
    }

    @Test
    void updateInProgress_lastMicroseconds_isUp() {
        time.advance(999_000_000L);
        assertThat(read(0x0A)).isEqualTo(0x26);
        time.advance(800_000L);
        assertThat(read(0x0A)).isEqualTo(0xA6);
        time.advance(300_000L);
        assertThat(read(0x0A)).isEqualTo(0x26);
    }

    @Test
    void update_enabled_interruptsEachSecondOnceAcknowledged() {
        write(0x0B, 0x12);
        time.advance(3 * SECOND);
        assertThat(line.risingEdges()).isEqualTo(1);
        assertThat(read(0x0C) & ~0x40).isEqualTo(0x90);
        assertThat(line.level()).isFalse();
        time.advance(SECOND);
        assertThat(line.level()).isTrue();
    }

    @Test
    void registerC_reading_clearsTheFlags() {
        time.advance(2 * SECOND);
        assertThat(read(0x0C) & 0x50).isEqualTo(0x50);
        assertThat(read(0x0C)).isZero();
        assertThat(line.risingEdges()).isZero();
    }

    @Test
    void alarm_match_interruptsAtThatSecond() {
        write(1, 0x10);
        write(3, 0x04);
        write(5, 0x03);
        write(0x0B, 0x22);
        time.advance(5 * SECOND - 1);
        assertThat(line.level()).isFalse();
        time.advance(1);
        assertThat(line.level()).isTrue();
        assertThat(read(0x0C) & 0xA0).isEqualTo(0xA0);
        time.advance(86_399 * SECOND);
        assertThat(line.level()).isFalse();
        time.advance(SECOND);
        assertThat(line.level()).isTrue();
    }

    @Test
    void alarm_wildcards_matchEveryMinute() {
        write(1, 0x00);
        write(3, 0xC0);
        write(5, 0xFF);
        write(0x0B, 0x22);
        int alarms = 0;
        for (int i = 0; i < 180; i++) {
            time.advance(SECOND);
            if (line.level()) {
                alarms++;
                read(0x0C);
            }
        }
        assertThat(alarms).isEqualTo(3);
    }

    @Test
    void alarm_impossible_neverArmsATimer() {
        write(1, 0x99);
        write(0x0B, 0x22);
        assertThat(time.armedTimers()).isZero();
    }

    @Test
    void periodic_1024Hz_comesAtItsRate() {
        write(0x0B, 0x42);
        int interrupts = 0;
        for (int i = 0; i < 10_000; i++) {
            time.advance(100_000);
            if (line.level()) {
                interrupts++;
                assertThat(read(0x0C) & 0xC0).isEqualTo(0xC0);
            }
        }
        assertThat(interrupts).isBetween(1023, 1024);
    }

    @Test
    void periodic_rates_followTheTable() {
        int[] hertz = {0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2};
        for (int rate = 1; rate < 16; rate++) {
            write(0x0B, 0x02);
            write(0x0A, 0x20 | rate);
            read(0x0C);
            write(0x0B, 0x42);
            long start = time.nanos();
            time.advanceTo(time.nextDeadlineNanos());
            read(0x0C);
            start = time.nanos();
            time.advanceTo(time.nextDeadlineNanos());
            assertThat(time.nanos() - start)
                    .isBetween(SECOND / hertz[rate] - 2, SECOND / hertz[rate] + 2);
            read(0x0C);
        }
    }

    @Test
    void notAcknowledged_request_armsNoTimer() {
        write(0x0B, 0x42);
        time.advance(10 * SECOND);
        assertThat(line.risingEdges()).isEqualTo(1);
        assertThat(time.armedTimers()).isZero();
    }

    @Test
    void cmos_memorySizes_tellTheRam() {
        assertThat(read(0x15) | read(0x16) << 8).isEqualTo(640);
        assertThat(read(0x34) | read(0x35) << 8).isEqualTo((0xB000_0000L >> 16) - 256);
        long high = (6L << 30) - 0xB000_0000L;
        assertThat((long) (read(0x5B) | read(0x5C) << 8 | read(0x5D) << 16)).isEqualTo(high >> 16);
        write(0x40, 0x5A);
        assertThat(read(0x40)).isEqualTo(0x5A);
        assertThat(read(0x0D)).isEqualTo(0x80);
    }

    @Test
    void index_bit7_masksNmi() {
        rtc.writePort(0x70, 1, 0x8D);
        assertThat(rtc.nmiMasked()).isTrue();
        assertThat(rtc.readPort(0x71, 1)).isEqualTo(0x80);
        rtc.writePort(0x70, 1, 0x0D);
        assertThat(rtc.nmiMasked()).isFalse();
    }

    @Test
    void reset_pin_disablesInterruptsAndKeepsTheTime() {
        write(0x0B, 0x12);
        time.advance(2 * SECOND);
        assertThat(line.level()).isTrue();
        rtc.reset();
        assertThat(line.level()).isFalse();
        assertThat(read(0x0B)).isEqualTo(0x02);
        assertThat(read(0x0C)).isZero();
        assertThat(now()).isEqualTo("2026-01-02 03:04:07");
    }

    @Test
    void garbage_inEveryTimeRegister_isSurvived() {
        for (int mode = 0; mode < 4; mode++) {
            write(0x0B, 0x80 | mode << 1);
            for (int register : new int[] {0, 2, 4, 6, 7, 8, 9, 0x32}) {
                write(register, 0xFF);
            }
            write(0x0B, mode << 1);
            now();
            time.advance(SECOND);
            assertThat(rtc.state()).isNotNull();
        }
    }

    @Test
    void restore_savedState_runsOn() {
        write(0x0B, 0x12);
        write(0x50, 0x77);
        time.advance(2_700_000_000L);
        RtcState saved = rtc.state();
        RecordingInterruptLine otherLine = new RecordingInterruptLine();
        Rtc other = new Rtc(time, otherLine, 1 << 20);
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        assertThat(otherLine.level()).isTrue();
        other.writePort(0x70, 1, 0);
        assertThat(other.readPort(0x71, 1)).isEqualTo(0x07);
        time.advance(300_000_000L);
        assertThat(other.readPort(0x71, 1)).isEqualTo(0x08);
    }

    @Test
    void state_hostile_refused() {
        assertThatThrownBy(() -> new RtcState(0, false, Collections.nCopies(127, 0), 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() ->
                        new RtcState(0, false, Collections.nCopies(128, 0), Long.MAX_VALUE, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
