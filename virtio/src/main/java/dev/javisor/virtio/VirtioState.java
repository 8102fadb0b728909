package dev.javisor.virtio;

import java.util.List;

/**
 * A saved endpoint.
 *
 * @param status the device status field
 * @param driverFeatures as the driver wrote them
 */
public record VirtioState(
        int status,
        long driverFeatures,
        int deviceFeatureSelect,
        int driverFeatureSelect,
        int queueSelect,
        int configGeneration,
        List<QueueState> queues,
        VirtioDeviceState device) {
    public VirtioState {
        queues = List.copyOf(queues);
    }
}
