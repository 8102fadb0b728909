package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.RecordingInterruptLine;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class Pic8259PairTest {
    private static final int MASTER = 0x20;
    private static final int SLAVE = 0xA0;
    private static final int EOI = 0x20;

    private final RecordingInterruptLine output = new RecordingInterruptLine();
    private final Pic8259Pair pic = new Pic8259Pair(output);

    /** As Linux's init_8259A does it: vectors 0x30 and 0x38. */
    @BeforeEach
    void initialize() {
        initialize(MASTER, 0x30, 0x04, 0x01);
        initialize(SLAVE, 0x38, 0x02, 0x01);
    }

    private void initialize(int base, int vector, int icw3, int icw4) {
        pic.writePort(base, 1, 0x11);
        pic.writePort(base + 1, 1, vector);
        pic.writePort(base + 1, 1, icw3);
        pic.writePort(base + 1, 1, icw4);
        pic.writePort(base + 1, 1, 0x00);
    }

    private int readIsr(int base) {
        pic.writePort(base, 1, 0x0B);
        return pic.readPort(base, 1);
    }

    private int readIrr(int base) {
        pic.writePort(base, 1, 0x0A);
        return pic.readPort(base, 1);
    }

    private void eoi(int base) {
        pic.writePort(base, 1, EOI);
    }

    @Test
    void edge_masterInput_isDeliveredOnceAndBlocksUntilEoi() {
        pic.input(1).set(true);
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x31);
        assertThat(output.level()).isFalse();
        assertThat(readIsr(MASTER)).isEqualTo(0x02);
        eoi(MASTER);
        assertThat(output.level()).isFalse();
        pic.input(1).set(false);
        pic.input(1).set(true);
        assertThat(output.level()).isTrue();
    }

    @Test
    void pulse_edgeInput_isLatched() {
        pic.input(4).pulse();
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x34);
    }

    @Test
    void slaveInput_acknowledged_givesSlaveVectorAndBothInService() {
        pic.input(8).set(true);
        assertThat(pic.acknowledge()).isEqualTo(0x38);
        assertThat(readIsr(MASTER)).isEqualTo(0x04);
        assertThat(readIsr(SLAVE)).isEqualTo(0x01);
        eoi(SLAVE);
        eoi(MASTER);
        assertThat(readIsr(MASTER)).isZero();
        assertThat(output.level()).isFalse();
    }

    @Test
    void slaveInputs_two_secondFollowsAfterEoi() {
        pic.input(12).set(true);
        pic.input(14).set(true);
        assertThat(pic.acknowledge()).isEqualTo(0x3C);
        eoi(SLAVE);
        eoi(MASTER);
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x3E);
    }

    @Test
    void priority_higherInput_interruptsLowerInService() {
        pic.input(5).set(true);
        assertThat(pic.acknowledge()).isEqualTo(0x35);
        pic.input(6).set(true);
        assertThat(output.level()).isFalse();
        pic.input(3).set(true);
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x33);
        eoi(MASTER);
        assertThat(readIsr(MASTER)).isEqualTo(0x20);
    }

    @Test
    void mask_pendingInput_holdsItBackUntilUnmasked() {
        pic.writePort(MASTER + 1, 1, 0x02);
        pic.input(1).set(true);
        assertThat(output.level()).isFalse();
        assertThat(readIrr(MASTER)).isEqualTo(0x02);
        pic.writePort(MASTER + 1, 1, 0x00);
        assertThat(output.level()).isTrue();
    }

    @Test
    void level_elcrInput_staysPendingAfterEoiWhileHigh() {
        pic.writePort(0x4D0, 1, 0xFF);
        assertThat(pic.readPort(0x4D0, 1)).isEqualTo(0xF8);
        pic.writePort(0x4D1, 1, 0xFF);
        assertThat(pic.readPort(0x4D1, 1)).isEqualTo(0xDE);
        pic.input(9).set(true);
        assertThat(pic.acknowledge()).isEqualTo(0x39);
        eoi(SLAVE);
        eoi(MASTER);
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x39);
        pic.input(9).set(false);
        eoi(SLAVE);
        eoi(MASTER);
        assertThat(output.level()).isFalse();
    }

    @Test
    void acknowledge_requestVanished_isSpurious7() {
        pic.writePort(0x4D0, 1, 0x20);
        pic.input(5).set(true);
        pic.input(5).set(false);
        assertThat(pic.acknowledge()).isEqualTo(0x37);
        assertThat(readIsr(MASTER)).isZero();
    }

    @Test
    void acknowledge_slaveRequestVanished_isSpurious15WithCascadeInService() {
        pic.writePort(0x4D1, 1, 0x02);
        pic.input(9).set(true);
        pic.input(9).set(false);
        assertThat(pic.acknowledge()).isEqualTo(0x3F);
        assertThat(readIsr(SLAVE)).isZero();
        assertThat(readIsr(MASTER)).isEqualTo(0x04);
    }

    @Test
    void autoEoi_acknowledged_leavesNothingInService() {
        initialize(MASTER, 0x30, 0x04, 0x03);
        pic.input(1).set(true);
        assertThat(pic.acknowledge()).isEqualTo(0x31);
        assertThat(readIsr(MASTER)).isZero();
    }

    @Test
    void rotateOnEoi_served_becomesLowest() {
        pic.input(3).pulse();
        pic.acknowledge();
        pic.writePort(MASTER, 1, 0xA0);
        pic.input(3).pulse();
        pic.input(4).pulse();
        assertThat(pic.acknowledge()).isEqualTo(0x34);
    }

    @Test
    void setPriority_command_makesTheInputLowest() {
        pic.writePort(MASTER, 1, 0xC0 | 5);
        pic.input(0).pulse();
        pic.input(6).pulse();
        assertThat(pic.acknowledge()).isEqualTo(0x36);
    }

    @Test
    void specificEoi_clearsThatInputOnly() {
        pic.input(5).pulse();
        pic.acknowledge();
        pic.input(3).pulse();
        pic.acknowledge();
        pic.writePort(MASTER, 1, 0x60 | 5);
        assertThat(readIsr(MASTER)).isEqualTo(0x08);
    }

    @Test
    void specialMask_maskedInService_letsLowerThrough() {
        pic.input(3).pulse();
        pic.acknowledge();
        pic.input(5).pulse();
        assertThat(output.level()).isFalse();
        pic.writePort(MASTER + 1, 1, 0x08);
        pic.writePort(MASTER, 1, 0x68);
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x35);
        // Non-specific EOI leaves the masked one in service.
        eoi(MASTER);
        assertThat(readIsr(MASTER)).isEqualTo(0x08);
    }

    @Test
    void specialFullyNested_slaveInService_letsHigherSlaveInputThrough() {
        initialize(MASTER, 0x30, 0x04, 0x11);
        pic.input(12).pulse();
        assertThat(pic.acknowledge()).isEqualTo(0x3C);
        pic.input(9).pulse();
        assertThat(output.level()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x39);
    }

    @Test
    void poll_pending_acknowledgesAndNamesTheInput() {
        pic.input(6).pulse();
        pic.writePort(MASTER, 1, 0x0C);
        assertThat(pic.readPort(MASTER, 1)).isEqualTo(0x86);
        assertThat(readIsr(MASTER)).isEqualTo(0x40);
        pic.writePort(MASTER, 1, 0x0C);
        assertThat(pic.readPort(MASTER, 1)).isZero();
    }

    @Test
    void icw1_edgeLineStillHigh_needsANewEdge() {
        pic.input(1).set(true);
        initialize(MASTER, 0x30, 0x04, 0x01);
        assertThat(output.level()).isFalse();
        pic.input(1).set(false);
        pic.input(1).set(true);
        assertThat(output.level()).isTrue();
    }

    @Test
    void probe_mask_readsBack() {
        pic.writePort(SLAVE + 1, 1, 0xFF);
        pic.writePort(MASTER + 1, 1, 0xFB);
        assertThat(pic.readPort(MASTER + 1, 1)).isEqualTo(0xFB);
    }

    @Test
    void acknowledge_beforeInitialization_isNone() {
        assertThat(new Pic8259Pair(output).acknowledge()).isEqualTo(-1);
    }

    @Test
    void restore_savedState_givesTheSameInterrupts() {
        pic.input(5).pulse();
        pic.acknowledge();
        pic.input(3).pulse();
        PicState saved = pic.state();
        RecordingInterruptLine line = new RecordingInterruptLine();
        Pic8259Pair other = new Pic8259Pair(line);
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        assertThat(line.level()).isTrue();
        assertThat(other.acknowledge()).isEqualTo(0x33);
    }

    @Test
    void state_outOfRange_refused() {
        PicState.Chip good = pic.state().master();
        assertThatThrownBy(() ->
                        new PicState.Chip(
                                good.irr(),
                                256,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                true,
                                false,
                                false,
                                false,
                                false,
                                false,
                                false,
                                false,
                                false,
                                false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("imr");
    }
}
