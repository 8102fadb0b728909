package dev.javisor.net.user;

import dev.javisor.net.IpAddress;
import dev.javisor.net.user.UserNetworkConfig.AllowRule;
import dev.javisor.net.user.UserNetworkConfig.GuestForward;
import dev.javisor.net.user.UserNetworkConfig.Protocol;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where the guest's destinations lead on this host, and which lead nowhere. The one place that
 * decides what a guest may reach.
 *
 * <p>This host's loopback is reached through the router's address, and only so. Link-local
 * addresses are of this host's links, not of the guest's: behind 169.254.169.254 many clouds keep
 * their hosts' credentials. They have to be allowed by name.
 */
final class Routes {
    private static final int DNS_PORT = 53;

    private static final IpAddress LOOPBACK_4 = IpAddress.parse("127.0.0.1");
    private static final IpAddress LOOPBACK_6 = IpAddress.parse("::1");

    private final UserNetworkConfig config;
    private final Supplier<List<InetSocketAddress>> resolvers;

    Routes(UserNetworkConfig config, Supplier<List<InetSocketAddress>> resolvers) {
        this.config = config;
        this.resolvers = resolvers;
    }

    /** An address of the router itself. */
    boolean isHost(IpAddress address) {
        return config.ipv4() && address.equals(config.host4())
                || config.ipv6() && address.equals(config.host6());
    }

    /** The name server's address. */
    boolean isDns(IpAddress address) {
        return config.ipv4() && address.equals(config.dns4())
                || config.ipv6() && address.equals(config.dns6());
    }

    /** Where a TCP connection leads; null if it must not or cannot be. */
    @Nullable InetSocketAddress tcp(IpAddress to, int port) {
        for (GuestForward forward : config.guestForwards()) {
            if (forward.port() == port && forward.address().equals(to)) {
                return forward.to();
            }
        }
        if (isDns(to)) {
            List<InetSocketAddress> found = mayResolve() ? resolvers.get() : List.of();
            return port == DNS_PORT && !found.isEmpty() ? found.getFirst() : null;
        }
        return permitted(Protocol.TCP, to, port);
    }

    /** Where a UDP datagram leads; null if it must not or cannot be sent. */
    @Nullable InetSocketAddress udp(IpAddress to, int port) {
        return isDns(to) ? null : permitted(Protocol.UDP, to, port);
    }

    /** Whether the guest may have names looked up. */
    boolean mayResolve() {
        return !config.restrict() || config.allowDns();
    }

    private @Nullable InetSocketAddress permitted(Protocol protocol, IpAddress to, int port) {
        if (port == 0 || to.isAny() || to.isMulticast() || to.isLoopback()) {
            return null;
        }
        if (to.isV4() ? to.v4Bits() == -1 || to.v4Bits() >>> 24 == 0 : isEmbeddedV4(to)) {
            return null;
        }
        if ((config.restrict() || to.isLinkLocal()) && !isAllowed(protocol, to, port)) {
            return null;
        }
        if (isHost(to)) {
            IpAddress loopback = to.isV4() ? LOOPBACK_4 : LOOPBACK_6;
            return new InetSocketAddress(loopback.toInetAddress(), port);
        }
        boolean inside =
                to.isV4()
                        ? !config.ipv4() || to.isIn(config.network4(), config.prefix4())
                        : !config.ipv6() || to.isIn(config.network6(), 64);
        if (inside) {
            return null;
        }
        InetAddress address = to.toInetAddress();
        return new InetSocketAddress(address, port);
    }

    /** IPv4 addresses in IPv6 clothes (RFC 4291 §2.5.5), which could name this host's loopback. */
    private static boolean isEmbeddedV4(IpAddress address) {
        return address.high() == 0 && address.low() >>> 48 == 0;
    }

    private boolean isAllowed(Protocol protocol, IpAddress to, int port) {
        for (AllowRule rule : config.allow()) {
            if (rule.allows(protocol, to, port)) {
                return true;
            }
        }
        return false;
    }
}
