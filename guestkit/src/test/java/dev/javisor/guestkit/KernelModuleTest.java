package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class KernelModuleTest {
    /** The least ELF64 file: header, .modinfo, .shstrtab, three section headers. */
    private static byte[] elf(String modinfo) {
        byte[] info = modinfo.getBytes(StandardCharsets.UTF_8);
        byte[] names = "\0.modinfo\0.shstrtab\0".getBytes(StandardCharsets.US_ASCII);
        int headers = 64 + info.length + names.length;
        ByteBuffer file = ByteBuffer.allocate(headers + 3 * 64).order(ByteOrder.LITTLE_ENDIAN);
        file.putInt(0, 0x464C457F).put(4, (byte) 2);
        file.putLong(0x28, headers).putShort(0x3A, (short) 64).putShort(0x3C, (short) 3);
        file.putShort(0x3E, (short) 2);
        file.put(64, info).put(64 + info.length, names);
        file.putInt(headers + 64, 1).putLong(headers + 64 + 0x18, 64);
        file.putLong(headers + 64 + 0x20, info.length);
        file.putInt(headers + 128, 10).putLong(headers + 128 + 0x18, 64 + info.length);
        file.putLong(headers + 128 + 0x20, names.length);
        return file.array();
    }

    @Test
    void parse_nameAndDependencies_areReadWithUnderscores() {
        KernelModule module =
                KernelModule.parse(
                        "x.ko",
                        elf(
                                "license=GPL\0depends=virtio-ring,virtio\0name=virtio-rng\0vermagic=6\0"));
        assertThat(module.name()).isEqualTo("virtio_rng");
        assertThat(module.dependencies()).containsExactly("virtio_ring", "virtio");
    }

    @Test
    void parse_noDependencies_isEmptyList() {
        assertThat(KernelModule.parse("x.ko", elf("depends=\0name=ring\0")).dependencies())
                .isEmpty();
    }

    @Test
    void parse_cutAtAnyLength_isRefusedOrWhole() {
        byte[] whole = elf("depends=\0name=ring\0");
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            if (length < whole.length - 32) {
                assertThatThrownBy(() -> KernelModule.parse("x.ko", cut))
                        .isInstanceOf(GuestKitException.class)
                        .hasMessageContaining("x.ko");
            }
        }
    }
}
