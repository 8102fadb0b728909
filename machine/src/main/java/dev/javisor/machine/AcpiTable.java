package dev.javisor.machine;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** One ACPI table being written: the common header (ACPI 6.5 §5.2.6), then fields. */
final class AcpiTable {
    private static final String OEM_ID = "JAVISR";
    private static final String OEM_TABLE_ID = "JAVISOR ";
    private static final String CREATOR_ID = "JVSR";

    private static final int LENGTH_OFFSET = 4;
    private static final int CHECKSUM_OFFSET = 9;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** A table with header. */
    AcpiTable(String signature, int revision) {
        ascii(signature).word32(0).byte8(revision).byte8(0);
        ascii(OEM_ID).ascii(OEM_TABLE_ID).word32(1).ascii(CREATOR_ID).word32(1);
    }

    static String oemId() {
        return OEM_ID;
    }

    int sizeBytes() {
        return out.size();
    }

    AcpiTable ascii(String text) {
        out.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    AcpiTable byte8(int value) {
        out.write(value);
        return this;
    }

    AcpiTable word16(int value) {
        out.writeBytes(Aml.littleEndian(value, 2));
        return this;
    }

    AcpiTable word32(long value) {
        out.writeBytes(Aml.littleEndian(value, 4));
        return this;
    }

    AcpiTable word64(long value) {
        out.writeBytes(Aml.littleEndian(value, 8));
        return this;
    }

    AcpiTable zeros(int sizeBytes) {
        out.writeBytes(new byte[sizeBytes]);
        return this;
    }

    AcpiTable raw(AmlTerm aml) {
        aml.appendTo(out);
        return this;
    }

    /**
     * A Generic Address Structure (§5.2.3.2).
     *
     * @param accessBytes 0 for undefined, 1, 2, 4 or 8
     */
    AcpiTable address(Space space, int widthBits, int accessBytes, long address) {
        int accessSize = accessBytes == 0 ? 0 : Integer.numberOfTrailingZeros(accessBytes) + 1;
        return byte8(space.ordinal()).byte8(widthBits).byte8(0).byte8(accessSize).word64(address);
    }

    /** Address space ids of a Generic Address Structure. */
    enum Space {
        MEMORY,
        PORTS
    }

    /** With length and checksum filled in. */
    byte[] finish() {
        byte[] bytes = out.toByteArray();
        System.arraycopy(Aml.littleEndian(bytes.length, 4), 0, bytes, LENGTH_OFFSET, 4);
        bytes[CHECKSUM_OFFSET] = checksum(bytes, bytes.length);
        return bytes;
    }

    /** The byte that makes the first {@code length} bytes sum to zero, where it is zero now. */
    static byte checksum(byte[] bytes, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += bytes[i];
        }
        return (byte) -sum;
    }
}
