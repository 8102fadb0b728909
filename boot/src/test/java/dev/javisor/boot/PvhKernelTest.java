package dev.javisor.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class PvhKernelTest {
    private static final long MIB = 1 << 20;

    @Test
    void load_fillsSegmentsStartInfoAndEntry() {
        GuestMemory memory = TestMemory.of(32 * MIB);
        memory.writeLong(0x20_0200, -1); // bss must be cleared
        BootParameters parameters =
                new BootParameters(
                        "hello",
                        List.of(new BootModule(ByteSource.of(new byte[] {9, 8}), "mod")),
                        MemoryMap.of(memory),
                        0xE_0000,
                        new byte[0]);
        CpuState state = Images.probe(Images.pvh()).load(memory, parameters, TestCpu.powerOn());
        assertThat(state.rip()).isEqualTo(0x20_0020);
        assertThat(state.cr0()).isEqualTo(0x11);
        assertThat(memory.read(0x20_0000, 0x100))
                .isEqualTo(Arrays.copyOfRange(Images.pvh().array(), 0x2000, 0x2100));
        assertThat(memory.read(0x20_0100, 0x200)).containsOnly(0);

        long info = state.gpr()[3];
        assertThat(memory.readInt(info)).isEqualTo(0x336EC578);
        assertThat(memory.readInt(info + 4)).isEqualTo(1);
        assertThat(memory.readInt(info + 12)).isEqualTo(1);
        long modules = memory.readLong(info + 16);
        assertThat(memory.readShort(memory.readLong(modules))).isEqualTo(0x0809);
        assertThat(memory.readLong(modules + 8)).isEqualTo(2);
        assertThat(memory.readInt(memory.readLong(modules + 16))).isEqualTo(0x00646F6D);
        assertThat(memory.readByte(memory.readLong(info + 24))).isEqualTo('h');
        assertThat(memory.readLong(info + 32)).isEqualTo(0xE_0000);
        int entries = memory.readInt(info + 48);
        assertThat(entries).isEqualTo(parameters.memoryMap().entries().size());
        long last = memory.readLong(info + 40) + (entries - 1) * 24L;
        assertThat(memory.readLong(last)).isEqualTo(0xB000_0000L);
        assertThat(memory.readInt(last + 16)).isEqualTo(2);
    }

    @Test
    void probe_sizesOfNotesThatWrap_findNothing() {
        for (int at : new int[] {0x1000, 0x1004}) {
            for (int value : new int[] {-1, -4, Integer.MAX_VALUE, 0x40}) {
                ByteBuffer image = Images.pvh();
                image.putInt(at, value);
                assertThatThrownBy(() -> Images.probe(image))
                        .isInstanceOf(BootException.class)
                        .hasMessageContaining("neither a PVH note");
            }
        }
    }

    @Test
    void load_entryOutsideMemory_isRefused() {
        GuestMemory memory = TestMemory.of(32 * MIB);
        ByteBuffer image = Images.pvh();
        image.putInt(0x1000 + 40, 0xFFFF_FFF0);
        assertThatThrownBy(() -> load(image, memory))
                .isInstanceOf(BootException.class)
                .hasMessageContaining("entry point");
    }

    @Test
    void load_segmentOverLowMemoryOrBeyondRam_isRefused() {
        GuestMemory memory = TestMemory.of(32 * MIB);
        for (long address : new long[] {0, 0x7000, 32 * MIB, 32 * MIB - 0x100, 1L << 40}) {
            ByteBuffer image = Images.pvh();
            image.putLong(0x58, address);
            assertThatThrownBy(() -> load(image, memory))
                    .isInstanceOf(BootException.class)
                    .hasMessageContaining("does not fit");
        }
    }

    @Test
    void probe_anyOneByteDamaged_neverThrowsAnythingElse() {
        GuestMemory memory = TestMemory.of(8 * MIB);
        byte[] whole = Images.pvh().array();
        for (int at = 0; at < 0x1040; at++) {
            for (int value : new int[] {0, 0x7F, 0x80, 0xFF}) {
                byte[] damaged = whole.clone();
                damaged[at] = (byte) value;
                try {
                    load(ByteBuffer.wrap(damaged), memory);
                } catch (BootException expected) {
                    assertThat(expected.getMessage()).startsWith("kernel k ");
                }
            }
        }
    }

    private static void load(ByteBuffer image, GuestMemory memory) {
        Images.probe(image)
                .load(
                        memory,
                        new BootParameters("", List.of(), MemoryMap.of(memory), 0, new byte[0]),
                        TestCpu.powerOn());
    }
}
