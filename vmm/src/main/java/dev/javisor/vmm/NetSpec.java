package dev.javisor.vmm;

import dev.javisor.net.lan.StreamBackend;
import dev.javisor.net.lan.Switch;
import dev.javisor.net.user.UserNetworkConfig;
import java.net.SocketAddress;
import java.util.Optional;

/** A network interface as asked for: what it is plugged into. */
public sealed interface NetSpec {
    /**
     * Reads {@code KIND[,NAME=VALUE...]}.
     *
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static NetSpec parse(String text) {
        return NetSyntax.parse(text);
    }

    /** The interface itself. */
    NicSpec nic();

    /** Plugged into a network in user mode, of its own. */
    record User(UserNetworkConfig config, NicSpec nic) implements NetSpec {
        /** With the usual addresses. */
        public static User standard() {
            return new User(UserNetworkConfig.standard(), NicSpec.STANDARD);
        }
    }

    /** Plugged into a stream socket that carries frames, as of QEMU or passt. */
    record Stream(StreamBackend.Role role, SocketAddress address, NicSpec nic) implements NetSpec {}

    /** Plugged into a switch that it shares with other machines of this process. */
    record Switched(Switch network, NicSpec nic) implements NetSpec {}

    /**
     * Plugged into a tap interface of a Linux host.
     *
     * @param name of the interface, made for the time being unless it exists; may end in {@code %d}
     * @param bridge that it becomes a port of
     */
    record Tap(String name, Optional<String> bridge, NicSpec nic) implements NetSpec {}
}
