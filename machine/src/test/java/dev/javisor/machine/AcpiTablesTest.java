package dev.javisor.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcpiTablesTest {
    private static final AcpiConfig FULL = new AcpiConfig(4, 8L << 30, true, true);

    private static int sum(byte[] bytes, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += bytes[i];
        }
        return sum & 0xFF;
    }

    private static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void everyTable_lengthAndChecksum_areRight() {
        AcpiTables tables = AcpiTables.build(FULL);
        assertThat(tables.signatures())
                .containsExactlyInAnyOrder(
                        "RSDP", "XSDT", "FACP", "FACS", "DSDT", "APIC", "MCFG", "HPET");
        for (String signature : tables.signatures()) {
            byte[] bytes = tables.table(signature);
            if (signature.equals("RSDP")) {
                assertThat(sum(bytes, 20)).isZero();
                assertThat(sum(bytes, 36)).isZero();
                continue;
            }
            assertThat(new String(bytes, 0, 4, StandardCharsets.US_ASCII)).isEqualTo(signature);
            assertThat(buffer(bytes).getInt(4)).isEqualTo(bytes.length);
            if (!signature.equals("FACS")) {
                assertThat(sum(bytes, bytes.length)).as(signature).isZero();
            }
        }
        assertThat(tables.table("FACP")).hasSize(276);
        assertThat(tables.table("HPET")).hasSize(56);
        assertThat(tables.table("MCFG")).hasSize(60);
        assertThat(tables.table("MCFG")[55]).as("last bus").isEqualTo((byte) 15);
    }

    @Test
    void writeTo_guestMemory_linksFromTheRsdpToEveryTable() {
        AcpiTables tables = AcpiTables.build(FULL);
        GuestMemory memory =
                new GuestMemory(
                        Arena.ofAuto().allocate(1 << 20, 4096),
                        List.of(new Region(0, 0, 1 << 20)),
                        () -> {});
        tables.writeTo(memory);
        long rsdp = tables.rsdpAddress();
        assertThat(rsdp).isEqualTo(0xE0000);
        assertThat(memory.read(rsdp, 8)).asString(StandardCharsets.US_ASCII).isEqualTo("RSD PTR ");
        long xsdt = memory.readLong(rsdp + 24);
        int entries = (memory.readInt(xsdt + 4) - 36) / 8;
        assertThat(entries).isEqualTo(4);
        StringBuilder seen = new StringBuilder();
        for (int i = 0; i < entries; i++) {
            long table = memory.readLong(xsdt + 36 + 8L * i);
            seen.append(new String(memory.read(table, 4), StandardCharsets.US_ASCII)).append(' ');
        }
        assertThat(seen.toString()).isEqualTo("FACP APIC MCFG HPET ");
        long fadt = memory.readLong(xsdt + 36);
        assertThat(memory.read(memory.readInt(fadt + 36), 4)).asString().isEqualTo("FACS");
        assertThat(memory.readInt(fadt + 36) % 64).isZero();
        assertThat(memory.read(memory.readInt(fadt + 40), 4)).asString().isEqualTo("DSDT");
        assertThat(memory.readLong(fadt + 140)).isEqualTo(memory.readInt(fadt + 40));
    }

    @Test
    void fadt_fields_areAtTheirOffsets() {
        ByteBuffer fadt = buffer(AcpiTables.build(FULL).table("FACP"));
        assertThat(fadt.getShort(46)).isEqualTo((short) 9);
        assertThat(fadt.getInt(48)).isZero();
        assertThat(fadt.getInt(56)).isEqualTo(0x600);
        assertThat(fadt.getInt(64)).isEqualTo(0x604);
        assertThat(fadt.getInt(76)).isEqualTo(0x608);
        assertThat(fadt.get(88)).isEqualTo((byte) 4);
        assertThat(fadt.get(91)).isEqualTo((byte) 4);
        assertThat(fadt.get(108)).isEqualTo((byte) 0x32);
        assertThat(fadt.getLong(120)).isEqualTo(0xCF9);
        assertThat(fadt.get(128)).isEqualTo((byte) 6);
        assertThat(fadt.getLong(212)).isEqualTo(0x608);
    }

    @Test
    void madt_manyCpus_usesX2apicEntriesBeyond254() {
        AcpiTables tables = AcpiTables.build(new AcpiConfig(300, 1 << 30, true, true));
        ByteBuffer madt = buffer(tables.table("APIC"));
        int xapic = 0;
        int x2apic = 0;
        for (int at = 44; at < madt.capacity(); at += madt.get(at + 1)) {
            switch (madt.get(at)) {
                case 0 -> assertThat(madt.get(at + 3) & 0xFF).isEqualTo(xapic++);
                case 9 -> assertThat(madt.getInt(at + 4)).isEqualTo(255 + x2apic++);
                default -> assertThat(madt.get(at)).isIn((byte) 1, (byte) 2, (byte) 4, (byte) 10);
            }
        }
        assertThat(xapic).isEqualTo(255);
        assertThat(x2apic).isEqualTo(45);
    }

    @Test
    void range_mostCpus_fitsItsPlace() {
        AcpiTables tables =
                AcpiTables.build(new AcpiConfig(AcpiConfig.MAX_CPUS, 1 << 30, true, true));
        assertThat(tables.range().end()).isLessThanOrEqualTo(PlatformLayout.ACPI_TABLES.end());
    }

    /** ACPICA's own compiler reads every table, and compiles what it read. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void iasl_everyTable_disassemblesAndRecompiles(boolean full, @TempDir Path directory)
            throws IOException, InterruptedException {
        assumeTrue(iaslIsThere(), "iasl is not installed (Debian package acpica-tools)");
        AcpiTables tables =
                AcpiTables.build(full ? FULL : new AcpiConfig(1, 128 << 20, false, false));
        for (String signature : tables.signatures()) {
            if (signature.equals("RSDP")) {
                continue;
            }
            Path aml = directory.resolve(signature + ".aml");
            Files.write(aml, tables.table(signature));
            assertThat(run(directory, "iasl", "-d", aml.toString()))
                    .doesNotContain("rror")
                    .doesNotContain("arning");
            String compiled =
                    run(directory, "iasl", "-we", directory.resolve(signature + ".dsl") + "");
            assertThat(compiled)
                    .as(signature)
                    .contains("Compilation successful. 0 Errors, 0 Warnings");
        }
        String dsdt = Files.readString(directory.resolve("DSDT.dsl"));
        assertThat(dsdt).contains("EisaId (\"PNP0A08\")", "Method (_OSC", "Name (_PRT");
    }

    private static boolean iaslIsThere() throws InterruptedException {
        try {
            new ProcessBuilder("iasl", "-v").redirectErrorStream(true).start().waitFor();
            return true;
        } catch (IOException absent) {
            return false;
        }
    }

    private static String run(Path directory, String... command)
            throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectErrorStream(true)
                        .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
