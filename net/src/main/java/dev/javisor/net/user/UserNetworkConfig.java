package dev.javisor.net.user;

import dev.javisor.net.IpAddress;
import dev.javisor.net.NetException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;

/**
 * A user-mode network as asked for: the addresses that the guest sees, and what leads out of and
 * into it. The defaults are those that people know from QEMU.
 *
 * @param ipv4 whether there is IPv4 at all
 * @param network4 the guest's network
 * @param prefix4 its prefix length, 8 to 30 bits
 * @param host4 the router, which is this host's loopback for what the guest sends there
 * @param dns4 the name server
 * @param guest4 the first address that DHCP hands out; the receiver of forwards that name none
 * @param ipv6 whether there is IPv6
 * @param network6 the guest's /64 prefix
 * @param resolvers where names are looked up; empty for those that this host uses
 * @param restrict nothing leaves but what {@code allow} names
 * @param allow exceptions from {@code restrict}
 * @param allowDns whether names are looked up in spite of {@code restrict}
 * @param forwards ports of this host that lead into the guest
 * @param guestForwards addresses in the guest's network that lead out of it
 * @param bootFile what DHCP names as the file to boot, such as a URL; empty for none
 * @param hostName what DHCP gives the guest as its name; empty for none
 * @param mtuBytes 1280 to 65521
 */
public record UserNetworkConfig(
        boolean ipv4,
        IpAddress network4,
        int prefix4,
        IpAddress host4,
        IpAddress dns4,
        IpAddress guest4,
        boolean ipv6,
        IpAddress network6,
        List<InetSocketAddress> resolvers,
        boolean restrict,
        List<AllowRule> allow,
        boolean allowDns,
        List<Forward> forwards,
        List<GuestForward> guestForwards,
        String bootFile,
        String hostName,
        int mtuBytes) {
    /** The protocols that can be forwarded and allowed. */
    public enum Protocol {
        TCP,
        UDP
    }

    /**
     * A port of this host that leads into the guest.
     *
     * @param from where this host listens; port 0 for any free one
     * @param guest the receiver, any address (0.0.0.0) for the first that DHCP hands out
     */
    public record Forward(
            Protocol protocol, InetSocketAddress from, IpAddress guest, int guestPort) {}

    /** An address in the guest's network that leads to a TCP service outside. */
    public record GuestForward(IpAddress address, int port, InetSocketAddress to) {}

    /**
     * What may be reached in spite of {@code restrict}.
     *
     * @param port 0 for all
     */
    public record AllowRule(Protocol protocol, IpAddress network, int prefixBits, int port) {
        boolean allows(Protocol what, IpAddress address, int to) {
            return protocol == what
                    && (port == 0 || port == to)
                    && address.isIn(network, prefixBits);
        }
    }

    private static final int MIN_MTU = 1280;
    private static final int MAX_MTU = 65_521;
    private static final int MAX_RULES = 256;
    private static final int MAX_BOOT_FILE = 127;

    /**
     * @throws NetException if the addresses do not fit each other
     */
    public UserNetworkConfig {
        if (!ipv4 && !ipv6) {
            throw new NetException("a network without IPv4 and IPv6: leave one on, or have none");
        }
        if (prefix4 < 8 || prefix4 > 30) {
            throw new NetException("network prefix /%d: give /8 to /30".formatted(prefix4));
        }
        for (IpAddress each : List.of(host4, dns4, guest4)) {
            if (!each.isV4() || !each.isIn(network4, prefix4)) {
                throw new NetException(
                        "%s is not in the network %s/%d".formatted(each, network4, prefix4));
            }
        }
        if (host4.equals(guest4) || dns4.equals(guest4) || host4.equals(dns4)) {
            throw new NetException("host, name server and guest need different addresses");
        }
        if (mtuBytes < MIN_MTU || mtuBytes > MAX_MTU) {
            throw new NetException("MTU %d: give %d to %d".formatted(mtuBytes, MIN_MTU, MAX_MTU));
        }
        if (allow.size() > MAX_RULES
                || forwards.size() > MAX_RULES
                || guestForwards.size() > MAX_RULES) {
            throw new NetException("more than %d rules or forwards".formatted(MAX_RULES));
        }
        if (bootFile.length() > MAX_BOOT_FILE) {
            throw new NetException(
                    "boot file name of more than %d characters".formatted(MAX_BOOT_FILE));
        }
        resolvers = List.copyOf(resolvers);
        allow = List.copyOf(allow);
        forwards = List.copyOf(forwards);
        guestForwards = List.copyOf(guestForwards);
    }

    /** The router's IPv6 address: ::2 of the prefix. */
    public IpAddress host6() {
        return new IpAddress(network6.high(), 2);
    }

    /** The name server's IPv6 address: ::3 of the prefix. */
    public IpAddress dns6() {
        return new IpAddress(network6.high(), 3);
    }

    /** The usual addresses, all allowed, nothing forwarded. */
    public static UserNetworkConfig standard() {
        return new Builder().build();
    }

    /** Starts from the usual addresses. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects a {@link UserNetworkConfig}. */
    public static final class Builder {
        private boolean ipv4 = true;
        private IpAddress network4 = IpAddress.parse("10.0.2.0");
        private int prefix4 = 24;
        private Optional<IpAddress> host4 = Optional.empty();
        private Optional<IpAddress> dns4 = Optional.empty();
        private Optional<IpAddress> guest4 = Optional.empty();
        private boolean ipv6 = true;
        private IpAddress network6 = IpAddress.parse("fec0::");
        private List<InetSocketAddress> resolvers = List.of();
        private boolean restrict;
        private List<AllowRule> allow = List.of();
        private boolean allowDns;
        private List<Forward> forwards = List.of();
        private List<GuestForward> guestForwards = List.of();
        private String bootFile = "";
        private String hostName = "";
        private int mtuBytes = 1500;

        private Builder() {}

        public Builder ipv4(boolean value) {
            ipv4 = value;
            return this;
        }

        /** The guest's network; host, name server and guest are then its .2, .3 and .15. */
        public Builder network4(IpAddress network, int prefixBits) {
            network4 = network;
            prefix4 = prefixBits;
            return this;
        }

        public Builder host4(IpAddress value) {
            host4 = Optional.of(value);
            return this;
        }

        public Builder dns4(IpAddress value) {
            dns4 = Optional.of(value);
            return this;
        }

        public Builder guest4(IpAddress value) {
            guest4 = Optional.of(value);
            return this;
        }

        public Builder ipv6(boolean value) {
            ipv6 = value;
            return this;
        }

        /** A /64 prefix. */
        public Builder network6(IpAddress value) {
            network6 = value;
            return this;
        }

        public Builder resolvers(List<InetSocketAddress> value) {
            resolvers = value;
            return this;
        }

        public Builder restrict(boolean value) {
            restrict = value;
            return this;
        }

        public Builder allow(List<AllowRule> value) {
            allow = value;
            return this;
        }

        public Builder allowDns(boolean value) {
            allowDns = value;
            return this;
        }

        public Builder forwards(List<Forward> value) {
            forwards = value;
            return this;
        }

        public Builder guestForwards(List<GuestForward> value) {
            guestForwards = value;
            return this;
        }

        public Builder bootFile(String value) {
            bootFile = value;
            return this;
        }

        public Builder hostName(String value) {
            hostName = value;
            return this;
        }

        public Builder mtuBytes(int value) {
            mtuBytes = value;
            return this;
        }

        private IpAddress at(int number) {
            int mask = prefix4 < 1 || prefix4 > 32 ? 0 : -1 << (32 - prefix4);
            // In a network too small for it, the last address but one.
            int last = ~mask - 1;
            return IpAddress.v4(network4.v4Bits() & mask | Math.min(number, last));
        }

        /**
         * @throws NetException if the addresses do not fit each other
         */
        public UserNetworkConfig build() {
            return new UserNetworkConfig(
                    ipv4,
                    network4,
                    prefix4,
                    host4.orElseGet(() -> at(2)),
                    dns4.orElseGet(() -> at(3)),
                    guest4.orElseGet(() -> at(15)),
                    ipv6,
                    network6,
                    resolvers,
                    restrict,
                    allow,
                    allowDns,
                    forwards,
                    guestForwards,
                    bootFile,
                    hostName,
                    mtuBytes);
        }
    }
}
