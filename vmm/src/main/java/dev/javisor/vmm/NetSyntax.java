package dev.javisor.vmm;

import dev.javisor.base.Sizes;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.filter.RateLimit.Rate;
import dev.javisor.net.lan.StreamBackend;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** How a network interface is written on one line: its kind, with settings behind commas. */
final class NetSyntax {
    static final int MAX_PORT = 65_535;

    private static final int MAX_QUEUES = 8;

    /** IFNAMSIZ of Linux without the final zero. */
    private static final int MAX_INTERFACE_NAME = 15;

    private static final String COMMON = "mac, queues, pcap, bps, bps-in, bps-out or spoof-filter";

    /** What one kind of network has beside the settings that all have. */
    interface Kind {
        /** Whether it has such a setting. */
        boolean set(String key, String value);

        /** Its settings' names, each with a comma behind it. */
        String names();

        NetSpec build(NicSpec nic);
    }

    private NetSyntax() {}

    static NetSpec parse(String text) {
        String[] parts = text.split(",", -1);
        Kind kind =
                switch (parts[0]) {
                    case "user" -> new UserNetSyntax();
                    case "stream" -> new StreamSettings();
                    case "tap" -> new TapSettings();
                    default ->
                            throw new IllegalArgumentException(
                                    "'%s' is no kind of network: give user, tap, stream or none"
                                            .formatted(parts[0]));
                };
        NicSpec nic = NicSpec.STANDARD;
        for (int i = 1; i < parts.length; i++) {
            int equals = parts[i].indexOf('=');
            String key = equals < 0 ? parts[i] : parts[i].substring(0, equals);
            String value = equals < 0 ? "" : parts[i].substring(equals + 1);
            if (value.isEmpty()) {
                throw new IllegalArgumentException(
                        "'%s' is no setting of a network: write NAME=VALUE".formatted(parts[i]));
            }
            NicSpec next = common(nic, key, value);
            if (next != null) {
                nic = next;
            } else if (!kind.set(key, value)) {
                throw new IllegalArgumentException(
                        "'%s' is no setting of a %s network: give %s%s"
                                .formatted(key, parts[0], kind.names(), COMMON));
            }
        }
        return kind.build(nic);
    }

    /** With a setting that every interface has; null if it is none. */
    private static @Nullable NicSpec common(NicSpec nic, String key, String value) {
        return switch (key) {
            case "mac" -> nic.withMac(MacAddress.parse(value));
            case "queues" -> nic.withQueuePairs(number(key, value, MAX_QUEUES));
            case "pcap" -> nic.withCapture(Path.of(value));
            case "bps" -> nic.withFromGuest(rate(value)).withToGuest(rate(value));
            case "bps-out" -> nic.withFromGuest(rate(value));
            case "bps-in" -> nic.withToGuest(rate(value));
            case "spoof-filter" -> nic.withSpoofing(spoofing(value));
            default -> null;
        };
    }

    private static Rate rate(String value) {
        String[] parts = value.split(":", 2);
        long bytes = Sizes.parse(parts[0]);
        long burst = parts.length > 1 ? Sizes.parse(parts[1]) : 0;
        if (bytes < 1) {
            throw new IllegalArgumentException("a limit is at least 1, not '" + value + "'");
        }
        return new Rate(bytes, burst);
    }

    /** {@code on}, {@code off}, or the guest's addresses with {@code +} between them. */
    private static NicSpec.Spoofing spoofing(String value) {
        return switch (value) {
            case "on" -> new NicSpec.Spoofing.Filtered(Optional.empty());
            case "off" -> new NicSpec.Spoofing.Allowed();
            default -> {
                Set<IpAddress> addresses = new HashSet<>();
                for (String address : value.split("\\+", -1)) {
                    addresses.add(IpAddress.parse(address));
                }
                yield new NicSpec.Spoofing.Filtered(Optional.of(addresses));
            }
        };
    }

    /** A network behind a stream socket. */
    private static final class StreamSettings implements Kind {
        private StreamBackend.@Nullable Role role;
        private @Nullable SocketAddress address;

        @Override
        public boolean set(String key, String value) {
            StreamBackend.Role wanted =
                    switch (key) {
                        case "connect" -> StreamBackend.Role.CONNECT;
                        case "listen" -> StreamBackend.Role.LISTEN;
                        default -> null;
                    };
            if (wanted == null) {
                return false;
            }
            if (role != null) {
                throw new IllegalArgumentException(
                        "a stream network has one end: drop connect= or listen=");
            }
            role = wanted;
            address = address(value);
            return true;
        }

        @Override
        public String names() {
            return "connect, listen, ";
        }

        @Override
        public NetSpec build(NicSpec nic) {
            if (role == null || address == null) {
                throw new IllegalArgumentException(
                        "a stream network needs its other end: write stream,connect=HOST:PORT,"
                                + " stream,connect=unix:PATH, or listen= in the place of connect=");
            }
            return new NetSpec.Stream(role, address, nic);
        }

        private static SocketAddress address(String text) {
            if (text.startsWith("unix:") && text.length() > 5) {
                return UnixDomainSocketAddress.of(text.substring(5));
            }
            String[] parts = fields(text);
            if (parts.length != 2) {
                throw new IllegalArgumentException(
                        "'%s': write ADDRESS:PORT, IPv6 in brackets, or unix:PATH".formatted(text));
            }
            return new InetSocketAddress(
                    IpAddress.parse(parts[0].isEmpty() ? "127.0.0.1" : parts[0]).toInetAddress(),
                    number("port", parts[1], MAX_PORT));
        }
    }

    /** A tap interface. */
    private static final class TapSettings implements Kind {
        private String name = "javisor%d";
        private Optional<String> bridge = Optional.empty();

        @Override
        public boolean set(String key, String value) {
            switch (key) {
                case "name" -> name = interfaceName(value);
                case "bridge" -> bridge = Optional.of(interfaceName(value));
                default -> {
                    return false;
                }
            }
            return true;
        }

        @Override
        public String names() {
            return "name, bridge, ";
        }

        @Override
        public NetSpec build(NicSpec nic) {
            if (nic.queuePairs() != 1) {
                throw new IllegalArgumentException("a tap network has one queue: drop queues=");
            }
            return new NetSpec.Tap(name, bridge, nic);
        }

        private static String interfaceName(String text) {
            if (text.length() > MAX_INTERFACE_NAME || !text.matches("[!-~&&[^/:]]+")) {
                throw new IllegalArgumentException(
                        "'%s' is no name of an interface: 1 to %d characters without / and :"
                                .formatted(text, MAX_INTERFACE_NAME));
            }
            return text;
        }
    }

    /** What colons separate, except those in brackets, which are taken off. */
    static String[] fields(String text) {
        List<String> found = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean inside = false;
        for (char c : text.toCharArray()) {
            if (c == '[' || c == ']') {
                inside = c == '[';
            } else if (c == ':' && !inside) {
                found.add(field.toString());
                field.setLength(0);
            } else {
                field.append(c);
            }
        }
        found.add(field.toString());
        return found.toArray(String[]::new);
    }

    static int number(String what, String text, int most) {
        try {
            int value = Integer.parseInt(text);
            if (value >= 0 && value <= most) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("'%s' is no %s".formatted(text, what), e);
        }
        throw new IllegalArgumentException(
                "%s %s is out of range: 0 to %d".formatted(what, text, most));
    }
}
