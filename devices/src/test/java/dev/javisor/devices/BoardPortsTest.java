package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.RecordingMachineEvents;
import org.junit.jupiter.api.Test;

class BoardPortsTest {
    private final RecordingMachineEvents events = new RecordingMachineEvents();

    @Test
    void resetControl_fullReset_requestsOnce() {
        ResetControl reset = new ResetControl(events);
        reset.writePort(0xCF9, 1, 0x02);
        assertThat(reset.readPort(0xCF9, 1)).isEqualTo(0x02);
        assertThat(events.resets()).isEmpty();
        reset.writePort(0xCF9, 1, ResetControl.FULL_RESET);
        assertThat(events.resets()).hasSize(1);
        assertThat(reset.state()).isEqualTo(new ResetControlState(0x02));
    }

    @Test
    void debugExit_anyWidth_passesTheValue() {
        DebugExit exit = new DebugExit(events);
        exit.writePort(0xF4, 1, 0x1FF);
        exit.writePort(0xF4, 4, 0x12345678);
        assertThat(events.debugExits()).containsExactly(0xFF, 0x12345678);
    }

    @Test
    void debugConsole_write_reachesTheSinkInOrder() {
        StringBuilder text = new StringBuilder();
        DebugConsole console = new DebugConsole(value -> text.append((char) value));
        assertThat(console.readPort(0xE9, 1)).isEqualTo(0xE9);
        console.writePort(0xE9, 2, 'o' | 'k' << 8);
        assertThat(text.toString()).isEqualTo("ok");
    }

    @Test
    void frequency_longTimes_areExact() {
        Frequency clock = new Frequency(1_193_182);
        long year = 365L * 86_400 * 1_000_000_000L;
        assertThat(clock.ticks(100 * year)).isEqualTo(100L * 365 * 86_400 * 1_193_182);
        for (long tick = 0; tick < 100_000; tick += 7) {
            assertThat(clock.ticks(clock.nanos(tick))).isEqualTo(tick);
            assertThat(clock.ticks(clock.nanos(tick) - 1)).isEqualTo(tick - 1);
        }
    }
}
