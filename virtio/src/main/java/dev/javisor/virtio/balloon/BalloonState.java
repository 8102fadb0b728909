package dev.javisor.virtio.balloon;

import dev.javisor.virtio.VirtioDeviceState;

/**
 * A saved balloon.
 *
 * @param targetPages how many pages of 4 KiB it is to hold
 * @param actualPages how many the driver says it holds
 * @param poison what the guest fills free memory with
 */
public record BalloonState(int targetPages, int actualPages, int poison)
        implements VirtioDeviceState {}
