package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import dev.javisor.machine.InterruptLine;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class IoApicTest {
    private static final long MASKED = 1 << 16;
    private static final long LEVEL = 1 << 15;
    private static final long REMOTE_IRR = 1 << 14;

    private final List<MsiMessage> sent = new ArrayList<>();
    private final Map<Integer, MsiMessage> routes = new HashMap<>();
    private final IoApic ioApic =
            new IoApic(
                    (address, data) -> sent.add(new MsiMessage(address, data)),
                    (gsi, message) -> {
                        if (message == null) {
                            routes.remove(gsi);
                        } else {
                            routes.put(gsi, message);
                        }
                    });

    private void write(int register, long value) {
        ioApic.writeMemory(0x00, 4, register);
        ioApic.writeMemory(0x10, 4, value);
    }

    private long read(int register) {
        ioApic.writeMemory(0x00, 4, register);
        return ioApic.readMemory(0x10, 4);
    }

    private void redirect(int pin, int destination, long low) {
        write(0x11 + 2 * pin, (long) destination << 24);
        write(0x10 + 2 * pin, low);
    }

    @Test
    void version_reads24PinsVersion20() {
        assertThat(read(1)).isEqualTo(0x0017_0020);
    }

    @Test
    void id_writesBits24To27() {
        write(0, 0xFFFF_FFFFL);
        assertThat(read(0)).isEqualTo(0x0F00_0000);
        assertThat(read(2)).isEqualTo(0x0F00_0000);
    }

    @Test
    void powerOn_allPins_areMasked() {
        for (int pin = 0; pin < IoApic.PINS; pin++) {
            assertThat(read(0x10 + 2 * pin)).isEqualTo(MASKED);
            ioApic.pin(pin).pulse();
        }
        assertThat(sent).isEmpty();
    }

    @Test
    void edge_unmasked_sendsOneMessageARise() {
        redirect(4, 3, 0x0800 | 0x41);
        InterruptLine pin = ioApic.pin(4);
        pin.set(true);
        pin.set(true);
        pin.set(false);
        pin.set(true);
        MsiMessage message = new MsiMessage(0xFEE0_3004L, 0x41);
        assertThat(sent).containsExactly(message, message);
        assertThat(routes).containsEntry(4, message);
    }

    @Test
    void edge_masked_isLost() {
        redirect(4, 0, MASKED | 0x41);
        ioApic.pin(4).set(true);
        redirect(4, 0, 0x41);
        assertThat(sent).isEmpty();
    }

    @Test
    void level_high_isSentAgainAfterEoiUntilLow() {
        redirect(16, 1, LEVEL | 0x50);
        InterruptLine pin = ioApic.pin(16);
        pin.set(true);
        assertThat(sent).containsExactly(new MsiMessage(0xFEE0_1000L, 0xC050));
        assertThat(read(0x10 + 32) & REMOTE_IRR).isEqualTo(REMOTE_IRR);
        ioApic.endOfInterrupt(0x51);
        assertThat(sent).hasSize(1);
        ioApic.endOfInterrupt(0x50);
        assertThat(sent).hasSize(2);
        pin.set(false);
        ioApic.endOfInterrupt(0x50);
        assertThat(sent).hasSize(2);
        assertThat(read(0x10 + 32) & REMOTE_IRR).isZero();
    }

    @Test
    void level_maskedWhileHigh_isSentWhenUnmasked() {
        redirect(16, 1, MASKED | LEVEL | 0x50);
        ioApic.pin(16).set(true);
        assertThat(sent).isEmpty();
        write(0x10 + 32, LEVEL | 0x50);
        assertThat(sent).hasSize(1);
    }

    @Test
    void eoiRegister_write_isAnEndOfInterrupt() {
        redirect(16, 1, LEVEL | 0x50);
        ioApic.pin(16).set(true);
        ioApic.writeMemory(0x40, 4, 0x50);
        assertThat(sent).hasSize(2);
    }

    @Test
    void remoteIrr_guestWrite_isReadOnlyButFallsWithEdgeMode() {
        redirect(16, 1, LEVEL | REMOTE_IRR | 0x50);
        assertThat(read(0x10 + 32) & REMOTE_IRR).isZero();
        ioApic.pin(16).set(true);
        write(0x10 + 32, MASKED | LEVEL | 0x50);
        assertThat(read(0x10 + 32) & REMOTE_IRR).isEqualTo(REMOTE_IRR);
        write(0x10 + 32, MASKED | 0x50);
        assertThat(read(0x10 + 32) & REMOTE_IRR).isZero();
    }

    @Test
    void route_masked_isRemoved() {
        redirect(4, 0, 0x41);
        assertThat(routes).containsKey(4);
        write(0x18, MASKED | 0x41);
        assertThat(routes).doesNotContainKey(4);
    }

    @Test
    void registers_outside_readZeroAndIgnoreWrites() {
        write(0x40, 0xFFFF_FFFFL);
        write(0xFF, 0xFFFF_FFFFL);
        assertThat(read(0x40)).isZero();
        assertThat(ioApic.readMemory(0xFF8, 8)).isZero();
    }

    @Test
    void restore_savedState_isTheSame() {
        redirect(16, 1, LEVEL | 0x50);
        ioApic.pin(16).set(true);
        IoApicState saved = ioApic.state();
        List<MsiMessage> otherSent = new ArrayList<>();
        IoApic other =
                new IoApic(
                        (address, data) -> otherSent.add(new MsiMessage(address, data)),
                        (gsi, message) -> {});
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        other.endOfInterrupt(0x50);
        assertThat(otherSent).hasSize(1);
    }

    @Test
    void state_wrongPinCount_refused() {
        assertThatThrownBy(() -> new IoApicState(0, 0, 0, Collections.nCopies(23, 0L)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
