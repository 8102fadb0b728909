package dev.javisor.virtio.net;

import dev.javisor.virtio.VirtioDeviceState;
import java.util.List;

/**
 * What a driver set over the control queue. Untrusted.
 *
 * @param mac the interface's address, as in {@link dev.javisor.net.MacAddress#bits}
 * @param modes which of the RX commands of VIRTIO 1.2 §5.1.6.5.1 are on, a bit for each
 * @param macs further addresses whose frames are taken
 * @param overflowSingle the driver named more stations than are kept: all are taken
 * @param overflowGroup the same for groups
 * @param vlans VLANs whose frames are taken
 * @param vlanFiltering whether VLANs that are not named are dropped
 * @param queuePairs in use
 * @param guestOffloads feature bits of the offloads that the driver takes now
 */
public record NetState(
        long mac,
        int modes,
        List<Long> macs,
        boolean overflowSingle,
        boolean overflowGroup,
        List<Integer> vlans,
        boolean vlanFiltering,
        int queuePairs,
        long guestOffloads)
        implements VirtioDeviceState {
    public NetState {
        macs = List.copyOf(macs);
        vlans = List.copyOf(vlans);
    }
}
