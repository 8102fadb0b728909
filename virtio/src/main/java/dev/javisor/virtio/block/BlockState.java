package dev.javisor.virtio.block;

import dev.javisor.virtio.VirtioDeviceState;
import java.util.List;

/**
 * A saved block device.
 *
 * @param writeback the driver's choice of cache mode (VIRTIO 1.2 §5.2.5)
 * @param kept requests that wait for another try
 */
public record BlockState(boolean writeback, List<Kept> kept) implements VirtioDeviceState {
    /** A request by its queue and its chain's head. */
    public record Kept(int queue, int head) {}

    public BlockState {
        kept = List.copyOf(kept);
    }
}
