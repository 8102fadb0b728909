package dev.javisor.machine;

/**
 * Where a function sits.
 *
 * @param bus 0 to 255
 * @param device 0 to 31, the slot
 * @param function 0 to 7
 */
public record PciAddress(int bus, int device, int function) {
    public PciAddress {
        if ((bus & ~0xFF) != 0 || (device & ~31) != 0 || (function & ~7) != 0) {
            throw new IllegalArgumentException(
                    "no such PCI address: %d %d %d".formatted(bus, device, function));
        }
    }

    @Override
    public String toString() {
        return "%02x:%02x.%x".formatted(bus, device, function);
    }
}
