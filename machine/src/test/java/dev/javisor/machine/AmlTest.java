package dev.javisor.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class AmlTest {
    private static String hex(AmlTerm term) {
        return HexFormat.of().formatHex(term.bytes());
    }

    @Test
    void integer_anySize_isShortest() {
        assertThat(hex(Aml.integer(0))).isEqualTo("00");
        assertThat(hex(Aml.integer(1))).isEqualTo("01");
        assertThat(hex(Aml.integer(0xFF))).isEqualTo("0aff");
        assertThat(hex(Aml.integer(0x100))).isEqualTo("0b0001");
        assertThat(hex(Aml.integer(0x12345678L))).isEqualTo("0c78563412");
        assertThat(hex(Aml.integer(-1))).isEqualTo("0effffffffffffffff");
    }

    @Test
    void name_paths_encodePrefixes() {
        assertThat(Aml.nameString("_HID")).asHexString().isEqualTo("5F484944");
        assertThat(Aml.nameString("\\_S5")).asHexString().isEqualTo("5C5F53355F");
        assertThat(Aml.nameString("^A.B")).asHexString().isEqualTo("5E2E415F5F5F425F5F5F");
        assertThat(Aml.nameString("\\")).asHexString().isEqualTo("5C00");
        assertThat(Aml.nameString("A.B.C")).startsWith(0x2F, 3);
        assertThatThrownBy(() -> Aml.nameString("TOOLONG"))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void eisaId_pnp0a03_isAsIaslHasIt() {
        assertThat(hex(Aml.eisaId("PNP0A03"))).isEqualTo("0c41d00a03");
        assertThatThrownBy(() -> Aml.eisaId("PNP03")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void uuid_fields_areMixedEndian() {
        assertThat(hex(Aml.uuid("33db4d5b-1ff7-401c-9657-7441c03dd766")))
                .isEqualTo("11130a10" + "5b4ddb33f71f1c4096577441c03dd766");
    }

    @Test
    void pkgLength_growsWithTheContent() {
        // PkgLength counts itself: 1 byte to 0x3F, 2 to 0xFFF, 3 to 0xFFFFF.
        assertThat(hex(Aml.buffer(new byte[60]))).startsWith("113f0a3c");
        assertThat(hex(Aml.buffer(new byte[61]))).startsWith("1141040a3d");
        assertThat(hex(Aml.buffer(new byte[0xFFA]))).startsWith("114fff0bfa0f");
        assertThat(hex(Aml.buffer(new byte[0xFFB]))).startsWith("118100010bfb0f");
    }

    @Test
    void resources_io_endWithTheEndTag() {
        assertThat(hex(Aml.resources(AmlResource.ports(new AddressRange(0x3F8, 8)))))
                .isEqualTo("110d0a0a" + "4701f803f8030108" + "7900");
    }
}
