package dev.javisor.machine;

/** What a base address register decodes (PCI 3.0 §6.2.5.1). */
public enum PciBarKind {
    /** Memory below 4 GiB, not prefetchable. */
    MEMORY_32(0x0),
    /** Memory anywhere, prefetchable; takes two registers. */
    MEMORY_64(0xC),
    /** I/O ports. */
    IO(0x1);

    private final int bits;

    PciBarKind(int bits) {
        this.bits = bits;
    }

    /** The read-only low bits of the register. */
    int bits() {
        return bits;
    }
}
