package dev.javisor.net.tap;

import dev.javisor.linux.Errno;
import dev.javisor.linux.LinuxException;
import dev.javisor.linux.OwnedFd;
import dev.javisor.linux.SystemCalls;
import dev.javisor.net.NetException;
import dev.javisor.net.NetOffloads;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * A tap interface of the host (Documentation/networking/tuntap.rst), each frame behind a {@code
 * struct virtio_net_hdr}. The interface goes with this object unless the administrator made it to
 * stay ({@code ip tuntap add}).
 */
final class TapInterface implements AutoCloseable {
    private static final String DEVICE = "/dev/net/tun";

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.nativeOrder());
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.nativeOrder());

    private final SystemCalls system;
    private final OwnedFd fd;
    private final String name;
    private int mtuBytes;

    private TapInterface(SystemCalls system, OwnedFd fd, String name) {
        this.system = system;
        this.fd = fd;
        this.name = name;
    }

    /**
     * Attaches to the interface, which is made if it does not exist, sets it up, and makes it a
     * port of {@code bridge}.
     *
     * @param name may end in {@code %d}: the first number that is free
     * @throws NetException with what to do about it
     */
    static TapInterface open(SystemCalls system, String name, Optional<String> bridge) {
        OwnedFd fd;
        try {
            fd = OwnedFd.open(system, DEVICE, SystemCalls.O_RDWR | SystemCalls.O_NONBLOCK);
        } catch (LinuxException e) {
            throw new NetException(
                    "tap network: %s: %s".formatted(e.getMessage(), adviceOnDevice(e.errno())), e);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = request(arena, name);
            int flags = TapLayout.IFF_TAP | TapLayout.IFF_NO_PI | TapLayout.IFF_VNET_HDR;
            request.set(SHORT, TapLayout.IFREQ_VALUE, (short) flags);
            check(name, system.ioctl(fd.number(), TapLayout.TUNSETIFF, request));
            String made = request.getString(0, StandardCharsets.US_ASCII);
            MemorySegment size = arena.allocate(INT);
            size.set(INT, 0, TapLayout.HEADER_BYTES);
            LinuxException.check(
                    "TUNSETVNETHDRSZ", system.ioctl(fd.number(), TapLayout.TUNSETVNETHDRSZ, size));
            TapInterface tap = new TapInterface(system, fd, made);
            tap.setUp(arena, bridge);
            return tap;
        } catch (LinuxException e) {
            fd.close();
            throw new NetException("tap network " + name + ": " + e.getMessage(), e);
        } catch (RuntimeException | Error e) {
            fd.close();
            throw e;
        }
    }

    private static String adviceOnDevice(int errno) {
        return switch (errno) {
            case Errno.ENOENT, Errno.ENODEV, Errno.ENXIO -> "load the module tun (modprobe tun)";
            case Errno.EACCES, Errno.EPERM ->
                    "start as root, or let an administrator give access to the device";
            default -> "see the host's kernel log";
        };
    }

    private static void check(String name, int result) {
        if (result == -Errno.EPERM) {
            throw new NetException(
                    ("tap network: no permission to use interface %s: start as root, or let an"
                                    + " administrator make one for you: ip tuntap add %s mode tap user"
                                    + " $USER vnet_hdr")
                            .formatted(name, name.replace("%d", "0")));
        }
        if (result == -Errno.EBUSY) {
            throw new NetException("tap network: interface %s is in use".formatted(name));
        }
        if (result == -Errno.EINVAL) {
            throw new NetException(
                    ("tap network: interface %s is no tap interface with one queue: name another,"
                                    + " or make it with: ip tuntap add %s mode tap vnet_hdr")
                            .formatted(name, name.replace("%d", "0")));
        }
        LinuxException.check("TUNSETIFF", result);
    }

    private static MemorySegment request(Arena arena, String name) {
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        if (bytes.length >= TapLayout.IFNAMSIZ) {
            throw new NetException("'%s' is no name of an interface".formatted(name));
        }
        MemorySegment request = arena.allocate(TapLayout.IFREQ_BYTES, 8);
        MemorySegment.copy(bytes, 0, request, ValueLayout.JAVA_BYTE, 0, bytes.length);
        return request;
    }

    /** Network requests go through a socket, of any kind. */
    private void setUp(Arena arena, Optional<String> bridge) {
        try (OwnedFd socket =
                OwnedFd.take(
                        system,
                        "socket",
                        system.socket(
                                SystemCalls.AF_INET,
                                SystemCalls.SOCK_DGRAM | SystemCalls.SOCK_CLOEXEC,
                                0))) {
            mtuBytes = ask(arena, socket, TapLayout.SIOCGIFMTU);
            if (bridge.isPresent()) {
                join(arena, socket, bridge.get());
            }
            MemorySegment request = request(arena, name);
            LinuxException.check(
                    "SIOCGIFFLAGS", system.ioctl(socket.number(), TapLayout.SIOCGIFFLAGS, request));
            short flags = request.get(SHORT, TapLayout.IFREQ_VALUE);
            if ((flags & TapLayout.IFF_UP) == 0) {
                request.set(SHORT, TapLayout.IFREQ_VALUE, (short) (flags | TapLayout.IFF_UP));
                int result = system.ioctl(socket.number(), TapLayout.SIOCSIFFLAGS, request);
                if (result == -Errno.EPERM) {
                    throw new NetException(
                            "tap network: interface %s is down: let an administrator set it up: ip link set %s up"
                                    .formatted(name, name));
                }
                LinuxException.check("SIOCSIFFLAGS", result);
            }
        }
    }

    /** A number that the kernel keeps for the interface. */
    private int ask(Arena arena, OwnedFd socket, long what) {
        MemorySegment request = request(arena, name);
        LinuxException.check(
                "ioctl %#x".formatted(what), system.ioctl(socket.number(), what, request));
        return request.get(INT, TapLayout.IFREQ_VALUE);
    }

    private void join(Arena arena, OwnedFd socket, String bridge) {
        MemorySegment request = request(arena, bridge);
        request.set(INT, TapLayout.IFREQ_VALUE, ask(arena, socket, TapLayout.SIOCGIFINDEX));
        int result = system.ioctl(socket.number(), TapLayout.SIOCBRADDIF, request);
        switch (result) {
            case -Errno.EBUSY -> {
                // It is a port of this bridge already, or of another one, which the person chose.
            }
            case -Errno.ENODEV, -Errno.EOPNOTSUPP ->
                    throw new NetException(
                            "tap network: there is no bridge %s: ip link add %s type bridge; ip link set %s up"
                                    .formatted(bridge, bridge, bridge));
            case -Errno.EPERM ->
                    throw new NetException(
                            ("tap network: no permission to add ports to bridge %s: start as root, or let"
                                            + " an administrator do it: ip link set %s master %s")
                                    .formatted(bridge, name, bridge));
            default -> LinuxException.check("SIOCBRADDIF", result);
        }
    }

    String name() {
        return name;
    }

    int descriptor() {
        return fd.number();
    }

    int mtuBytes() {
        return mtuBytes;
    }

    /** What frames from here may leave to the guest. */
    void deliver(NetOffloads guest) {
        int flags = 0;
        if (guest.checksum()) {
            flags |= TapLayout.TUN_F_CSUM;
            flags |= guest.tcp4() ? TapLayout.TUN_F_TSO4 : 0;
            flags |= guest.tcp6() ? TapLayout.TUN_F_TSO6 : 0;
        }
        LinuxException.check(
                "TUNSETOFFLOAD", system.ioctl(fd.number(), TapLayout.TUNSETOFFLOAD, (long) flags));
    }

    /** Bytes of header and frame, or a negated error number. */
    long read(MemorySegment into) {
        return system.read(fd.number(), into);
    }

    /** As {@link #read}, the other way. */
    long write(MemorySegment from) {
        return system.write(fd.number(), from);
    }

    @Override
    public void close() {
        fd.close();
    }
}
