package dev.javisor.virtio;

/** Offsets of the virtio structures over PCI (VIRTIO 1.2 §4.1.4). */
final class VirtioPciLayout {
    static final int VENDOR = 0x1AF4;

    /** Plus the device id (§4.1.2.1). */
    static final int DEVICE_BASE = 0x1040;

    /** {@code cfg_type} of the capabilities. */
    static final int CAP_COMMON = 1;

    static final int CAP_NOTIFY = 2;
    static final int CAP_ISR = 3;
    static final int CAP_DEVICE = 4;
    static final int CAP_PCI = 5;

    /** {@code struct virtio_pci_cap}. */
    static final int CAP_BYTES = 16;

    static final int CAP_LENGTH_AT = 2;
    static final int CAP_TYPE_AT = 3;
    static final int CAP_BAR_AT = 4;
    static final int CAP_OFFSET_AT = 8;
    static final int CAP_SIZE_AT = 12;

    /** {@code notify_off_multiplier} or {@code pci_cfg_data}, after the common part. */
    static final int CAP_EXTRA_AT = 16;

    // struct virtio_pci_common_cfg
    static final int DEVICE_FEATURE_SELECT = 0x00;
    static final int DEVICE_FEATURE = 0x04;
    static final int DRIVER_FEATURE_SELECT = 0x08;
    static final int DRIVER_FEATURE = 0x0C;
    static final int CONFIG_MSIX_VECTOR = 0x10;
    static final int NUM_QUEUES = 0x12;
    static final int DEVICE_STATUS = 0x14;
    static final int CONFIG_GENERATION = 0x15;
    static final int QUEUE_SELECT = 0x16;
    static final int QUEUE_SIZE = 0x18;
    static final int QUEUE_MSIX_VECTOR = 0x1A;
    static final int QUEUE_ENABLE = 0x1C;
    static final int QUEUE_NOTIFY_OFF = 0x1E;
    static final int QUEUE_DESC = 0x20;
    static final int QUEUE_DRIVER = 0x28;
    static final int QUEUE_DEVICE = 0x30;

    /** Without queue_notify_data and queue_reset, whose features are not offered. */
    static final int COMMON_BYTES = 0x38;

    static final int NO_VECTOR = 0xFFFF;

    // Our BAR: each structure a page of its own, so that a hypervisor can map them apart.
    static final int BAR = 0;
    static final int BAR_BYTES = 0x4000;
    static final int COMMON_AT = 0x0000;
    static final int ISR_AT = 0x1000;
    static final int DEVICE_AT = 0x2000;
    static final int NOTIFY_AT = 0x3000;
    static final int PAGE_BYTES = 0x1000;
    static final int NOTIFY_MULTIPLIER = 4;
    static final int MSIX_BAR = 1;

    private VirtioPciLayout() {}
}
