package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;

import dev.javisor.net.MacAddress;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import dev.javisor.virtio.VirtioContext;
import dev.javisor.virtio.Virtqueue;
import java.util.HashSet;
import java.util.Set;

/** The driver's commands (VIRTIO 1.2 §5.1.6.5). On the I/O thread. */
final class ControlQueue {
    /** Class and command. */
    private static final int COMMAND_BYTES = 2;

    /** No command carries more than this; what is longer is refused unread. */
    private static final int MAX_DATA_BYTES = 64 << 10;

    /** What a command changes. */
    interface Target {
        NetFilter filter();

        /** False if there are not that many. */
        boolean setQueuePairs(int pairs);

        void announced();

        /** False if an offload was not agreed on. */
        boolean setGuestOffloads(long features);
    }

    private final DescriptorChain chain = new DescriptorChain();
    private final byte[] command = new byte[COMMAND_BYTES];
    private final Target target;

    ControlQueue(Target target) {
        this.target = target;
    }

    /** Does what waits in the queue. */
    void process(VirtioContext context, Virtqueue queue, long features) {
        do {
            queue.disableNotifications();
            Virtqueue.Poll poll;
            while ((poll = queue.poll(chain)) == Virtqueue.Poll.CHAIN) {
                if (chain.readableBytes() < COMMAND_BYTES || chain.writableBytes() < 1) {
                    context.guestFault("net: control command without its header or status");
                    return;
                }
                boolean done = perform(features);
                // The status is the last byte that the driver gave room for.
                chain.writeByte(0, done ? OK : ERR);
                queue.push(chain, 1);
            }
            queue.notifyDriver();
            if (poll == Virtqueue.Poll.FAULT) {
                context.guestFault("net: control: " + queue.fault());
                return;
            }
        } while (queue.enableNotifications());
    }

    private boolean perform(long features) {
        chain.read(0, command, 0, COMMAND_BYTES);
        long size = chain.readableBytes() - COMMAND_BYTES;
        if (size > MAX_DATA_BYTES) {
            return false;
        }
        byte[] data = new byte[(int) size];
        chain.read(COMMAND_BYTES, data, 0, data.length);
        int code = command[1] & 0xFF;
        return switch (command[0]) {
            case CTRL_RX -> (features & F_CTRL_RX) != 0 && mode(code, data, features);
            case CTRL_MAC -> mac(code, data, features);
            case CTRL_VLAN -> (features & F_CTRL_VLAN) != 0 && vlan(code, data);
            case CTRL_ANNOUNCE -> {
                boolean legal = (features & F_GUEST_ANNOUNCE) != 0 && code == ANNOUNCE_ACK;
                if (legal) {
                    target.announced();
                }
                yield legal;
            }
            case CTRL_MQ ->
                    (features & F_MQ) != 0
                            && code == MQ_PAIRS_SET
                            && data.length >= 2
                            && target.setQueuePairs(VirtioConfig.read(data, 0, 2));
            case CTRL_GUEST_OFFLOADS ->
                    (features & F_CTRL_GUEST_OFFLOADS) != 0
                            && code == GUEST_OFFLOADS_SET
                            && data.length >= 8
                            && target.setGuestOffloads(VirtioConfig.readLong(data, 0));
            default -> false;
        };
    }

    private boolean mode(int code, byte[] data, long features) {
        boolean extra = code > RX_ALLMULTI;
        if (code > RX_NOBCAST || data.length < 1 || extra && (features & F_CTRL_RX_EXTRA) == 0) {
            return false;
        }
        target.filter().setMode(code, data[0] != 0);
        return true;
    }

    private boolean mac(int code, byte[] data, long features) {
        switch (code) {
            case MAC_ADDR_SET -> {
                if ((features & F_CTRL_MAC_ADDR) == 0 || data.length < MacAddress.BYTES) {
                    return false;
                }
                MacAddress mac = MacAddress.read(data, 0);
                if (mac.isGroup()) {
                    return false;
                }
                target.filter().setOwn(mac);
                return true;
            }
            case MAC_TABLE_SET -> {
                return (features & F_CTRL_RX) != 0 && macTable(data);
            }
            default -> {
                return false;
            }
        }
    }

    /** Two tables, each with its number of entries before it (§5.1.6.5.2). */
    private boolean macTable(byte[] data) {
        Set<MacAddress> macs = new HashSet<>();
        int at = 0;
        int table = 0;
        boolean[] overflow = new boolean[2];
        while (table < 2) {
            if (at + 4 > data.length) {
                return false;
            }
            long entries = VirtioConfig.read(data, at, 4) & 0xFFFF_FFFFL;
            at += 4;
            if (entries * MacAddress.BYTES > data.length - at) {
                return false;
            }
            for (int i = 0; i < entries; i++) {
                if (macs.size() == NetFilter.MAX_MACS) {
                    overflow[table] = true;
                    break;
                }
                macs.add(MacAddress.read(data, at + i * MacAddress.BYTES));
            }
            at += (int) entries * MacAddress.BYTES;
            table++;
        }
        target.filter().setMacs(macs);
        // Too many to keep: all of the kind, which is more than was asked for, never less.
        target.filter().setOverflow(overflow[0], overflow[1]);
        return true;
    }

    private boolean vlan(int code, byte[] data) {
        if (data.length < 2 || code != VLAN_ADD && code != VLAN_DEL) {
            return false;
        }
        int id = VirtioConfig.read(data, 0, 2);
        if (id >= NetFilter.VLANS) {
            return false;
        }
        target.filter().setVlan(id, code == VLAN_ADD);
        return true;
    }
}
