package dev.javisor.machine;

/**
 * Offsets in a type 0 configuration header and bits of its registers (PCI Local Bus 3.0 §6.1, §6.2;
 * MSI-X §6.8.2).
 */
public final class PciLayout {
    public static final int VENDOR_ID = 0x00;
    public static final int DEVICE_ID = 0x02;
    public static final int COMMAND = 0x04;
    public static final int STATUS = 0x06;
    public static final int REVISION_ID = 0x08;

    /** Three bytes: programming interface, subclass, class. */
    public static final int CLASS_CODE = 0x09;

    public static final int CACHE_LINE_SIZE = 0x0C;
    public static final int HEADER_TYPE = 0x0E;
    public static final int BAR_0 = 0x10;
    public static final int BAR_COUNT = 6;
    public static final int SUBSYSTEM_VENDOR_ID = 0x2C;
    public static final int SUBSYSTEM_ID = 0x2E;
    public static final int CAPABILITIES_POINTER = 0x34;
    public static final int INTERRUPT_LINE = 0x3C;
    public static final int INTERRUPT_PIN = 0x3D;

    /** First byte that the header leaves to capabilities. */
    public static final int HEADER_END = 0x40;

    public static final int COMMAND_IO = 1;
    public static final int COMMAND_MEMORY = 1 << 1;
    public static final int COMMAND_BUS_MASTER = 1 << 2;
    public static final int COMMAND_PARITY = 1 << 6;
    public static final int COMMAND_SERR = 1 << 8;
    public static final int COMMAND_INTX_DISABLE = 1 << 10;

    public static final int STATUS_INTERRUPT = 1 << 3;
    public static final int STATUS_CAPABILITIES = 1 << 4;

    public static final int CAPABILITY_VENDOR = 0x09;
    public static final int CAPABILITY_MSIX = 0x11;

    /** In MSI-X message control. */
    public static final int MSIX_FUNCTION_MASK = 1 << 14;

    /** In MSI-X message control. */
    public static final int MSIX_ENABLE = 1 << 15;

    private PciLayout() {}
}
