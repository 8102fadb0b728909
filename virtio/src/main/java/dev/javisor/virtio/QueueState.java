package dev.javisor.virtio;

/**
 * What a driver wrote about a queue, and how far both sides are. Untrusted: {@link Virtqueue#from}
 * makes the live queue.
 *
 * @param size entries
 * @param descriptors guest-physical address of the descriptor area
 * @param available guest-physical address of the driver area
 * @param used guest-physical address of the device area
 * @param nextAvailable 16-bit index of the next chain to take
 * @param nextUsed 16-bit index of the next used element
 */
public record QueueState(
        int size,
        boolean enabled,
        long descriptors,
        long available,
        long used,
        int nextAvailable,
        int nextUsed) {}
