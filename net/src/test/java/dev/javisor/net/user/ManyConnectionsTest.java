package dev.javisor.net.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.IpAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Ten thousand connections at once, and how much memory they can hold. */
class ManyConnectionsTest {
    private static final IpAddress GUEST = IpAddress.parse("10.0.2.15");
    private static final IpAddress FAR = IpAddress.parse("203.0.113.9");
    private static final int COUNT = 10_000;

    @Test
    void connections_tenThousandAtOnce_allTransfer() {
        Bed bed = Bed.standard();
        Map<Integer, GuestTcp> guests = new HashMap<>();
        bed.guest =
                (frame, offload) -> {
                    if (Wire.type(frame) == 0x0800 && Wire.protocol(frame) == 6) {
                        Wire.Segment segment = Wire.segment(frame, offload);
                        GuestTcp to = guests.get(segment.toPort());
                        if (to != null) {
                            to.input(segment, bed.time.nanos());
                        }
                    }
                };
        List<byte[]> sent = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            byte[] upload = ("from guest " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8);
            GuestTcp guest = new GuestTcp(GUEST, 10_000 + i, FAR, 80, i, 1460, upload, sent::add);
            guest.stayOpen = true;
            guests.put(10_000 + i, guest);
            guest.output(0);
            deliver(bed, sent);
            // A handshake at a time: no more may be half open at once than are allowed.
            FakeOutside.Peer peer = bed.outside.peers.getLast();
            peer.send(("from host " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8));
            deliver(bed, sent);
        }
        deliver(bed, sent);
        assertThat(bed.network.connections()).isEqualTo(COUNT);
        for (int i = 0; i < COUNT; i++) {
            GuestTcp guest = Objects.requireNonNull(guests.get(10_000 + i), "a guest's end");
            assertThat(guest.received.toString(java.nio.charset.StandardCharsets.UTF_8))
                    .isEqualTo("from host " + i);
            assertThat(
                            bed.outside
                                    .peers
                                    .get(i)
                                    .received
                                    .toString(java.nio.charset.StandardCharsets.UTF_8))
                    .isEqualTo("from guest " + i);
        }
        assertThat(bed.network.tcp().pool().used()).isZero();
        bed.close();
        assertThat(bed.outside.openSockets).isZero();
    }

    private static void deliver(Bed bed, List<byte[]> sent) {
        do {
            List<byte[]> now = List.copyOf(sent);
            sent.clear();
            now.forEach(bed::send);
            if (bed.outside.peers.size() > 100) {
                // Only the latest has anything to do; looking at all each time takes too long.
                bed.runLatest();
            } else {
                bed.run();
            }
        } while (!sent.isEmpty());
    }

    @Test
    void readers_thatNeverRead_holdABoundedSumAndLetOthersThrough() {
        Bed bed = Bed.standard();
        // Guests that open their windows and then acknowledge nothing.
        int count = 2000;
        byte[] much = new byte[200_000];
        for (int i = 0; i < count; i++) {
            RawTcp guest = new RawTcp(bed, 20_000 + i);
            FakeOutside.Peer peer = guest.open();
            peer.send(much);
            bed.runLatest();
            bed.forget();
        }
        ChunkPool pool = bed.network.tcp().pool();
        assertThat(pool.footprintBytes()).isLessThanOrEqualTo(128L << 20);
        assertThat(pool.used()).isPositive();
        // One who reads still gets all.
        RawTcp honest = new RawTcp(bed, 50_000);
        FakeOutside.Peer peer = honest.open();
        peer.send(new byte[500_000]);
        int got = 0;
        for (int i = 0; i < 5000 && got < 500_000; i++) {
            bed.runLatest();
            for (int f = 0; f < bed.frames.size(); f++) {
                Wire.Segment segment = Wire.segment(bed.frames.get(f), bed.offloads.get(f));
                if (segment.toPort() == 50_000) {
                    got += segment.payload().length;
                    honest.acknowledgment += segment.payload().length;
                }
            }
            bed.forget();
            byte[] tcp =
                    Wire.tcp(
                            GUEST,
                            FAR,
                            50_000,
                            80,
                            honest.sequence,
                            honest.acknowledgment,
                            RawTcp.ACK,
                            65_535,
                            new byte[0],
                            new byte[0]);
            bed.send(Wire.ip(GUEST, FAR, 6, tcp));
        }
        assertThat(got).isEqualTo(500_000);
        bed.close();
    }
}
