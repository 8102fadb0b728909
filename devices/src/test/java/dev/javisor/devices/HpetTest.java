package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import dev.javisor.machine.InterruptLine;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class HpetTest {
    private static final int CONFIG = 0x10;
    private static final int STATUS = 0x20;
    private static final int COUNTER = 0xF0;

    private static final int LEVEL = 1 << 1;
    private static final int INTERRUPT = 1 << 2;
    private static final int PERIODIC = 1 << 3;
    private static final int SET_VALUE = 1 << 6;
    private static final int MODE_32 = 1 << 8;
    private static final int FSB = 1 << 14;
    private static final int PIN_20 = 20 << 9;

    private final VirtualTimeSource time = new VirtualTimeSource(12_345, 0);
    private final List<RecordingInterruptLine> pins = new ArrayList<>();
    private final RecordingInterruptLine irq0 = new RecordingInterruptLine();
    private final RecordingInterruptLine irq8 = new RecordingInterruptLine();
    private final List<MsiMessage> messages = new ArrayList<>();
    private final List<Boolean> legacy = new ArrayList<>();
    private final Hpet hpet = make();

    private Hpet make() {
        pins.clear();
        for (int i = 0; i < 24; i++) {
            pins.add(new RecordingInterruptLine());
        }
        return new Hpet(
                time,
                List.<InterruptLine>copyOf(pins),
                0x00F0_0000,
                irq0,
                irq8,
                (address, data) -> messages.add(new MsiMessage(address, data)),
                legacy::add);
    }

    private void write(int offset, long value) {
        hpet.writeMemory(offset, 4, value);
    }

    private long read(int offset) {
        return hpet.readMemory(offset, 4) & 0xFFFF_FFFFL;
    }

    private static int timer(int number) {
        return 0x100 + 0x20 * number;
    }

    private void ticks(long ticks) {
        time.advance(ticks * 10);
    }

    @Test
    void capabilities_tellPeriodTimersAndRouting() {
        long capabilities = hpet.readMemory(0, 8);
        assertThat(capabilities >>> 32).isEqualTo(10_000_000);
        assertThat(capabilities & 0xFFFF_FFFFL).isEqualTo(0x8086_A201L);
        assertThat(read(timer(0) + 4)).isEqualTo(0x00F0_0000);
        assertThat(read(timer(0)) & 0x8030).isEqualTo(0x8030);
    }

    @Test
    void counter_enabled_runsAt100MHz() {
        ticks(50);
        assertThat(read(COUNTER)).isZero();
        write(CONFIG, 1);
        ticks(1234);
        assertThat(read(COUNTER)).isEqualTo(1234);
        write(CONFIG, 0);
        ticks(1000);
        assertThat(read(COUNTER)).isEqualTo(1234);
        hpet.writeMemory(COUNTER, 8, 0xFFFF_FFFF_FFFF_FFF0L);
        write(CONFIG, 1);
        ticks(0x15);
        assertThat(hpet.readMemory(COUNTER, 8)).isEqualTo(5);
    }

    @Test
    void oneShot_edge_pulsesItsPinOnce() {
        write(timer(0), INTERRUPT | PIN_20);
        write(CONFIG, 1);
        hpet.writeMemory(timer(0) + 8, 8, 1000);
        ticks(999);
        assertThat(pins.get(20).risingEdges()).isZero();
        ticks(1);
        assertThat(pins.get(20).risingEdges()).isEqualTo(1);
        assertThat(pins.get(20).level()).isFalse();
        ticks(1_000_000);
        assertThat(pins.get(20).risingEdges()).isEqualTo(1);
    }

    @Test
    void oneShot_64BitBehind_neverFires() {
        write(timer(0), INTERRUPT | PIN_20);
        write(CONFIG, 1);
        ticks(1000);
        hpet.writeMemory(timer(0) + 8, 8, 500);
        ticks(1L << 33);
        assertThat(pins.get(20).risingEdges()).isZero();
    }

    @Test
    void oneShot_32Bit_firesAgainWhenTheLowHalfComesRound() {
        write(timer(0), INTERRUPT | PIN_20 | MODE_32);
        write(CONFIG, 1);
        ticks(1000);
        write(timer(0) + 8, 500);
        ticks((1L << 32) - 500);
        assertThat(pins.get(20).risingEdges()).isEqualTo(1);
        ticks(1L << 32);
        assertThat(pins.get(20).risingEdges()).isEqualTo(2);
    }

    @Test
    void level_fired_holdsTheLineUntilTheStatusIsCleared() {
        write(timer(2), LEVEL | INTERRUPT | PIN_20);
        write(CONFIG, 1);
        hpet.writeMemory(timer(2) + 8, 8, 100);
        ticks(100);
        assertThat(pins.get(20).level()).isTrue();
        assertThat(read(STATUS)).isEqualTo(4);
        write(STATUS, 3);
        assertThat(pins.get(20).level()).isTrue();
        write(STATUS, 4);
        assertThat(pins.get(20).level()).isFalse();
        assertThat(read(STATUS)).isZero();
    }

    /** What Linux's hpet_clkevt_set_state_periodic does. */
    @Test
    void periodic_linuxSequence_firesAtTheRate() {
        write(CONFIG, 3);
        int period = 400_000;
        write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | MODE_32 | PIN_20);
        write(timer(0) + 8, read(COUNTER) + period);
        ticks(100);
        write(timer(0) + 8, period);
        ticks(period - 100 - 1);
        assertThat(irq0.risingEdges()).isZero();
        ticks(1);
        assertThat(irq0.risingEdges()).isEqualTo(1);
        ticks(250L * period);
        assertThat(irq0.risingEdges()).isEqualTo(251);
    }

    @Test
    void periodic_hostilePeriod_doesNotFloodTheTimer() {
        write(CONFIG, 1);
        write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | PIN_20);
        hpet.writeMemory(timer(0) + 8, 8, 1);
        time.advance(10_000_000);
        assertThat(pins.get(20).risingEdges()).isLessThan(600);
    }

    @Test
    void legacyReplacement_toggled_isToldAndRoutesTimer1ToIrq8() {
        write(CONFIG, 3);
        assertThat(legacy).containsExactly(true);
        write(timer(1), INTERRUPT | PIN_20);
        hpet.writeMemory(timer(1) + 8, 8, 10);
        ticks(10);
        assertThat(irq8.risingEdges()).isEqualTo(1);
        assertThat(pins.get(20).risingEdges()).isZero();
        write(CONFIG, 1);
        assertThat(legacy).containsExactly(true, false);
    }

    @Test
    void fsb_fired_sendsTheMessage() {
        write(timer(0) + 0x10, 0x4031);
        write(timer(0) + 0x14, 0xFEE0_1000L);
        write(timer(0), INTERRUPT | FSB);
        write(CONFIG, 1);
        hpet.writeMemory(timer(0) + 8, 8, 10);
        ticks(10);
        assertThat(messages).containsExactly(new MsiMessage(0xFEE0_1000L, 0x4031));
    }

    @Test
    void route_notCapable_fallsBackToOneThatIs() {
        write(timer(0), INTERRUPT | 5 << 9);
        assertThat(read(timer(0)) >> 9 & 0x1F).isEqualTo(20);
    }

    @Test
    void interruptDisabled_match_onlySetsLevelStatus() {
        write(timer(0), LEVEL | PIN_20);
        write(CONFIG, 1);
        hpet.writeMemory(timer(0) + 8, 8, 10);
        assertThat(time.armedTimers()).isZero();
        ticks(20);
        assertThat(read(STATUS)).isEqualTo(1);
        assertThat(pins.get(20).level()).isFalse();
    }

    @Test
    void access_odd_isHarmless() {
        hpet.writeMemory(COUNTER + 1, 1, 0xFF);
        hpet.writeMemory(0x3F8, 8, -1);
        assertThat(hpet.readMemory(COUNTER, 8)).isZero();
        assertThat(hpet.readMemory(0x3F8, 8)).isZero();
        assertThat(hpet.readMemory(0x160, 8)).isZero();
    }

    @Test
    void restore_savedState_goesOn() {
        write(timer(0), INTERRUPT | PERIODIC | SET_VALUE | PIN_20);
        write(CONFIG, 1);
        hpet.writeMemory(timer(0) + 8, 8, 10_000);
        ticks(4_000);
        HpetState saved = hpet.state();
        Hpet other = make();
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        ticks(5_999);
        assertThat(pins.get(20).risingEdges()).isZero();
        ticks(10_001);
        assertThat(pins.get(20).risingEdges()).isEqualTo(2);
    }

    @Test
    void state_hostile_refused() {
        assertThatThrownBy(() -> new HpetState(4, 0, 0, List.of()))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
