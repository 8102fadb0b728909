package dev.javisor.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.base.JavisorException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PciBusTest {
    private static final AddressRange ECAM = PlatformLayout.ECAM;
    private static final AddressRange WINDOW = new AddressRange(0xC000_0000L, 0x1000_0000L);
    private static final AddressRange PORTS = new AddressRange(0xC000, 0x1000);

    private final MachineBus machine = new MachineBus();
    private final boolean[] lines = new boolean[8];
    private final PciBus bus = new PciBus(machine, recordingLines());
    private final PciTestDevice device = new PciTestDevice();

    private List<InterruptLine> recordingLines() {
        List<InterruptLine> made = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            int at = i;
            made.add(level -> lines[at] = level);
        }
        return made;
    }

    private void attachAll() {
        bus.attach(new PciHostBridge(ECAM), PciHostBridge.ADDRESS);
        bus.attach(new PciIsaBridge(0x600), PciIsaBridge.ADDRESS);
        bus.attach(device);
        bus.assignBars(new PciAllocator(WINDOW, PORTS));
    }

    private static long ecam(int slot, int register) {
        return ECAM.start() + (slot << 15) + register;
    }

    private int read(int slot, int register, int sizeBytes) {
        return (int) machine.readMemory(ecam(slot, register), sizeBytes);
    }

    private void write(int slot, int register, int sizeBytes, int value) {
        machine.writeMemory(ecam(slot, register), sizeBytes, value & 0xFFFF_FFFFL);
    }

    private int readPorts(int address) {
        machine.writePort(0xCF8, 4, address);
        return machine.readPort(0xCFC, 4);
    }

    @Test
    void spec_3_2_2_3_2_mechanism1_findsFunctionsAndNothingElse() {
        attachAll();

        // What Linux's pci_check_type1 does.
        machine.writePort(0xCFB, 1, 1);
        machine.writePort(0xCF8, 4, 0x8000_0000);
        assertThat(machine.readPort(0xCF8, 4)).isEqualTo(0x8000_0000);
        assertThat(machine.readPort(0xCFC, 4)).isEqualTo(0x29C0_8086);
        assertThat(machine.readPort(0xCFE, 2)).isEqualTo(0x29C0);
        assertThat(machine.readPort(0xCFD, 1)).isEqualTo(0x80);

        assertThat(readPorts(0x8000_F800)).isEqualTo(0x2918_8086);
        assertThat(readPorts(0x8000_0800)).isEqualTo(0x5678_1234);
        assertThat(readPorts(0x8000_1000)).isEqualTo(-1);
        assertThat(readPorts(0x8001_0000)).isEqualTo(-1);
        assertThat(readPorts(0x0000_0000)).as("not enabled").isEqualTo(-1);
    }

    @Test
    void configAddress_byteWrite_doesNotReachTheLatch() {
        machine.writePort(0xCF8, 4, 0x8000_1234);
        machine.writePort(0xCF8, 1, 0);
        assertThat(machine.readPort(0xCF8, 4)).isEqualTo(0x8000_1234);
        assertThat(machine.isMemoryFree(ECAM)).isFalse();
        // The reset control register keeps its place between the two.
        assertThat(machine.tryClaimPorts(new AddressRange(0xCF9, 1), noPorts())).isTrue();
    }

    private static PortDevice noPorts() {
        return new PortDevice() {
            @Override
            public int readPort(int port, int sizeBytes) {
                return 0;
            }

            @Override
            public void writePort(int port, int sizeBytes, int value) {}
        };
    }

    @Test
    void ecam_everyWidth_readsTheSameBytes() {
        attachAll();
        assertThat(read(1, 0, 4)).isEqualTo(0x5678_1234);
        assertThat(read(1, 2, 2)).isEqualTo(0x5678);
        assertThat(read(1, 1, 1)).isEqualTo(0x12);
        assertThat(machine.readMemory(ecam(1, 8), 8) & 0xFFFF_FFFFL).isEqualTo(0xFF01_0203L);
        assertThat(machine.readMemory(ecam(2, 0), 8)).isEqualTo(-1);
        assertThat(machine.readMemory(ECAM.start() + (5L << 20), 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(read(0, 0x60, 4)).as("PCIEXBAR").isEqualTo(0xB000_0001);
        assertThat(read(0x1F, 0x40, 4)).as("PMBASE").isEqualTo(0x601);
    }

    @Test
    void readOnlyBits_anyWrite_stayAsTheyWere() {
        attachAll();
        write(1, PciLayout.VENDOR_ID, 4, 0);
        write(1, PciLayout.STATUS, 2, 0xFFFF);
        write(1, PciLayout.CAPABILITIES_POINTER, 1, 0xFF);
        write(1, PciLayout.INTERRUPT_PIN, 1, 7);
        write(1, PciLayout.INTERRUPT_LINE, 1, 11);
        assertThat(read(1, 0, 4)).isEqualTo(0x5678_1234);
        assertThat(read(1, PciLayout.STATUS, 2)).isEqualTo(PciLayout.STATUS_CAPABILITIES);
        assertThat(read(1, PciLayout.CAPABILITIES_POINTER, 1)).isEqualTo(0x40);
        assertThat(read(1, PciLayout.INTERRUPT_LINE, 2)).isEqualTo(0x10B);
    }

    @Test
    void spec_6_2_5_1_barSizing_answersTheSizeAndPutsBack() {
        attachAll();
        int bar = PciLayout.BAR_0;
        int before = read(1, bar, 4);
        write(1, PciLayout.COMMAND, 2, 0);
        write(1, bar, 4, -1);
        assertThat(read(1, bar, 4)).isEqualTo(0xFFFF_F000);
        write(1, bar, 4, before);
        write(1, bar + 8, 4, -1);
        assertThat(read(1, bar + 8, 4)).isEqualTo(0xFFFF_FFE1);
        write(1, bar + 16, 4, -1);
        write(1, bar + 20, 4, -1);
        assertThat(read(1, bar + 16, 4)).isEqualTo(0xFFFF_C00C);
        assertThat(read(1, bar + 20, 4)).isEqualTo(-1);
        assertThat(read(1, bar + 12, 4)).as("absent BAR").isZero();
    }

    @Test
    void assignBars_allKinds_mapsEachAtItsAlignedAddress() {
        attachAll();
        long memory32 = read(1, PciLayout.BAR_0, 4) & 0xFFFF_F000L;
        long memory64 = read(1, PciLayout.BAR_0 + 16, 4) & 0xFFFF_C000L;
        int io = read(1, PciLayout.BAR_0 + 8, 4) & ~3;
        assertThat(memory32).isBetween(WINDOW.start(), WINDOW.end());
        assertThat(memory64).isEqualTo(WINDOW.start());
        assertThat(io).isEqualTo(0xC000);
        assertThat(machine.readMemory(memory32 + 8, 4)).isEqualTo(0xA8);
        assertThat(machine.readMemory(memory64 + 0x10, 1)).isEqualTo(0xB0);
        assertThat(machine.readPort(io + 4, 1)).isEqualTo(0xA4);
        machine.writePort(io + 0x1C, 4, 0x8000_0001);
        assertThat(device.lastOffset).isEqualTo(0x1C);
        assertThat(device.lastValue).isEqualTo(0x8000_0001L);
        assertThat(device.moves)
                .containsExactlyInAnyOrder(
                        "0@" + Long.toHexString(memory32),
                        "2@c000",
                        "4@" + Long.toHexString(memory64));
    }

    @Test
    void assignBars_windowTooSmall_saysSo() {
        bus.attach(device);
        PciAllocator small = new PciAllocator(new AddressRange(0xC000_0000L, 0x2000), PORTS);
        assertThatThrownBy(() -> bus.assignBars(small))
                .isInstanceOf(JavisorException.class)
                .hasMessageContaining("window")
                .hasMessageContaining("is full");
    }

    @Test
    void command_decodeOff_unmapsAndOnAgainMaps() {
        attachAll();
        long at = read(1, PciLayout.BAR_0, 4) & 0xFFFF_F000L;
        write(1, PciLayout.COMMAND, 2, PciLayout.COMMAND_IO);
        assertThat(machine.readMemory(at, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(machine.readPort(0xC000, 1)).isEqualTo(0xA0);
        write(1, PciLayout.COMMAND, 2, PciLayout.COMMAND_MEMORY);
        assertThat(machine.readMemory(at, 4)).isEqualTo(0xA0);
        assertThat(machine.readPort(0xC000, 1)).isEqualTo(0xFF);
    }

    @Test
    void bar64_movedAbove4GiB_decodesThere() {
        attachAll();
        write(1, PciLayout.BAR_0 + 20, 4, 0x8);
        long low = read(1, PciLayout.BAR_0 + 16, 4) & 0xFFFF_C000L;
        assertThat(machine.readMemory(low, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(machine.readMemory(0x8_0000_0000L + low + 4, 4)).isEqualTo(0xA4);
    }

    @Test
    void bar_placeTaken_mapsOnceItIsFree() {
        attachAll();
        PciTestDevice second = new PciTestDevice();
        bus.attach(second);
        long wanted = read(1, PciLayout.BAR_0, 4) & 0xFFFF_F000L;
        write(2, PciLayout.BAR_0, 4, (int) wanted);
        write(2, PciLayout.COMMAND, 2, PciLayout.COMMAND_MEMORY);
        machine.writeMemory(wanted, 4, 77);
        assertThat(device.lastValue).isEqualTo(77);
        assertThat(second.lastOffset).isEqualTo(-1);

        write(1, PciLayout.COMMAND, 2, 0);
        machine.writeMemory(wanted, 4, 78);
        assertThat(second.lastValue).isEqualTo(78);
    }

    @Test
    void bar_hostileAddresses_neverThrowAndNeverMap() {
        attachAll();
        for (int value : new int[] {-1, 0, 0x7FFF_FFFF, 0x8000_0000, (int) ECAM.start()}) {
            for (int bar = 0; bar < 6; bar++) {
                write(1, PciLayout.BAR_0 + 4 * bar, 4, value);
            }
            write(1, PciLayout.BAR_0 + 20, 4, value);
            assertThat(read(1, 0, 4)).isEqualTo(0x5678_1234);
        }
    }

    @Test
    void interruptPin_sharedLine_staysUpUntilTheLastLetsGo() {
        attachAll();
        PciTestDevice sharing = new PciTestDevice();
        bus.attach(sharing, new PciAddress(0, 9, 0));
        assertThat(read(1, PciLayout.INTERRUPT_LINE, 1)).isEqualTo(17);

        device.function.setInterrupt(true);
        sharing.function.setInterrupt(true);
        device.function.setInterrupt(false);
        assertThat(lines).containsExactly(false, true, false, false, false, false, false, false);
        sharing.function.setInterrupt(false);
        assertThat(lines[1]).isFalse();
    }

    @Test
    void intxDisable_whileAsserted_releasesTheLineAndKeepsTheStatus() {
        attachAll();
        device.function.setInterrupt(true);
        write(1, PciLayout.COMMAND, 2, PciLayout.COMMAND_INTX_DISABLE);
        assertThat(lines[1]).isFalse();
        assertThat(read(1, PciLayout.STATUS, 2) & PciLayout.STATUS_INTERRUPT).isNotZero();
        write(1, PciLayout.COMMAND, 2, 0);
        assertThat(lines[1]).isTrue();
    }

    @Test
    void reset_afterTheGuestReprogrammed_isAsAtTheStart() {
        attachAll();
        int bar = read(1, PciLayout.BAR_0, 4);
        write(1, PciLayout.BAR_0, 4, 0xE000_0000);
        write(1, PciLayout.COMMAND, 2, 0);
        device.function.setInterrupt(true);
        bus.reset();
        assertThat(device.resets).isEqualTo(1);
        assertThat(read(1, PciLayout.BAR_0, 4)).isEqualTo(bar);
        assertThat(machine.readMemory(bar & 0xFFFF_FFFFL, 4)).isEqualTo(0xA0);
        assertThat(lines[1]).isFalse();
    }

    @Test
    void saveRestore_movedBars_mapsThemThere() {
        attachAll();
        write(1, PciLayout.BAR_0, 4, 0xCE00_0000);
        machine.writePort(0xCF8, 4, 0x8000_0810);
        PciFunctionState state = bus.save(device);
        int address = bus.saveAddress();
        bus.reset();
        bus.restore(device, state);
        bus.restoreAddress(address);
        assertThat(machine.readMemory(0xCE00_0000L, 4)).isEqualTo(0xA0);
        assertThat(machine.readPort(0xCFC, 4)).isEqualTo(0xCE00_0000);
    }

    @Test
    void multiFunction_secondFunction_setsTheHeaderBit() {
        bus.attach(new PciIsaBridge(0), PciIsaBridge.ADDRESS);
        bus.attach(device, new PciAddress(0, 0x1F, 3));
        assertThat(read(0x1F, PciLayout.HEADER_TYPE, 1)).isEqualTo(0x80);
        assertThat(machine.readMemory(ECAM.start() + (0x1F << 15) + (3 << 12), 4))
                .isEqualTo(0x5678_1234);
        assertThatThrownBy(() -> bus.attach(device, new PciAddress(0, 3, 1)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
