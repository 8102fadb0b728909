package dev.javisor.machine;

/**
 * The host bridge at 00:00.0: identifies as the q35's memory controller hub (82G33/Q35, document
 * 316966, §5.1) so that software knows what machine this is. Says where ECAM is.
 */
public final class PciHostBridge implements PciDevice {
    /** Its place. */
    public static final PciAddress ADDRESS = new PciAddress(0, 0, 0);

    private static final int PCIEXBAR = 0x60;
    private static final int PCIEXBAR_ENABLE = 1;
    private static final int PCIEXBAR_SIZE_SHIFT = 1;

    private final PciFunction function =
            new PciFunction(new PciIdentity(0x8086, 0x29C0, 0x060000, 2, 0, 0));

    /**
     * @param ecam 256, 128 or 64 MiB: what the register can express
     */
    public PciHostBridge(AddressRange ecam) {
        int size =
                switch ((int) (ecam.sizeBytes() >>> 20)) {
                    case 256 -> 0;
                    case 128 -> 1;
                    case 64 -> 2;
                    default ->
                            throw new IllegalArgumentException(
                                    "bad ECAM size %#x".formatted(ecam.sizeBytes()));
                };
        // DEVIATION: read-only. ECAM does not move; the chipset lets firmware place it.
        function.config()
                .set(
                        PCIEXBAR,
                        4,
                        (int) ecam.start() | size << PCIEXBAR_SIZE_SHIFT | PCIEXBAR_ENABLE);
        function.config().set(PCIEXBAR + 4, 4, (int) (ecam.start() >>> 32));
    }

    @Override
    public PciFunction function() {
        return function;
    }

    @Override
    public void reset() {}
}
