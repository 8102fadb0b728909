package dev.javisor.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

final class AnonymousMemoryTest {
    @BeforeAll
    static void linux() {
        org.junit.jupiter.api.Assumptions.assumeTrue(AnonymousMemory.isSupported());
    }

    @Test
    void map_oneGibibyte_isZeroedAndWritableAtBothEnds() {
        try (AnonymousMemory memory = AnonymousMemory.map(1L << 30, true)) {
            MemorySegment segment = memory.segment();
            assertThat(segment.byteSize()).isEqualTo(1L << 30);
            assertThat(segment.get(ValueLayout.JAVA_LONG, (1L << 30) - 8)).isZero();
            segment.set(ValueLayout.JAVA_LONG, 0, 42);
            segment.set(ValueLayout.JAVA_LONG, (1L << 30) - 8, 43);
            assertThat(segment.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        }
    }

    @Test
    void segment_afterClose_refusesAccess() {
        AnonymousMemory memory = AnonymousMemory.map(4096, false);
        MemorySegment segment = memory.segment();
        memory.close();
        memory.close();
        assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void map_moreThanTheAddressSpace_saysWhatFailed() {
        assertThatThrownBy(() -> AnonymousMemory.map(1L << 60, false))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(12))
                .hasMessage("mmap of 1152921504606846976 bytes: cannot allocate memory");
    }

    @Test
    void segment_offTheOwningThread_isAccessible() throws InterruptedException {
        try (AnonymousMemory memory = AnonymousMemory.map(4096, false)) {
            Thread writer =
                    Thread.ofPlatform()
                            .start(() -> memory.segment().set(ValueLayout.JAVA_BYTE, 7, (byte) 9));
            writer.join();
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 7)).isEqualTo((byte) 9);
        }
    }
}
