package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.SelectorLoop;
import dev.javisor.net.user.UserNetwork;
import dev.javisor.virtio.IoLoop;
import dev.javisor.virtio.net.NetDevice;
import dev.javisor.virtio.net.SelectorIoLoop;
import java.security.SecureRandom;

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
        MacAddress mac = spec.mac().orElseGet(() -> new MacAddress(FIRST_MAC + index));
        if (mac.isGroup()) {
            throw new VmException("MAC address %s is one of a group: give another".formatted(mac));
        }
        if (spec.queuePairs() < 1 || spec.queuePairs() > NetDevice.MAX_QUEUE_PAIRS) {
            throw new VmException(
                    "%d network queues: 1 to %d are possible"
                            .formatted(spec.queuePairs(), NetDevice.MAX_QUEUE_PAIRS));
        }
        return switch (spec) {
            case NetSpec.User user -> {
                SelectorLoop loop = new SelectorLoop(machine + " net " + index);
                try {
                    NetBackend backend =
                            UserNetwork.open(user.config(), time, loop, new SecureRandom());
                    yield new Network(backend, new SelectorIoLoop(loop), mac, user.queuePairs());
                } catch (RuntimeException e) {
                    loop.close();
                    throw e;
                }
            }
        };
    }

    @Override
    public void close() {
        loop.close();
        backend.close();
    }
}
