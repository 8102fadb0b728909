package dev.javisor.machine;

/** A piece of ACPI Machine Language, encoded (ACPI 6.5 §20.2). Made by {@link Aml}. */
public final class AmlTerm {
    private final byte[] bytes;

    AmlTerm(byte[] bytes) {
        this.bytes = bytes;
    }

    /** The encoding; the caller's own copy. */
    public byte[] bytes() {
        return bytes.clone();
    }

    int sizeBytes() {
        return bytes.length;
    }

    void appendTo(java.io.ByteArrayOutputStream out) {
        out.writeBytes(bytes);
    }
}
