package dev.javisor.virtio.block;

import dev.javisor.virtio.VirtioDeviceState;

/**
 * A saved block device.
 *
 * @param writeback the driver's choice of cache mode (VIRTIO 1.2 §5.2.5)
 */
public record BlockState(boolean writeback) implements VirtioDeviceState {}
