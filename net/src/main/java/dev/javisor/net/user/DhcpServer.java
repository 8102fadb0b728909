package dev.javisor.net.user;

import dev.javisor.net.Bytes;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * DHCP for the guest's network (RFC 2131, 2132): the first guest gets the first address. Leases are
 * kept by hardware address, bounded; the oldest goes when addresses run out.
 */
final class DhcpServer {
    static final int SERVER_PORT = 67;
    static final int CLIENT_PORT = 68;

    private static final int FIXED_BYTES = 240;
    private static final int MAX_LEASES = 64;
    private static final int MIN_REPLY_BYTES = 300;
    private static final int MAX_REPLY_BYTES = 576;
    private static final int LEASE_SECONDS = 86_400;
    private static final int COOKIE = 0x6382_5363;

    private static final int BOOT_REQUEST = 1;
    private static final int BOOT_REPLY = 2;

    private static final int DISCOVER = 1;
    private static final int OFFER = 2;
    private static final int REQUEST = 3;
    private static final int DECLINE = 4;
    private static final int ACK = 5;
    private static final int NAK = 6;
    private static final int RELEASE = 7;
    private static final int INFORM = 8;

    private static final int OPTION_PAD = 0;
    private static final int OPTION_MASK = 1;
    private static final int OPTION_ROUTER = 3;
    private static final int OPTION_DNS = 6;
    private static final int OPTION_HOST_NAME = 12;
    private static final int OPTION_MTU = 26;
    private static final int OPTION_REQUESTED = 50;
    private static final int OPTION_LEASE_TIME = 51;
    private static final int OPTION_MESSAGE_TYPE = 53;
    private static final int OPTION_SERVER = 54;
    private static final int OPTION_TFTP_SERVER = 66;
    private static final int OPTION_BOOT_FILE = 67;
    private static final int OPTION_END = 255;

    private static final int DEFAULT_MTU = 1500;

    private final UserNetworkConfig config;
    private final Link link;

    /** Least recently used first. */
    private final Map<MacAddress, IpAddress> leases = new LinkedHashMap<>(16, 0.75f, true);

    DhcpServer(UserNetworkConfig config, Link link) {
        this.config = config;
        this.link = link;
    }

    /** A datagram for the server's port. */
    void input(byte[] datagram) {
        boolean shaped =
                datagram.length >= FIXED_BYTES
                        && datagram[0] == BOOT_REQUEST
                        && datagram[1] == 1
                        && datagram[2] == MacAddress.BYTES
                        && Bytes.getInt(datagram, 236) == COOKIE;
        if (!shaped) {
            return;
        }
        Map<Integer, byte[]> options = options(datagram);
        byte[] type = options.get(OPTION_MESSAGE_TYPE);
        if (type == null || type.length != 1) {
            return;
        }
        MacAddress client = MacAddress.read(datagram, 28);
        IpAddress requested = address(options.get(OPTION_REQUESTED));
        IpAddress server = address(options.get(OPTION_SERVER));
        IpAddress current = IpAddress.readV4(datagram, 12);
        switch (type[0]) {
            case DISCOVER -> {
                IpAddress offer = lease(client, requested);
                if (offer != null) {
                    reply(datagram, client, OFFER, offer);
                }
            }
            case REQUEST -> {
                if (server != null && !server.equals(config.host4())) {
                    // It took another server's offer.
                    leases.remove(client);
                    return;
                }
                IpAddress wanted = requested != null ? requested : current;
                IpAddress given = lease(client, wanted);
                boolean same = given != null && given.equals(wanted);
                reply(datagram, client, same ? ACK : NAK, same ? wanted : IpAddress.v4(0));
            }
            case INFORM -> {
                if (current.isIn(config.network4(), config.prefix4())) {
                    reply(datagram, client, ACK, IpAddress.v4(0));
                }
            }
            case DECLINE, RELEASE -> leases.remove(client);
            default -> {}
        }
    }

    private static @Nullable IpAddress address(byte @Nullable [] option) {
        return option != null && option.length == 4 ? IpAddress.readV4(option, 0) : null;
    }

    private static Map<Integer, byte[]> options(byte[] datagram) {
        Map<Integer, byte[]> found = new HashMap<>();
        int at = FIXED_BYTES;
        while (at < datagram.length) {
            int code = Bytes.getByte(datagram, at++);
            if (code == OPTION_END) {
                break;
            }
            if (code == OPTION_PAD) {
                continue;
            }
            if (at >= datagram.length || at + 1 + Bytes.getByte(datagram, at) > datagram.length) {
                break;
            }
            int length = Bytes.getByte(datagram, at++);
            found.putIfAbsent(code, java.util.Arrays.copyOfRange(datagram, at, at + length));
            at += length;
        }
        return found;
    }

    /** The client's address, which is the wanted one if it can be. */
    private @Nullable IpAddress lease(MacAddress client, @Nullable IpAddress wanted) {
        IpAddress had = leases.get(client);
        if (wanted != null && !wanted.equals(had) && isFree(wanted)) {
            leases.put(client, wanted);
            return wanted;
        }
        if (had != null) {
            return had;
        }
        if (leases.size() >= MAX_LEASES) {
            leases.remove(leases.keySet().iterator().next());
        }
        int mask = -1 << (32 - config.prefix4());
        int hosts = ~mask;
        int first = config.guest4().v4Bits() & hosts;
        for (int i = 0; i <= Math.min(hosts, 2 * MAX_LEASES); i++) {
            int number = (first + i) % (hosts + 1);
            IpAddress free = IpAddress.v4(config.guest4().v4Bits() & mask | number);
            if (isFree(free)) {
                leases.put(client, free);
                return free;
            }
        }
        return null;
    }

    private boolean isFree(IpAddress address) {
        int mask = -1 << (32 - config.prefix4());
        int number = address.v4Bits() & ~mask;
        return address.isIn(config.network4(), config.prefix4())
                && number != 0
                && number != ~mask
                && !address.equals(config.host4())
                && !address.equals(config.dns4())
                && config.guestForwards().stream().noneMatch(f -> f.address().equals(address))
                && !leases.containsValue(address);
    }

    private void reply(byte[] request, MacAddress client, int type, IpAddress given) {
        byte[] bytes = new byte[8 + MAX_REPLY_BYTES];
        int base = 8;
        bytes[base] = BOOT_REPLY;
        bytes[base + 1] = 1;
        bytes[base + 2] = MacAddress.BYTES;
        // Transaction, flags, and both of the client's addresses as it sent them.
        System.arraycopy(request, 4, bytes, base + 4, 4);
        System.arraycopy(request, 10, bytes, base + 10, 6);
        given.write(bytes, base + 16);
        if (type != NAK) {
            config.host4().write(bytes, base + 20);
        }
        System.arraycopy(request, 24, bytes, base + 24, 4 + 16);
        byte[] bootFile = config.bootFile().getBytes(StandardCharsets.UTF_8);
        if (type != NAK) {
            System.arraycopy(bootFile, 0, bytes, base + 108, Math.min(bootFile.length, 127));
        }
        Bytes.putInt(bytes, base + 236, COOKIE);
        int at = base + FIXED_BYTES;
        at = option(bytes, at, OPTION_MESSAGE_TYPE, new byte[] {(byte) type});
        at = option(bytes, at, OPTION_SERVER, bytes(config.host4()));
        if (type != NAK) {
            at = settings(bytes, at, given, bootFile);
        }
        bytes[at++] = (byte) OPTION_END;
        int size = Math.max(at, base + MIN_REPLY_BYTES);
        IpAddress broadcast = IpAddress.v4(-1);
        // A client without an address hears nothing else (RFC 2131 §4.1); one with one does, too.
        link.learn(given, client);
        link.sendUdp(config.host4(), SERVER_PORT, broadcast, CLIENT_PORT, bytes, size);
    }

    private int settings(byte[] to, int from, IpAddress given, byte[] bootFile) {
        byte[] mask = new byte[4];
        Bytes.putInt(mask, 0, -1 << (32 - config.prefix4()));
        int at = option(to, from, OPTION_MASK, mask);
        // In a restricted network the router still answers, and leads nowhere.
        at = option(to, at, OPTION_ROUTER, bytes(config.host4()));
        at = option(to, at, OPTION_DNS, bytes(config.dns4()));
        if (!given.isAny()) {
            byte[] seconds = new byte[4];
            Bytes.putInt(seconds, 0, LEASE_SECONDS);
            at = option(to, at, OPTION_LEASE_TIME, seconds);
        }
        if (config.mtuBytes() != DEFAULT_MTU) {
            byte[] mtu = new byte[2];
            Bytes.putShort(mtu, 0, config.mtuBytes());
            at = option(to, at, OPTION_MTU, mtu);
        }
        if (!config.hostName().isEmpty()) {
            byte[] name = config.hostName().getBytes(StandardCharsets.UTF_8);
            at =
                    option(
                            to,
                            at,
                            OPTION_HOST_NAME,
                            java.util.Arrays.copyOf(name, Math.min(name.length, 63)));
        }
        if (bootFile.length > 0) {
            byte[] server = config.host4().toString().getBytes(StandardCharsets.US_ASCII);
            at = option(to, at, OPTION_TFTP_SERVER, server);
            at = option(to, at, OPTION_BOOT_FILE, bootFile);
        }
        return at;
    }

    private static byte[] bytes(IpAddress address) {
        byte[] bytes = new byte[4];
        address.write(bytes, 0);
        return bytes;
    }

    private static int option(byte[] to, int at, int code, byte[] value) {
        to[at] = (byte) code;
        to[at + 1] = (byte) value.length;
        System.arraycopy(value, 0, to, at + 2, value.length);
        return at + 2 + value.length;
    }

    void clear() {
        leases.clear();
    }
}
