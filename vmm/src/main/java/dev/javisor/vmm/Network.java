package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.linux.SystemCalls;
import dev.javisor.net.DescriptorLoop;
import dev.javisor.net.EventLoop;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.SelectorLoop;
import dev.javisor.net.filter.Capture;
import dev.javisor.net.filter.RateLimit;
import dev.javisor.net.filter.RateLimit.Rate;
import dev.javisor.net.filter.SpoofFilter;
import dev.javisor.net.lan.StreamBackend;
import dev.javisor.net.tap.TapBackend;
import dev.javisor.net.user.UserNetwork;
import dev.javisor.virtio.IoLoop;
import dev.javisor.virtio.net.EventIoLoop;
import dev.javisor.virtio.net.NetDevice;
import java.security.SecureRandom;
import java.util.function.Function;

/** What one network interface is plugged into, open, and the thread that serves both. */
record Network(NetBackend backend, IoLoop loop, MacAddress mac, int queuePairs)
        implements AutoCloseable {
    /** The range that QEMU gives its guests' interfaces from. */
    private static final long FIRST_MAC = 0x5254_0012_3456L;

    /**
     * @param index of the interface in its machine
     * @throws dev.javisor.base.JavisorException if this host does not allow it
     */
    static Network open(NetSpec spec, String machine, int index, TimeSource time) {
        NicSpec nic = spec.nic();
        MacAddress mac = nic.mac().orElseGet(() -> new MacAddress(FIRST_MAC + index));
        if (mac.isGroup()) {
            throw new VmException("MAC address %s is one of a group: give another".formatted(mac));
        }
        if (nic.queuePairs() < 1 || nic.queuePairs() > NetDevice.MAX_QUEUE_PAIRS) {
            throw new VmException(
                    "%d network queues: 1 to %d are possible"
                            .formatted(nic.queuePairs(), NetDevice.MAX_QUEUE_PAIRS));
        }
        String name = machine + " net " + index;
        return switch (spec) {
            case NetSpec.User user ->
                    open(
                            new SelectorLoop(name),
                            loop -> UserNetwork.open(user.config(), time, loop, new SecureRandom()),
                            nic,
                            mac,
                            time);
            case NetSpec.Stream stream ->
                    open(
                            new SelectorLoop(name),
                            loop -> new StreamBackend(loop, stream.role(), stream.address(), time),
                            nic,
                            mac,
                            time);
            case NetSpec.Switched switched ->
                    open(new SelectorLoop(name), loop -> switched.network().plug(), nic, mac, time);
            case NetSpec.Tap tap ->
                    open(
                            new DescriptorLoop(name, SystemCalls.host()),
                            loop ->
                                    TapBackend.open(
                                            loop, SystemCalls.host(), tap.name(), tap.bridge()),
                            nic,
                            mac,
                            time);
        };
    }

    private static <L extends EventLoop> Network open(
            L loop, Function<L, NetBackend> opener, NicSpec nic, MacAddress mac, TimeSource time) {
        try {
            NetBackend wire = opener.apply(loop);
            try {
                NetBackend backend = withFilters(wire, nic, time);
                return new Network(backend, new EventIoLoop(loop), mac, nic.queuePairs());
            } catch (RuntimeException e) {
                wire.close();
                throw e;
            }
        } catch (RuntimeException e) {
            loop.close();
            throw e;
        }
    }

    /** From the guest on: what is spoofed is not counted, and what is counted is captured. */
    private static NetBackend withFilters(NetBackend wire, NicSpec nic, TimeSource time) {
        NetBackend backend = wire;
        if (nic.capture().isPresent()) {
            backend = Capture.to(nic.capture().get(), backend, time);
        }
        if (!nic.fromGuest().equals(Rate.NONE) || !nic.toGuest().equals(Rate.NONE)) {
            backend = new RateLimit(backend, nic.fromGuest(), nic.toGuest(), time);
        }
        return switch (nic.spoofing()) {
            case NicSpec.Spoofing.Allowed() -> backend;
            case NicSpec.Spoofing.Filtered(var addresses) -> new SpoofFilter(backend, addresses);
        };
    }

    @Override
    public void close() {
        loop.close();
        backend.close();
    }
}
