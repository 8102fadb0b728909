package dev.javisor.virtio;

/** Little-endian fields of a device's configuration space (VIRTIO 1.2 §2.5). */
public final class VirtioConfig {
    private VirtioConfig() {}

    /** Reads 1, 2 or 4 bytes, zero-extended to 32 bits. */
    public static int read(byte[] image, int offset, int sizeBytes) {
        int value = 0;
        for (int i = 0; i < sizeBytes; i++) {
            value |= (image[offset + i] & 0xFF) << (8 * i);
        }
        return value;
    }

    /** Writes up to 8 bytes. */
    public static void write(byte[] image, int offset, int sizeBytes, long value) {
        for (int i = 0; i < sizeBytes; i++) {
            image[offset + i] = (byte) (value >>> (8 * i));
        }
    }

    /** Reads 8 bytes. */
    public static long readLong(byte[] image, int offset) {
        return read(image, offset, 4) & 0xFFFF_FFFFL | (long) read(image, offset + 4, 4) << 32;
    }
}
