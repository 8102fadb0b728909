package dev.javisor.net.user;

import dev.javisor.net.IpAddress;

/** What tells the flows of one protocol apart. */
record FlowKey(IpAddress guest, int guestPort, IpAddress remote, int remotePort) {
    @Override
    public int hashCode() {
        long mixed =
                (guest.low() * 31 + remote.low()) * 0x9E37_79B9_7F4A_7C15L
                        + (guest.high() ^ remote.high())
                        + ((long) guestPort << 16 | remotePort);
        mixed *= 0xC2B2_AE3D_27D4_EB4FL;
        return (int) (mixed >>> 32);
    }
}
