package dev.javisor.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class BzImageTest {
    private static final long MIB = 1 << 20;

    private static BootParameters parameters(GuestMemory memory, String line, byte[]... initrds) {
        List<BootModule> modules =
                Arrays.stream(initrds).map(b -> new BootModule(ByteSource.of(b))).toList();
        return new BootParameters(
                line, modules, MemoryMap.of(memory), 0xE_0000, new byte[] {1, 2, 3, 4});
    }

    @Test
    void load_relocatableKernel_entersAt64BitEntryOfPreferredAddress() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(Images.bzImage())
                        .load(memory, parameters(memory, "a=b"), TestCpu.powerOn());
        assertThat(state.rip()).isEqualTo(0x100_0200);
        assertThat(state.gpr()[6]).isEqualTo(0x7000);
        assertThat(state.rflags()).isEqualTo(2);
        assertThat(state.efer()).isEqualTo(0x500);
        assertThat(state.cr0()).isEqualTo(0x8000_0011L);
        assertThat(state.cr4()).isEqualTo(0x20);
        assertThat(state.segments().cs()).isEqualTo(new CpuState.Segment(0x10, 0, -1, 0xA09B));
        assertThat(state.segments().ds()).isEqualTo(new CpuState.Segment(0x18, 0, -1, 0xC093));
        byte[] image = Images.bzImage().array();
        assertThat(memory.read(0x100_0000, Images.BZ_KERNEL_BYTES))
                .isEqualTo(Arrays.copyOfRange(image, Images.BZ_SETUP_BYTES, image.length));
    }

    @Test
    void load_keepsPowerOnStateThatIsNotTheLoaders() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(Images.bzImage())
                        .load(memory, parameters(memory, ""), TestCpu.powerOn());
        assertThat(state.msrs()).containsEntry(0x1B, 0xFEE0_0900L).containsEntry(0x2FF, 0x806L);
        assertThat(state.tscOffset()).isEqualTo(77);
        ByteBuffer lapic = ByteBuffer.wrap(state.lapic()).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        assertThat(lapic.getInt(0x350)).isEqualTo(0x700);
        assertThat(lapic.getInt(0xF0)).isEqualTo(0x1FF);
    }

    @Test
    void load_pageTables_mapFourGibibytesOneToOne() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(Images.bzImage())
                        .load(memory, parameters(memory, ""), TestCpu.powerOn());
        for (long virtual : new long[] {0, 0x100_0000, 0x7FFF_F000L, 0xFFFF_F000L}) {
            long pml4e = memory.readLong(state.cr3() + (virtual >>> 39 & 511) * 8);
            long pdpte = memory.readLong((pml4e & -4096) + (virtual >>> 30 & 511) * 8);
            long pde = memory.readLong((pdpte & -4096) + (virtual >>> 21 & 511) * 8);
            assertThat(pml4e & pdpte & pde & 3).isEqualTo(3);
            assertThat(pde & 0x80).isEqualTo(0x80);
            assertThat((pde & 0xF_FFFF_FFE0_0000L) | virtual & 0x1F_FFFF).isEqualTo(virtual);
        }
    }

    @Test
    void load_gdt_describesWhatTheSegmentsHold() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(Images.bzImage())
                        .load(memory, parameters(memory, ""), TestCpu.powerOn());
        long gdt = state.gdt().base();
        assertThat(memory.readLong(gdt + 0x10)).isEqualTo(0x00AF_9B00_0000_FFFFL);
        assertThat(memory.readLong(gdt + 0x18)).isEqualTo(0x00CF_9300_0000_FFFFL);
        assertThat(memory.readLong(gdt + 0x20)).isEqualTo(0x0000_8B00_0000_0067L);
        assertThat(state.gdt().limit()).isEqualTo(39);
    }

    @Test
    void load_zeroPage_carriesHeaderMapCommandLineRsdpAndSeed() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        BootParameters parameters = parameters(memory, "console=ttyS0");
        Images.probe(Images.bzImage()).load(memory, parameters, TestCpu.powerOn());
        long page = 0x7000;
        assertThat(memory.readInt(page + 0x202)).isEqualTo(0x5372_6448);
        assertThat(memory.readByte(page + 0x1EF)).isZero();
        assertThat(memory.readByte(page + 0x210)).isEqualTo(0xFF);
        assertThat(memory.readInt(page + 0x214)).isEqualTo(0x100_0000);
        assertThat(memory.readLong(page + 0x70)).isEqualTo(0xE_0000);
        long line = memory.readInt(page + 0x228) & 0xFFFF_FFFFL;
        assertThat(memory.read(line, 14))
                .isEqualTo("console=ttyS0\0".getBytes(StandardCharsets.US_ASCII));
        int entries = memory.readByte(page + 0x1E8);
        assertThat(entries).isEqualTo(parameters.memoryMap().entries().size());
        assertThat(memory.readLong(page + 0x2D0)).isZero();
        assertThat(memory.readLong(page + 0x2D8)).isEqualTo(0x9_FC00);
        assertThat(memory.readInt(page + 0x2E0)).isEqualTo(1);
        long data = memory.readLong(page + 0x250);
        assertThat(memory.readLong(data)).isZero();
        assertThat(memory.readInt(data + 8)).isEqualTo(9);
        assertThat(memory.readInt(data + 12)).isEqualTo(4);
        assertThat(memory.readInt(data + 16)).isEqualTo(0x0403_0201);
    }

    @Test
    void load_twoInitrds_areOneRangeAtTheTopWithZeroesBetween() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        byte[] first = new byte[5000];
        Arrays.fill(first, (byte) 0xA1);
        byte[] second = {1, 2, 3};
        Images.probe(Images.bzImage())
                .load(memory, parameters(memory, "", first, second), TestCpu.powerOn());
        long start = memory.readInt(0x7000 + 0x218);
        assertThat(start).isEqualTo(64 * MIB - 3 * 4096);
        assertThat(memory.readInt(0x7000 + 0x21C)).isEqualTo(2 * 4096 + 3);
        assertThat(memory.read(start, 5000)).isEqualTo(first);
        assertThat(memory.read(start + 5000, 8192 - 5000)).containsOnly(0);
        assertThat(memory.read(start + 8192, 3)).isEqualTo(second);
    }

    @Test
    void load_initrdAddrMaxBelowTopOfRam_isRespected() {
        ByteBuffer image = Images.bzImage();
        image.putInt(0x22C, 0x1FF_FFFF);
        GuestMemory memory = TestMemory.of(64 * MIB);
        Images.probe(image).load(memory, parameters(memory, "", new byte[100]), TestCpu.powerOn());
        assertThat(memory.readInt(0x7000 + 0x218)).isEqualTo(0x1FF_F000);
    }

    @Test
    void load_initrdLargerThanWhatIsLeft_isRefused() {
        GuestMemory memory = TestMemory.of(18 * MIB);
        KernelImage kernel = Images.probe(Images.bzImage());
        assertThatThrownBy(() ->
                        kernel.load(
                                memory,
                                parameters(memory, "", new byte[(int) (2 * MIB)]),
                                TestCpu.powerOn()))
                .isInstanceOf(BootException.class)
                .hasMessage("initrd of 2 MiB does not fit beside the kernel into 18 MiB of memory");
    }

    @Test
    void load_oneMebibyteOfMemory_isRefusedInOneLine() {
        GuestMemory memory = TestMemory.of(MIB);
        KernelImage kernel = Images.probe(Images.bzImage());
        assertThatThrownBy(() -> kernel.load(memory, parameters(memory, ""), TestCpu.powerOn()))
                .isInstanceOf(BootException.class)
                .hasMessage("kernel k does not fit into 1 MiB of memory");
    }

    @Test
    void load_initSizeBeyondMemory_isRefused() {
        ByteBuffer image = Images.bzImage();
        image.putInt(0x260, 0xFFFF_FFFF);
        GuestMemory memory = TestMemory.of(64 * MIB);
        assertThatThrownBy(() ->
                        Images.probe(image).load(memory, parameters(memory, ""), TestCpu.powerOn()))
                .isInstanceOf(BootException.class)
                .hasMessageContaining("does not fit");
    }

    @Test
    void load_preferredAddressOutsideMemory_isRefused() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        for (long address : new long[] {0, 0x1000, -1, Long.MAX_VALUE, 0x1_0000_0000L}) {
            ByteBuffer image = Images.bzImage();
            image.putLong(0x258, address);
            assertThatThrownBy(() ->
                            Images.probe(image)
                                    .load(memory, parameters(memory, ""), TestCpu.powerOn()))
                    .isInstanceOf(BootException.class);
        }
    }

    @Test
    void load_commandLine_isLimitedByTheHeader() {
        GuestMemory memory = TestMemory.of(64 * MIB);
        KernelImage kernel = Images.probe(Images.bzImage());
        kernel.load(memory, parameters(memory, "x".repeat(2047)), TestCpu.powerOn());
        assertThatThrownBy(() ->
                        kernel.load(
                                memory, parameters(memory, "x".repeat(2048)), TestCpu.powerOn()))
                .hasMessage("command line of 2048 bytes is too long: kernel k takes 2047");
    }

    @Test
    void load_kernelWithout64BitEntry_startsIn32BitMode() {
        ByteBuffer image = Images.bzImage();
        image.putShort(0x236, (short) 0);
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(image).load(memory, parameters(memory, ""), TestCpu.powerOn());
        assertThat(state.rip()).isEqualTo(0x100_0000);
        assertThat(state.cr0()).isEqualTo(0x11);
        assertThat(state.efer()).isZero();
        assertThat(state.segments().cs().attributes()).isEqualTo(0xC09B);
        assertThat(memory.readLong(0x510)).isEqualTo(0x00CF_9B00_0000_FFFFL);
    }

    @Test
    void load_protocol206_goesTo1MibAndTakesNoSetupData() {
        ByteBuffer image = Images.bzImage();
        image.putShort(0x206, (short) 0x0206);
        GuestMemory memory = TestMemory.of(64 * MIB);
        CpuState state =
                Images.probe(image).load(memory, parameters(memory, ""), TestCpu.powerOn());
        assertThat(state.rip()).isEqualTo(0x10_0000);
        assertThat(memory.readLong(0x7000 + 0x250)).isZero();
    }

    @Test
    void probe_describesVersionAndEntry() {
        assertThat(Images.probe(Images.bzImage()).description())
                .isEqualTo("Linux 6.1.0-test bzImage, boot protocol 2.15, 64-bit entry");
    }

    @Test
    void probe_truncatedAnywhere_isRefused() {
        byte[] whole = Images.bzImage().array();
        for (int size = 0x206; size < whole.length - 15; size += 61) {
            byte[] cut = Arrays.copyOf(whole, size);
            assertThatThrownBy(() -> KernelImage.probe("k", ByteSource.of(cut)))
                    .isInstanceOf(BootException.class)
                    .hasMessageContaining("truncated");
        }
    }

    @Test
    void probe_oldProtocolOrZImage_isRefused() {
        ByteBuffer old = Images.bzImage();
        old.putShort(0x206, (short) 0x0205);
        assertThatThrownBy(() -> Images.probe(old)).hasMessageContaining("boot protocol 2.05");
        ByteBuffer low = Images.bzImage();
        low.put(0x211, (byte) 0);
        assertThatThrownBy(() -> Images.probe(low)).hasMessageContaining("zImage");
    }
}
