package dev.javisor.vmm;

import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.filter.RateLimit.Rate;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * What is asked of a network interface, whatever it is plugged into.
 *
 * @param mac its address; empty for one of ours
 * @param queuePairs 1 to {@link dev.javisor.virtio.net.NetDevice#MAX_QUEUE_PAIRS}
 * @param capture file that gets every frame, in pcap format
 * @param fromGuest how fast the guest may send
 * @param toGuest how fast it is sent to
 * @param spoofing what the guest may do in another's name
 */
public record NicSpec(
        Optional<MacAddress> mac,
        int queuePairs,
        Optional<Path> capture,
        Rate fromGuest,
        Rate toGuest,
        Spoofing spoofing) {
    /** One of our addresses, one pair of queues, no limits. */
    public static final NicSpec STANDARD =
            new NicSpec(
                    Optional.empty(),
                    1,
                    Optional.empty(),
                    Rate.NONE,
                    Rate.NONE,
                    new Spoofing.Allowed());

    /** Whether the guest may send frames in another's name. */
    public sealed interface Spoofing {
        record Allowed() implements Spoofing {}

        /**
         * Frames with a foreign MAC address are dropped.
         *
         * @param addresses and packets with an address other than these; empty: any will do
         */
        record Filtered(Optional<Set<IpAddress>> addresses) implements Spoofing {}
    }

    NicSpec withMac(MacAddress value) {
        return new NicSpec(Optional.of(value), queuePairs, capture, fromGuest, toGuest, spoofing);
    }

    NicSpec withQueuePairs(int value) {
        return new NicSpec(mac, value, capture, fromGuest, toGuest, spoofing);
    }

    NicSpec withCapture(Path value) {
        return new NicSpec(mac, queuePairs, Optional.of(value), fromGuest, toGuest, spoofing);
    }

    NicSpec withFromGuest(Rate value) {
        return new NicSpec(mac, queuePairs, capture, value, toGuest, spoofing);
    }

    NicSpec withToGuest(Rate value) {
        return new NicSpec(mac, queuePairs, capture, fromGuest, value, spoofing);
    }

    NicSpec withSpoofing(Spoofing value) {
        return new NicSpec(mac, queuePairs, capture, fromGuest, toGuest, value);
    }
}
