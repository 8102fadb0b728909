package dev.javisor.net.lan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.ArrayFrame;
import dev.javisor.net.Bytes;
import dev.javisor.net.Checksum;
import dev.javisor.net.CollectingSink;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetOffloads;
import dev.javisor.net.Packets;
import org.junit.jupiter.api.Test;

class SwitchTest {
    private static final MacAddress A = MacAddress.parse("52:54:00:00:00:01");
    private static final MacAddress B = MacAddress.parse("52:54:00:00:00:02");
    private static final MacAddress C = MacAddress.parse("52:54:00:00:00:03");

    private final Switch lan = new Switch(1500);
    private final Switch.Port a = port(A, NetOffloads.ALL);
    private final Switch.Port b = port(B, NetOffloads.ALL);
    private final Switch.Port c = port(C, NetOffloads.NONE);

    private Switch.Port port(MacAddress mac, NetOffloads takes) {
        Switch.Port port = lan.plug();
        port.connect(() -> {});
        port.start(mac, takes);
        return port;
    }

    private static ArrayFrame frame(MacAddress to, MacAddress from) {
        return ArrayFrame.of(Packets.ethernet(to, from, Packets.IPV4, new byte[46]));
    }

    private static CollectingSink arrivals(Switch.Port port) {
        CollectingSink sink = new CollectingSink(1_000_000);
        port.receive(sink);
        return sink;
    }

    @Test
    void unknownAndBroadcast_goToAllOthers() {
        a.send(frame(B, A));
        a.send(frame(MacAddress.BROADCAST, A));
        assertThat(arrivals(a).frames).isEmpty();
        assertThat(arrivals(b).frames).hasSize(2);
        assertThat(arrivals(c).frames).hasSize(2);
    }

    @Test
    void knownAddress_goesToItsPortOnly_alsoAfterItMoved() {
        b.send(frame(A, B));
        arrivals(c);
        a.send(frame(B, A));
        assertThat(arrivals(c).frames).isEmpty();
        assertThat(arrivals(b).frames).hasSize(1);
        c.send(frame(A, B));
        a.send(frame(B, A));
        assertThat(arrivals(b).frames).isEmpty();
        assertThat(arrivals(c).frames).hasSize(1);
    }

    @Test
    void own_address_isNotSentBack() {
        a.send(frame(B, A));
        a.send(frame(A, B));
        a.send(frame(A, A));
        assertThat(arrivals(a).frames).isEmpty();
    }

    @Test
    void manyAddresses_ofOnePort_crowdNobodyOut() {
        b.send(frame(A, B));
        for (int i = 0; i < 100_000; i++) {
            a.send(frame(MacAddress.BROADCAST, new MacAddress(0x0200_0000_0000L + i)));
        }
        assertThat(lan.portOf(B)).isSameAs(b);
        arrivals(c);
        a.send(frame(B, A));
        assertThat(arrivals(c).frames).isEmpty();
    }

    @Test
    void portThatDoesNotReceive_losesFrames_andSlowsNobody() {
        for (int i = 0; i < 100_000; i++) {
            assertThat(a.send(frame(MacAddress.BROADCAST, A))).isTrue();
            if (i % 500 == 0) {
                arrivals(b);
            }
        }
        assertThat(c.dropped()).isGreaterThan(50_000);
        assertThat(b.dropped()).isZero();
        CollectingSink sink = new CollectingSink(1_000_000);
        c.receive(sink);
        assertThat(sink.frames.size() + c.dropped()).isEqualTo(100_000);
    }

    @Test
    void largeSegment_passesWholeToWhoTakesIt_andIsCutForWhoDoesNot() {
        byte[] data = new byte[5000];
        byte[] bytes = SegmenterTest.frame(true, data);
        MacAddress.BROADCAST.write(bytes, 0);
        FrameOffload offload = SegmenterTest.offload(true, 1460);
        a.send(new ArrayFrame(bytes, offload));
        CollectingSink whole = arrivals(b);
        assertThat(whole.frames).containsExactly(bytes);
        assertThat(whole.offloads).containsExactly(offload);
        CollectingSink cut = new CollectingSink(3);
        c.receive(cut);
        assertThat(cut.frames).hasSize(3);
        cut.free = 5;
        c.receive(cut);
        assertThat(cut.frames).hasSize(4);
        assertThat(cut.offloads).containsOnly(FrameOffload.NONE);
        assertThat(cut.frames.stream().mapToInt(f -> f.length - 66).sum()).isEqualTo(5000);
    }

    @Test
    void openChecksum_forWhoTakesNone_isFilledInOnce() {
        byte[] udp = Packets.join(Packets.udp(1000, 2000), new byte[] {1, 2, 3, 4});
        Bytes.putShort(udp, 4, udp.length);
        Checksum pseudo = new Checksum();
        IpAddress from = IpAddress.parse("10.0.0.1");
        IpAddress to = IpAddress.parse("10.0.0.3");
        pseudo.addPseudoHeader(from, to, 17, udp.length);
        Bytes.putShort(udp, 6, pseudo.sum());
        byte[] bytes =
                Packets.ethernet(C, A, Packets.IPV4, Packets.ipv4("10.0.0.1", "10.0.0.3", 17, udp));
        a.send(
                new ArrayFrame(
                        bytes,
                        new FrameOffload(
                                true, false, FrameOffload.Segmentation.NONE, 0, 0, 34, 6)));
        // No room at first: it must not be filled in twice.
        CollectingSink sink = new CollectingSink(0);
        c.receive(sink);
        sink.free = 1;
        c.receive(sink);
        byte[] got = sink.frames.getFirst();
        Checksum sum = new Checksum();
        sum.addPseudoHeader(from, to, 17, udp.length);
        sum.add(got, 34, udp.length);
        assertThat(sum.sum()).isEqualTo(0xFFFF);
        assertThat(sink.offloads).containsExactly(FrameOffload.NONE);
    }

    @Test
    void closedPort_isGone() {
        b.send(frame(A, B));
        b.close();
        arrivals(c);
        a.send(frame(B, A));
        assertThat(arrivals(b).frames).isEmpty();
        assertThat(arrivals(c).frames).hasSize(1);
    }
}
