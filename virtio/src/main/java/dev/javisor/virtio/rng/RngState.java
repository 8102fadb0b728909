package dev.javisor.virtio.rng;

import dev.javisor.virtio.VirtioDeviceState;

/** An entropy device has no state of its own. */
public record RngState() implements VirtioDeviceState {}
