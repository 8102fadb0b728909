package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.RecordingMachineEvents;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class I8042Test {
    private final RecordingInterruptLine line = new RecordingInterruptLine();
    private final RecordingMachineEvents events = new RecordingMachineEvents();
    private final I8042 controller = new I8042(line, events);

    private void command(int value) {
        controller.writePort(0x64, 1, value);
    }

    private void data(int value) {
        controller.writePort(0x60, 1, value);
    }

    private boolean outputFull() {
        return (controller.readPort(0x64, 1) & 1) != 0;
    }

    private List<Integer> drain() {
        List<Integer> bytes = new ArrayList<>();
        while (outputFull()) {
            bytes.add(controller.readPort(0x60, 1));
        }
        return bytes;
    }

    private void configure(int value) {
        command(0x60);
        data(value);
    }

    /** i8042_controller_check, _selftest and _init of Linux. */
    @Test
    void linuxProbe_controller_behaves() {
        assertThat(drain()).isEmpty();
        command(0xAA);
        assertThat(drain()).containsExactly(0x55);
        command(0x20);
        assertThat(drain()).containsExactly(0x34);
        configure(0x30);
        command(0x20);
        assertThat(drain()).containsExactly(0x30);
        assertThat(line.risingEdges()).isZero();
        command(0xAB);
        assertThat(drain()).containsExactly(0x00);
    }

    @Test
    void secondPort_probed_doesNotAnswer() {
        command(0xA9);
        assertThat(outputFull()).isFalse();
        command(0xD3);
        data(0x5A);
        assertThat(outputFull()).isFalse();
        command(0xD4);
        data(0xF2);
        assertThat(outputFull()).isFalse();
        configure(0x00);
        command(0x20);
        assertThat(drain()).containsExactly(0x20);
    }

    @Test
    void keyboard_identify_answersWithAnInterruptAByte() {
        configure(0x01);
        data(0xF2);
        assertThat(line.level()).isTrue();
        assertThat(drain()).containsExactly(0xFA, 0xAB, 0x83);
        assertThat(line.risingEdges()).isEqualTo(3);
        assertThat(line.level()).isFalse();
    }

    @Test
    void keyboard_resetAndArguments_areAcknowledged() {
        data(0xFF);
        assertThat(drain()).containsExactly(0xFA, 0xAA);
        data(0xED);
        data(0x07);
        assertThat(drain()).containsExactly(0xFA, 0xFA);
        data(0xF0);
        data(0x00);
        assertThat(drain()).containsExactly(0xFA, 0xFA, 0x02);
        data(0xFE);
        assertThat(drain()).containsExactly(0x02);
        data(0x01);
        assertThat(drain()).containsExactly(0xFE);
    }

    @Test
    void scanCodes_translated_areSet1() {
        configure(0x41);
        // Press and release A, then right arrow (extended).
        controller.sendScanCodes(0x1C, 0xF0, 0x1C, 0xE0, 0x74, 0xE0, 0xF0, 0x74);
        assertThat(drain()).containsExactly(0x1E, 0x9E, 0xE0, 0x4D, 0xE0, 0xCD);
    }

    @Test
    void scanCodes_untranslated_areSet2() {
        configure(0x01);
        controller.sendScanCodes(0x1C, 0xF0, 0x1C);
        assertThat(drain()).containsExactly(0x1C, 0xF0, 0x1C);
    }

    @Test
    void scanCodes_keyboardFullOrOff_areRefused() {
        configure(0x10);
        int sent = 0;
        while (controller.sendScanCodes(0x1C)) {
            sent++;
        }
        assertThat(sent).isBetween(16, Ps2Keyboard.QUEUE_BYTES);
        data(0xF5);
        drain();
        assertThat(controller.sendScanCodes(0x1C)).isFalse();
    }

    @Test
    void keyboard_disabled_holdsItsBytes() {
        command(0xAD);
        controller.sendScanCodes(0x1C);
        assertThat(outputFull()).isFalse();
        command(0xAE);
        assertThat(drain()).containsExactly(0x1C);
    }

    @Test
    void pulse_resetLine_resets() {
        command(0xFF);
        assertThat(events.resets()).isEmpty();
        command(0xFE);
        assertThat(events.resets()).hasSize(1);
    }

    @Test
    void outputPort_resetBitLow_resets() {
        command(0xD1);
        data(0xDF);
        assertThat(events.resets()).isEmpty();
        command(0xD0);
        assertThat(drain().getFirst() & 0x03).isEqualTo(0x03);
        command(0xD1);
        data(0xDC);
        assertThat(events.resets()).hasSize(1);
    }

    @Test
    void fastReset_port92_resetsAndKeepsA20() {
        SystemControlA port = new SystemControlA(events);
        port.writePort(0x92, 1, 0x00);
        assertThat(port.readPort(0x92, 1)).isZero();
        port.writePort(0x92, 1, 0x03);
        assertThat(events.resets()).hasSize(1);
        assertThat(port.readPort(0x92, 1)).isEqualTo(0x02);
    }

    @Test
    void guest_floodsCommands_queueStaysBounded() {
        configure(0x10);
        for (int i = 0; i < 100_000; i++) {
            command(0xAD);
            data(0xF2);
            command(0xAD);
        }
        assertThat(controller.state().keyboard().queue().size())
                .isLessThanOrEqualTo(Ps2Keyboard.QUEUE_BYTES);
    }

    @Test
    void restore_savedState_isTheSame() {
        configure(0x41);
        controller.sendScanCodes(0x1C, 0xF0, 0x1C);
        data(0xF0);
        I8042State saved = controller.state();
        RecordingInterruptLine otherLine = new RecordingInterruptLine();
        I8042 other = new I8042(otherLine, events);
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        assertThat(otherLine.level()).isTrue();
        assertThat(other.readPort(0x60, 1)).isEqualTo(0x1E);
    }
}
