package dev.javisor.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.GuestMemory.Region;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PlatformLayoutTest {
    private static final long GIB = 1L << 30;

    @Test
    void ramRegions_small_isOneRegionAtZero() {
        assertThat(PlatformLayout.ramRegions(512L << 20))
                .containsExactly(new Region(0, 0, 512L << 20));
    }

    @Test
    void ramRegions_exactlyTheLowLimit_staysLow() {
        assertThat(PlatformLayout.ramRegions(0xB000_0000L)).hasSize(1);
    }

    @Test
    void ramRegions_large_splitsAroundTheHole() {
        assertThat(PlatformLayout.ramRegions(8 * GIB))
                .containsExactly(
                        new Region(0, 0, 0xB000_0000L),
                        new Region(4 * GIB, 0xB000_0000L, 8 * GIB - 0xB000_0000L));
    }

    @Test
    void pciMemory64_anySize_isBehindRamAndAligned() {
        for (long ram : new long[] {128L << 20, 4 * GIB, 31 * GIB, 100 * GIB}) {
            AddressRange window = PlatformLayout.pciMemory64(ram);
            assertThat(window.start() % (32 * GIB)).isZero();
            Region last = PlatformLayout.ramRegions(ram).getLast();
            assertThat(window.start()).isGreaterThanOrEqualTo(last.guestEnd());
        }
    }

    @Test
    void memoryRanges_never_overlap() {
        List<AddressRange> ranges =
                List.of(
                        new AddressRange(0, PlatformLayout.LOW_RAM_LIMIT),
                        PlatformLayout.ECAM,
                        PlatformLayout.PCI_MEMORY_32,
                        PlatformLayout.IO_APIC,
                        PlatformLayout.HPET,
                        PlatformLayout.LOCAL_APIC,
                        new AddressRange(PlatformLayout.HIGH_RAM_START, GIB));
        for (int i = 1; i < ranges.size(); i++) {
            assertThat(ranges.get(i).start()).isGreaterThanOrEqualTo(ranges.get(i - 1).end());
        }
        assertThat(PlatformLayout.PCI_MEMORY_32.end()).isEqualTo(0xFEC0_0000L);
    }

    @Test
    void pciGsi_pinsOfOneDevice_areFourDifferentOnes() {
        for (int device = 0; device < 32; device++) {
            Set<Integer> gsis = new HashSet<>();
            for (int pin = 0; pin < 4; pin++) {
                gsis.add(PlatformLayout.pciGsi(device, pin));
            }
            assertThat(gsis).hasSize(4).allMatch(gsi -> gsi >= 16 && gsi < 24);
        }
    }
}
