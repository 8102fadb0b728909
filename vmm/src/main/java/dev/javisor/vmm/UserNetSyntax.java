package dev.javisor.vmm;

import static dev.javisor.vmm.NetSyntax.MAX_PORT;
import static dev.javisor.vmm.NetSyntax.fields;
import static dev.javisor.vmm.NetSyntax.number;

import dev.javisor.net.IpAddress;
import dev.javisor.net.NetException;
import dev.javisor.net.user.UserNetworkConfig;
import dev.javisor.net.user.UserNetworkConfig.AllowRule;
import dev.javisor.net.user.UserNetworkConfig.Forward;
import dev.javisor.net.user.UserNetworkConfig.GuestForward;
import dev.javisor.net.user.UserNetworkConfig.Protocol;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

/** The settings of a network in user mode. */
final class UserNetSyntax implements NetSyntax.Kind {
    private static final int DNS_PORT = 53;

    private final UserNetworkConfig.Builder config = UserNetworkConfig.builder();
    private final List<Forward> forwards = new ArrayList<>();
    private final List<GuestForward> guestForwards = new ArrayList<>();
    private final List<AllowRule> allow = new ArrayList<>();
    private final List<InetSocketAddress> resolvers = new ArrayList<>();

    @Override
    public String names() {
        return "forward, guest-forward, restrict, allow, resolver, net, host, dns, guest, net6,"
                + " ipv4, ipv6, mtu, hostname, bootfile, ";
    }

    @Override
    public NetSpec build(NicSpec nic) {
        config.forwards(forwards).guestForwards(guestForwards).allow(allow).resolvers(resolvers);
        try {
            return new NetSpec.User(config.build(), nic);
        } catch (NetException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    @Override
    public boolean set(String key, String value) {
        switch (key) {
            case "forward" -> forwards.add(forward(value));
            case "guest-forward" -> guestForwards.add(guestForward(value));
            case "restrict" -> config.restrict(isOn(key, value));
            case "allow" -> allow(value);
            case "resolver" -> resolvers.add(resolver(value));
            case "net" -> {
                Prefix prefix = Prefix.parse(value);
                config.network4(prefix.address, prefix.bits);
            }
            case "host" -> config.host4(IpAddress.parse(value));
            case "dns" -> config.dns4(IpAddress.parse(value));
            case "guest" -> config.guest4(IpAddress.parse(value));
            case "net6" -> {
                Prefix prefix = Prefix.parse(value);
                if (prefix.address.isV4() || prefix.bits != 64) {
                    throw new IllegalArgumentException(
                            "'%s' is no IPv6 prefix of 64 bits: write it as fd00:1::/64"
                                    .formatted(value));
                }
                config.network6(prefix.address);
            }
            case "ipv4" -> config.ipv4(isOn(key, value));
            case "ipv6" -> config.ipv6(isOn(key, value));
            case "mtu" -> config.mtuBytes(number(key, value, MAX_PORT));
            case "hostname" -> config.hostName(value);
            case "bootfile" -> config.bootFile(value);
            default -> {
                return false;
            }
        }
        return true;
    }

    private void allow(String value) {
        if (value.equals("dns")) {
            config.allowDns(true);
            return;
        }
        String[] parts = fields(value);
        if (parts.length < 2 || parts.length > 3) {
            throw new IllegalArgumentException(
                    "'%s': write allow=tcp:ADDRESS[/BITS][:PORT], or allow=dns".formatted(value));
        }
        Prefix prefix = Prefix.parse(parts[1]);
        int port = parts.length == 3 ? number("port", parts[2], MAX_PORT) : 0;
        allow.add(new AllowRule(protocol(parts[0]), prefix.address, prefix.bits, port));
    }

    /** An address, and how many of its bits are the network's. */
    private record Prefix(IpAddress address, int bits) {
        static Prefix parse(String text) {
            int slash = text.indexOf('/');
            IpAddress address = IpAddress.parse(slash < 0 ? text : text.substring(0, slash));
            int most = address.isV4() ? 32 : 128;
            return new Prefix(
                    address,
                    slash < 0 ? most : number("prefix length", text.substring(slash + 1), most));
        }
    }

    /** {@code tcp:[HOST-ADDRESS]:HOST-PORT:[GUEST-ADDRESS:]GUEST-PORT}. */
    private static Forward forward(String text) {
        String[] parts = fields(text);
        if (parts.length < 4 || parts.length > 5) {
            throw new IllegalArgumentException(
                    "'%s': write forward=tcp:127.0.0.1:2222:22, or with the guest's address"
                                    .formatted(text)
                            + " forward=tcp:127.0.0.1:2222:10.0.2.15:22");
        }
        // Not open to others unless that is asked for.
        IpAddress from = IpAddress.parse(parts[1].isEmpty() ? "127.0.0.1" : parts[1]);
        IpAddress guest = IpAddress.parse(parts.length == 5 ? parts[3] : "0.0.0.0");
        return new Forward(
                protocol(parts[0]),
                new InetSocketAddress(from.toInetAddress(), number("port", parts[2], MAX_PORT)),
                guest,
                number("port", parts[parts.length - 1], MAX_PORT));
    }

    /** {@code tcp:ADDRESS:PORT:TO-ADDRESS:TO-PORT}. */
    private static GuestForward guestForward(String text) {
        String[] parts = fields(text);
        if (parts.length != 5 || !parts[0].equals("tcp")) {
            throw new IllegalArgumentException(
                    "'%s': write guest-forward=tcp:10.0.2.100:80:127.0.0.1:8080".formatted(text));
        }
        return new GuestForward(
                IpAddress.parse(parts[1]),
                number("port", parts[2], MAX_PORT),
                new InetSocketAddress(
                        IpAddress.parse(parts[3]).toInetAddress(),
                        number("port", parts[4], MAX_PORT)));
    }

    private static InetSocketAddress resolver(String text) {
        String[] parts = fields(text);
        if (parts.length > 2) {
            throw new IllegalArgumentException(
                    "'%s': write resolver=ADDRESS[:PORT], IPv6 in brackets".formatted(text));
        }
        return new InetSocketAddress(
                IpAddress.parse(parts[0]).toInetAddress(),
                parts.length == 2 ? number("port", parts[1], MAX_PORT) : DNS_PORT);
    }

    private static Protocol protocol(String text) {
        return switch (text) {
            case "tcp" -> Protocol.TCP;
            case "udp" -> Protocol.UDP;
            default ->
                    throw new IllegalArgumentException(
                            "'%s' is no protocol: give tcp or udp".formatted(text));
        };
    }

    private static boolean isOn(String key, String value) {
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default ->
                    throw new IllegalArgumentException(
                            "%s=%s: give on or off".formatted(key, value));
        };
    }
}
