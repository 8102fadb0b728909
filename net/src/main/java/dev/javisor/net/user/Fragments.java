package dev.javisor.net.user;

import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Puts fragmented packets together (RFC 791 §3.2, RFC 8200 §4.5). Bounded in packets, bytes and
 * time; fragments that overlap cost the whole packet (RFC 5722).
 */
final class Fragments {
    private static final int MAX_PACKETS = 16;
    private static final int MAX_BYTES = 65_535;
    private static final long LIFE_NANOS = 10_000_000_000L;

    private record Key(IpAddress source, IpAddress destination, int id, int protocol) {}

    private static final class Whole {
        private final long untilNanos;

        /** Units of eight bytes that are there. */
        private final BitSet units = new BitSet();

        private byte[] bytes = new byte[0];

        /** Of the whole; -1 until the last fragment came. */
        private int size = -1;

        private boolean broken;

        Whole(long untilNanos) {
            this.untilNanos = untilNanos;
        }
    }

    private final Map<Key, Whole> packets =
            new LinkedHashMap<>() {
                private static final long serialVersionUID = 1;

                @Override
                protected boolean removeEldestEntry(Map.Entry<Key, Whole> eldest) {
                    return size() > MAX_PACKETS;
                }
            };

    /**
     * Takes a fragment.
     *
     * @return what follows the IP header, as a frame, once all is there
     */
    @Nullable ArrayFrame add(Packet packet, long nowNanos) {
        packets.values().removeIf(whole -> whole.untilNanos - nowNanos < 0);
        Key key = new Key(packet.source, packet.destination, packet.fragmentId, packet.protocol);
        Whole whole = packets.computeIfAbsent(key, k -> new Whole(nowNanos + LIFE_NANOS));
        int from = packet.fragmentOffset;
        int n = packet.payloadBytes;
        boolean misshapen =
                n == 0
                        || from + n > MAX_BYTES
                        || packet.moreFragments && (n & 7) != 0
                        || whole.size >= 0 && from + n > whole.size
                        || !packet.moreFragments && whole.bytes.length > from + n
                        || !packet.moreFragments && whole.size >= 0;
        int firstUnit = from >>> 3;
        int endUnit = from + n + 7 >>> 3;
        int taken = whole.units.nextSetBit(firstUnit);
        if (whole.broken || misshapen || taken >= 0 && taken < endUnit) {
            // Kept until its time is up, so that its other fragments do not start anew.
            whole.broken = true;
            whole.bytes = new byte[0];
            return null;
        }
        if (whole.bytes.length < from + n) {
            whole.bytes = java.util.Arrays.copyOf(whole.bytes, from + n);
        }
        if (packet.frame.copy(packet.payloadAt, whole.bytes, from, n) < n) {
            whole.broken = true;
            return null;
        }
        whole.units.set(firstUnit, endUnit);
        if (!packet.moreFragments) {
            whole.size = from + n;
        }
        if (whole.size < 0 || whole.units.nextClearBit(0) < whole.size + 7 >>> 3) {
            return null;
        }
        packets.remove(key);
        return new ArrayFrame(whole.bytes, FrameOffload.NONE);
    }

    void clear() {
        packets.clear();
    }
}
