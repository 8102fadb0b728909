package dev.javisor.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MultibootKernelTest {
    private static final long MIB = 1 << 20;

    private static CpuState load(ByteBuffer image, GuestMemory memory, BootModule... modules) {
        return Images.probe(image)
                .load(
                        memory,
                        new BootParameters(
                                "line", List.of(modules), MemoryMap.of(memory), 0, new byte[0]),
                        TestCpu.powerOn());
    }

    @Test
    void load_elf_passesMagicAndInformation() {
        GuestMemory memory = TestMemory.of(16 * MIB);
        CpuState state =
                load(
                        Images.multiboot(3),
                        memory,
                        new BootModule(ByteSource.of(new byte[] {1, 2, 3}), "first"),
                        new BootModule(ByteSource.of(new byte[] {4}), "second"));
        assertThat(state.gpr()[0]).isEqualTo(0x2BADB002);
        assertThat(state.rip()).isEqualTo(0x10_000C);
        assertThat(state.rflags() & (1 << 9 | 1 << 17)).isZero();
        assertThat(memory.readByte(0x10_0000)).isEqualTo(3);

        long info = state.gpr()[3];
        assertThat(memory.readInt(info)).isEqualTo(0x24D);
        assertThat(memory.readInt(info + 4)).isEqualTo(639);
        assertThat(memory.readInt(info + 8)).isEqualTo(15 * 1024);
        assertThat(text(memory, memory.readInt(info + 16))).isEqualTo("line");
        assertThat(memory.readInt(info + 20)).isEqualTo(2);
        long modules = memory.readInt(info + 24);
        long first = memory.readInt(modules);
        assertThat(first).isEqualTo(0x10_2000);
        assertThat(memory.readInt(modules + 4)).isEqualTo(0x10_2003);
        assertThat(text(memory, memory.readInt(modules + 8))).isEqualTo("first");
        assertThat(memory.readInt(modules + 16)).isEqualTo(0x10_3000);
        assertThat(text(memory, memory.readInt(modules + 24))).isEqualTo("second");
        assertThat(memory.readByte(0x10_3000)).isEqualTo(4);
        long map = memory.readInt(info + 48);
        assertThat(memory.readInt(map)).isEqualTo(20);
        assertThat(memory.readLong(map + 12)).isEqualTo(0x9_FC00);
        assertThat(memory.readInt(info + 44) % 24).isZero();
        assertThat(text(memory, memory.readInt(info + 64))).isEqualTo("Javisor");
    }

    @Test
    void load_flatImage_followsTheHeadersAddresses() {
        ByteBuffer image = Images.buffer(0x1000);
        Images.header(image, 0x40, 1 << 16);
        // Header at 0x200040, so file offset 0x10 goes to 0x200010; load to 0x200100; bss to
        // 0x200200; entry 0x200050.
        image.putInt(0x4C, 0x20_0040).putInt(0x50, 0x20_0010).putInt(0x54, 0x20_0100);
        image.putInt(0x58, 0x20_0200).putInt(0x5C, 0x20_0050);
        image.put(0x10, (byte) 0x5A).put(0xFF, (byte) 0x5B).put(0x100, (byte) 0x5C);
        GuestMemory memory = TestMemory.of(16 * MIB);
        memory.writeInt(0x20_0100, -1);
        CpuState state = load(image, memory);
        assertThat(state.rip()).isEqualTo(0x20_0050);
        assertThat(memory.readByte(0x20_0010)).isEqualTo(0x5A);
        assertThat(memory.readByte(0x20_00FF)).isEqualTo(0x5B);
        assertThat(memory.readInt(0x20_0100)).isZero();
    }

    @Test
    void load_flatImageWithContradictingAddresses_isRefused() {
        GuestMemory memory = TestMemory.of(16 * MIB);
        int[][] bad = {
            {0x20_0040, 0x20_0041, 0, 0}, // load above header
            {0x20_0040, 0x10_0000, 0, 0}, // load starts before the file
            {0x20_0040, 0x20_0010, 0x20_0000, 0}, // ends before it starts
            {0x20_0040, 0x20_0010, 0x30_0000, 0}, // longer than the file
            {0x20_0040, 0x20_0010, 0x20_0100, 0x20_0080}, // bss inside the image
            {0xF000_0040, 0xF000_0010, 0, 0}, // not RAM
            {0x20_0040, 0x20_0010, 0x20_0100, -1}, // bss up to 4 GiB
        };
        for (int[] a : bad) {
            ByteBuffer image = Images.buffer(0x1000);
            Images.header(image, 0x40, 1 << 16);
            image.putInt(0x4C, a[0]).putInt(0x50, a[1]).putInt(0x54, a[2]).putInt(0x58, a[3]);
            image.putInt(0x5C, 0x20_0050);
            assertThatThrownBy(() -> load(image, memory)).isInstanceOf(BootException.class);
        }
    }

    @Test
    void probe_demandsThatCannotBeMet_areRefused() {
        assertThatThrownBy(() -> Images.probe(Images.multiboot(4)))
                .hasMessageContaining("graphics mode");
        assertThatThrownBy(() -> Images.probe(Images.multiboot(0x8000)))
                .hasMessageContaining("features 0x8000");
    }

    @Test
    void probe_wrongChecksum_isNoMultibootKernel() {
        ByteBuffer image = Images.multiboot(0);
        image.putInt(0x108, 1);
        assertThatThrownBy(() -> Images.probe(image)).hasMessageContaining("neither a PVH note");
    }

    private static String text(GuestMemory memory, long address) {
        StringBuilder text = new StringBuilder();
        for (long at = address; memory.readByte(at) != 0; at++) {
            text.append((char) memory.readByte(at));
        }
        return new String(
                text.toString().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }
}
