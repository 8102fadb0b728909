package dev.javisor.virtio.net;

import static dev.javisor.virtio.net.NetLayout.*;

import dev.javisor.net.MacAddress;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;

/** Which frames the driver wants (VIRTIO 1.2 §5.1.6.5.1 to §5.1.6.5.3). On the I/O thread. */
final class NetFilter {
    /** Addresses in the driver's table; with more, all of their kind are taken. */
    static final int MAX_MACS = 64;

    static final int VLANS = 4096;
    private static final int ETHERTYPE_VLAN = 0x8100;

    private MacAddress own;
    private int modes;
    private final Set<MacAddress> macs = new HashSet<>();
    private final BitSet vlans = new BitSet();
    private boolean vlanFiltering;
    private boolean overflowSingle;
    private boolean overflowGroup;

    NetFilter(MacAddress own) {
        this.own = own;
    }

    /**
     * A driver starts.
     *
     * @param mac the address that the device came with
     * @param modesKnown whether the driver can set modes; else it gets what is not for others
     */
    void start(MacAddress mac, boolean modesKnown, boolean newVlanFiltering) {
        own = mac;
        macs.clear();
        vlans.clear();
        vlanFiltering = newVlanFiltering;
        overflowSingle = false;
        overflowGroup = false;
        // Until a driver that can says otherwise, everything (as QEMU has it).
        modes = modesKnown ? 0 : 1 << RX_ALLMULTI;
    }

    MacAddress own() {
        return own;
    }

    void setOwn(MacAddress mac) {
        own = mac;
    }

    void setMode(int mode, boolean on) {
        modes = on ? modes | 1 << mode : modes & ~(1 << mode);
    }

    void setMacs(Set<MacAddress> table) {
        macs.clear();
        macs.addAll(table);
    }

    /** The driver's table had more addresses, for one station or for groups, than are kept. */
    void setOverflow(boolean single, boolean group) {
        overflowSingle = single;
        overflowGroup = group;
    }

    void setVlan(int id, boolean on) {
        vlans.set(id, on);
    }

    private boolean has(int mode) {
        return (modes & 1 << mode) != 0;
    }

    /** Whether a frame that begins so is wanted. */
    boolean accepts(byte[] head, int headBytes) {
        if (headBytes < 14) {
            return false;
        }
        if (vlanFiltering && headBytes >= 16) {
            int type = (head[12] & 0xFF) << 8 | head[13] & 0xFF;
            int id = (head[14] & 0xF) << 8 | head[15] & 0xFF;
            if (type == ETHERTYPE_VLAN && !vlans.get(id)) {
                return false;
            }
        }
        if (has(RX_PROMISC)) {
            return true;
        }
        MacAddress to = MacAddress.read(head, 0);
        if (to.equals(MacAddress.BROADCAST)) {
            return !has(RX_NOBCAST);
        }
        if (to.isGroup()) {
            return !has(RX_NOMULTI) && (has(RX_ALLMULTI) || overflowGroup || macs.contains(to));
        }
        return !has(RX_NOUNI)
                && (has(RX_ALLUNI) || overflowSingle || to.equals(own) || macs.contains(to));
    }

    NetState save(int queuePairs, long guestOffloads) {
        return new NetState(
                own.bits(),
                modes,
                macs.stream().map(MacAddress::bits).toList(),
                overflowSingle,
                overflowGroup,
                vlans.stream().boxed().toList(),
                vlanFiltering,
                queuePairs,
                guestOffloads);
    }

    /**
     * @throws IllegalArgumentException if it can be no filter
     */
    void restore(NetState state) {
        if (state.macs().size() > MAX_MACS
                || state.vlans().stream().anyMatch(id -> id < 0 || id >= VLANS)) {
            throw new IllegalArgumentException("not a filter: " + state);
        }
        own = new MacAddress(state.mac());
        modes = state.modes();
        macs.clear();
        state.macs().forEach(bits -> macs.add(new MacAddress(bits)));
        vlans.clear();
        state.vlans().forEach(vlans::set);
        vlanFiltering = state.vlanFiltering();
        overflowSingle = state.overflowSingle();
        overflowGroup = state.overflowGroup();
    }
}
