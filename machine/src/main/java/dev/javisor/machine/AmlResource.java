package dev.javisor.machine;

import java.io.ByteArrayOutputStream;

/** A resource descriptor for {@link Aml#resources} (ACPI 6.5 §6.4). */
public final class AmlResource {
    private static final int BUS_NUMBERS = 2;
    private static final int PORTS = 1;
    private static final int MEMORY = 0;

    /** Resource producer, positive decode, minimum and maximum fixed. */
    private static final int WINDOW_FLAGS = 0x0C;

    private final byte[] bytes;

    private AmlResource(byte[] bytes) {
        this.bytes = bytes;
    }

    byte[] bytes() {
        return bytes.clone();
    }

    /** {@code IO (Decode16, ...)}: at most 255 ports. */
    public static AmlResource ports(AddressRange range) {
        requireFits(range, 0x1_0000);
        if (range.sizeBytes() > 255) {
            throw new IllegalArgumentException("too many ports: " + range);
        }
        return of(0x47, 0x01)
                .with(range.start(), 2)
                .with(range.start(), 2)
                .with(1, 1)
                .with(range.sizeBytes(), 1)
                .done();
    }

    /** {@code IRQNoFlags ()}: an edge-triggered, active high ISA interrupt. */
    public static AmlResource irq(int irq) {
        if (irq < 0 || irq > 15) {
            throw new IllegalArgumentException("no ISA IRQ " + irq);
        }
        return of(0x22).with(1L << irq, 2).done();
    }

    /** {@code Memory32Fixed (ReadWrite, ...)}. */
    public static AmlResource memory32(AddressRange range) {
        requireFits(range, 1L << 32);
        return of(0x86, 9, 0, 1).with(range.start(), 4).with(range.sizeBytes(), 4).done();
    }

    /** {@code WordBusNumber ()}: the buses below a bridge, both inclusive. */
    public static AmlResource busWindow(int first, int last) {
        return window(0x88, BUS_NUMBERS, 0, 2, new AddressRange(first, last - first + 1L));
    }

    /** {@code WordIO (..., EntireRange)}: a port window of a bridge. */
    public static AmlResource portWindow(AddressRange range) {
        requireFits(range, 0x1_0000);
        return window(0x88, PORTS, 3, 2, range);
    }

    /** {@code DWordMemory (..., NonCacheable, ReadWrite)}: a window of a bridge below 4 GiB. */
    public static AmlResource memoryWindow32(AddressRange range) {
        requireFits(range, 1L << 32);
        return window(0x87, MEMORY, 1, 4, range);
    }

    /** {@code QWordMemory (..., NonCacheable, ReadWrite)}. */
    public static AmlResource memoryWindow64(AddressRange range) {
        return window(0x8A, MEMORY, 1, 8, range);
    }

    private static AmlResource window(
            int tag, int type, int typeFlags, int width, AddressRange range) {
        return of(tag).with(3 + 5L * width, 2)
                .with(type, 1)
                .with(WINDOW_FLAGS, 1)
                .with(typeFlags, 1)
                // Granularity, minimum, maximum, translation, length.
                .with(0, width)
                .with(range.start(), width)
                .with(range.end() - 1, width)
                .with(0, width)
                .with(range.sizeBytes(), width)
                .done();
    }

    private static void requireFits(AddressRange range, long limit) {
        if (range.end() > limit) {
            throw new IllegalArgumentException("range too high: " + range);
        }
    }

    private static Bytes of(int... head) {
        Bytes bytes = new Bytes();
        for (int value : head) {
            bytes.with(value, 1);
        }
        return bytes;
    }

    private static final class Bytes {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        private Bytes with(long value, int sizeBytes) {
            out.writeBytes(Aml.littleEndian(value, sizeBytes));
            return this;
        }

        private AmlResource done() {
            return new AmlResource(out.toByteArray());
        }
    }
}
