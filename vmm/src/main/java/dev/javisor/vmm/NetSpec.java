package dev.javisor.vmm;

import dev.javisor.net.MacAddress;
import dev.javisor.net.user.UserNetworkConfig;
import java.util.Optional;

/** A network interface as asked for: what it is plugged into. */
public sealed interface NetSpec {
    /**
     * Reads {@code user[,NAME=VALUE...]}.
     *
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static NetSpec parse(String text) {
        return NetSyntax.parse(text);
    }

    /** Its address; empty for one of ours. */
    Optional<MacAddress> mac();

    /** Pairs of queues, 1 to {@link dev.javisor.virtio.net.NetDevice#MAX_QUEUE_PAIRS}. */
    int queuePairs();

    /** Plugged into a network in user mode, of its own. */
    record User(UserNetworkConfig config, Optional<MacAddress> mac, int queuePairs)
            implements NetSpec {
        /** With the usual addresses. */
        public static User standard() {
            return new User(UserNetworkConfig.standard(), Optional.empty(), 1);
        }
    }
}
