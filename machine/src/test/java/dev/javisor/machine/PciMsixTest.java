package dev.javisor.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** PCI Local Bus 3.0 §6.8.2 and §6.8.3, through configuration space and the BAR. */
class PciMsixTest {
    private static final AddressRange ECAM = PlatformLayout.ECAM;
    private static final int ENABLE = PciLayout.MSIX_ENABLE;
    private static final int MASK = PciLayout.MSIX_FUNCTION_MASK;
    private static final int PENDING = 0x1000;

    private final MachineBus machine = new MachineBus();
    private final PciBus bus =
            new PciBus(machine, Collections.nCopies(PciBus.PIRQS, InterruptLine.NONE));
    private final PciTestDevice device = new PciTestDevice();
    private long table;
    private int capability;

    @BeforeEach
    void attach() {
        bus.attach(device);
        bus.assignBars(
                new PciAllocator(
                        new AddressRange(0xC000_0000L, 0x10_0000), new AddressRange(0xC000, 256)));
        capability = config(PciLayout.CAPABILITIES_POINTER, 1);
        table = config(PciLayout.BAR_0 + 4, 4) & 0xFFFF_FFF0L;
        setConfig(PciLayout.COMMAND, 2, PciLayout.COMMAND_MEMORY | PciLayout.COMMAND_BUS_MASTER);
        for (int vector = 0; vector < 3; vector++) {
            machine.writeMemory(table + 16 * vector, 4, 0xFEE0_0000L);
            machine.writeMemory(table + 16 * vector + 8, 4, 0x40 + vector);
        }
    }

    private int config(int register, int sizeBytes) {
        return (int) machine.readMemory(ECAM.start() + (1 << 15) + register, sizeBytes);
    }

    private void setConfig(int register, int sizeBytes, int value) {
        machine.writeMemory(ECAM.start() + (1 << 15) + register, sizeBytes, value & 0xFFFFFFFFL);
    }

    private void control(int bits) {
        setConfig(capability + 2, 2, bits);
    }

    private void maskVector(int vector, boolean masked) {
        machine.writeMemory(table + 16 * vector + 12, 4, masked ? 1 : 0);
    }

    private long pending() {
        return machine.readMemory(table + PENDING, 8);
    }

    @Test
    void capability_asBuilt_saysSizeTableAndPendingBits() {
        assertThat(config(capability, 1)).isEqualTo(PciLayout.CAPABILITY_MSIX);
        assertThat(config(capability + 1, 1)).isZero();
        assertThat(config(capability + 2, 2)).isEqualTo(2);
        assertThat(config(capability + 4, 4)).isEqualTo(1);
        assertThat(config(capability + 8, 4)).isEqualTo(PENDING | 1);
        control(0xFFFF);
        assertThat(config(capability + 2, 2)).isEqualTo(ENABLE | MASK | 2);
    }

    @Test
    void signal_unmasked_sendsTheMessage() {
        control(ENABLE);
        maskVector(1, false);
        device.msix.signal(1);
        assertThat(device.messages).containsExactly("fee00000=65");
        assertThat(pending()).isZero();
    }

    @Test
    void signal_disabled_isLost() {
        maskVector(1, false);
        device.msix.signal(1);
        control(ENABLE);
        assertThat(device.messages).isEmpty();
        assertThat(device.msix.isEnabled()).isTrue();
    }

    @Test
    void signal_vectorMasked_pendsUntilUnmaskedAndIsSentOnce() {
        control(ENABLE);
        device.msix.signal(2);
        device.msix.signal(2);
        assertThat(pending()).isEqualTo(4);
        assertThat(device.messages).isEmpty();
        maskVector(2, false);
        assertThat(device.messages).containsExactly("fee00000=66");
        assertThat(pending()).isZero();
    }

    @Test
    void signal_functionMasked_pendsUntilUnmasked() {
        control(ENABLE | MASK);
        maskVector(0, false);
        maskVector(2, false);
        device.msix.signal(0);
        device.msix.signal(2);
        device.msix.signal(1);
        assertThat(pending()).isEqualTo(7);
        control(ENABLE);
        assertThat(device.messages).containsExactly("fee00000=64", "fee00000=66");
        assertThat(pending()).as("vector 1 is masked itself").isEqualTo(2);
    }

    @Test
    void signal_noBusMaster_sendsNothing() {
        control(ENABLE);
        maskVector(0, false);
        setConfig(PciLayout.COMMAND, 2, PciLayout.COMMAND_MEMORY);
        device.msix.signal(0);
        assertThat(device.messages).isEmpty();
    }

    @Test
    void signal_noSuchVector_doesNothing() {
        control(ENABLE);
        device.msix.signal(3);
        device.msix.signal(-1);
        device.msix.signal(0xFFFF);
        assertThat(pending()).isZero();
    }

    @Test
    void table_accessWidths_readBackAndPendingIsReadOnly() {
        machine.writeMemory(table + 16, 8, 0x1_FEE0_1000L);
        assertThat(machine.readMemory(table + 20, 4)).isEqualTo(1);
        assertThat(machine.readMemory(table + 16, 8)).isEqualTo(0x1_FEE0_1000L);
        assertThat(machine.readMemory(table + 17, 1)).isEqualTo(0x10);
        assertThat(machine.readMemory(table + 28, 4)).as("masked after reset").isEqualTo(1);
        machine.writeMemory(table + 16, 2, 0);
        assertThat(machine.readMemory(table + 16, 4)).isEqualTo(0xFEE0_1000L);
        machine.writeMemory(table + PENDING, 8, -1);
        machine.writeMemory(table + 0x800, 8, -1);
        assertThat(pending()).isZero();
        assertThat(machine.readMemory(table + 0x800, 8)).isZero();
        assertThat(machine.readMemory(table + 0x1FF8, 8)).isZero();
    }

    @Test
    void saveRestore_pendingMaskedVector_survives() {
        control(ENABLE);
        device.msix.signal(1);
        PciFunctionState state = bus.save(device);
        bus.reset();
        assertThat(pending()).isZero();
        bus.restore(device, state);
        assertThat(pending()).isEqualTo(2);
        assertThat(device.msix.isEnabled()).isTrue();
        maskVector(1, false);
        assertThat(device.messages).containsExactly("fee00000=65");
    }
}
