package dev.javisor.net.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.Bytes;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetOffloads;
import dev.javisor.net.user.UserNetworkConfig.AllowRule;
import dev.javisor.net.user.UserNetworkConfig.Forward;
import dev.javisor.net.user.UserNetworkConfig.GuestForward;
import dev.javisor.net.user.UserNetworkConfig.Protocol;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What a user-mode network does beside TCP. */
class ServicesTest {
    private static final IpAddress GUEST = IpAddress.parse("10.0.2.15");
    private static final IpAddress HOST = IpAddress.parse("10.0.2.2");
    private static final IpAddress DNS = IpAddress.parse("10.0.2.3");
    private static final IpAddress FAR = IpAddress.parse("203.0.113.9");
    private static final IpAddress NOBODY = IpAddress.parse("0.0.0.0");
    private static final IpAddress ALL = IpAddress.parse("255.255.255.255");
    private static final InetSocketAddress RESOLVER = new InetSocketAddress("127.0.0.1", 5353);

    private static Bed bed(UserNetworkConfig.Builder config) {
        Bed bed = new Bed(config.resolvers(List.of(RESOLVER)).build(), NetOffloads.ALL);
        bed.run();
        bed.forget();
        return bed;
    }

    private static Bed bed() {
        return bed(UserNetworkConfig.builder());
    }

    private static void udp(Bed bed, IpAddress to, int fromPort, int toPort, byte[] payload) {
        bed.send(Wire.ip(GUEST, to, 17, Wire.udp(GUEST, to, fromPort, toPort, payload)));
        bed.run();
    }

    /** The payload of the one datagram that arrived. */
    private static byte[] datagram(Bed bed, IpAddress from, int fromPort, int toPort) {
        assertThat(bed.frames).hasSize(1);
        byte[] frame = bed.frames.getFirst();
        byte[] udp = Wire.upper(frame);
        assertThat(Wire.source(frame)).isEqualTo(from);
        assertThat(Bytes.getShort(udp, 0)).isEqualTo(fromPort);
        assertThat(Bytes.getShort(udp, 2)).isEqualTo(toPort);
        assertThat(Bytes.getShort(udp, 4)).isEqualTo(udp.length);
        assertThat(Wire.checksum(from, Wire.destination(frame), 17, udp)).isZero();
        bed.forget();
        return Arrays.copyOfRange(udp, 8, udp.length);
    }

    @Test
    void arp_ourAddresses_areAnsweredOthersNot() {
        try (Bed bed = bed()) {
            for (IpAddress asked : List.of(HOST, DNS, GUEST, IpAddress.parse("10.0.2.77"))) {
                byte[] arp = new byte[28];
                Bytes.putLong(arp, 0, 0x0001_0800_0604_0001L);
                Wire.GUEST_MAC.write(arp, 8);
                GUEST.write(arp, 14);
                asked.write(arp, 24);
                bed.send(Wire.ethernet(MacAddress.BROADCAST, Wire.GUEST_MAC, 0x0806, arp));
                bed.run();
            }
            assertThat(bed.frames).hasSize(2);
            byte[] answer = bed.frames.getFirst();
            assertThat(MacAddress.read(answer, 0)).isEqualTo(Wire.GUEST_MAC);
            assertThat(MacAddress.read(answer, 14 + 8)).isEqualTo(Wire.ROUTER_MAC);
            assertThat(IpAddress.readV4(answer, 14 + 14)).isEqualTo(HOST);
        }
    }

    @Test
    void echo_ofTheRouter_isAnsweredOfOthersIsRefused() {
        try (Bed bed = bed()) {
            byte[] echo = new byte[64];
            echo[0] = 8;
            Bytes.putInt(echo, 4, 0x1234_0001);
            Bytes.putShort(echo, 2, ~Wire.sum(echo, 0, 64) & 0xFFFF);
            bed.send(Wire.ip(GUEST, HOST, 1, echo));
            bed.run();
            byte[] answer = Wire.upper(bed.frames.getFirst());
            assertThat(answer[0]).isZero();
            assertThat(Bytes.getInt(answer, 4)).isEqualTo(0x1234_0001);
            assertThat(Wire.sum(answer, 0, answer.length)).isEqualTo(0xFFFF);
            bed.forget();
            bed.send(Wire.ip(GUEST, FAR, 1, echo));
            bed.run();
            byte[] refusal = Wire.upper(bed.frames.getFirst());
            assertThat(refusal[0]).isEqualTo((byte) 3);
            assertThat(refusal[1]).isEqualTo((byte) 13);
        }
    }

    private static byte[] dhcp(int type, MacAddress client, byte[] options) {
        byte[] message = new byte[240 + 3 + options.length + 1];
        message[0] = 1;
        message[1] = 1;
        message[2] = 6;
        Bytes.putInt(message, 4, 0xCAFE);
        client.write(message, 28);
        Bytes.putInt(message, 236, 0x6382_5363);
        message[240] = 53;
        message[241] = 1;
        message[242] = (byte) type;
        System.arraycopy(options, 0, message, 243, options.length);
        message[243 + options.length] = (byte) 255;
        return message;
    }

    private static byte[] ask(Bed bed, byte[] message) {
        bed.send(Wire.ip(NOBODY, ALL, 17, Wire.udp(NOBODY, ALL, 68, 67, message)));
        bed.run();
        return datagram(bed, HOST, 67, 68);
    }

    /** The content of a DHCP option. */
    private static byte[] option(byte[] message, int code) {
        int at = 240;
        while (at < message.length && message[at] != (byte) 255) {
            if (message[at] == (byte) code) {
                return Arrays.copyOfRange(message, at + 2, at + 2 + message[at + 1]);
            }
            at += message[at] == 0 ? 1 : 2 + message[at + 1];
        }
        return new byte[0];
    }

    @Test
    void dhcp_discoverAndRequest_giveTheFirstAddress() {
        try (Bed bed = bed(UserNetworkConfig.builder().mtuBytes(1400).hostName("guest"))) {
            byte[] offer = ask(bed, dhcp(1, Wire.GUEST_MAC, new byte[0]));
            assertThat(option(offer, 53)).containsExactly(2);
            assertThat(IpAddress.readV4(offer, 16)).isEqualTo(GUEST);
            byte[] request = {50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2};
            byte[] ack = ask(bed, dhcp(3, Wire.GUEST_MAC, request));
            assertThat(option(ack, 53)).containsExactly(5);
            assertThat(option(ack, 1)).containsExactly(255, 255, 255, 0);
            assertThat(option(ack, 3)).containsExactly(10, 0, 2, 2);
            assertThat(option(ack, 6)).containsExactly(10, 0, 2, 3);
            assertThat(option(ack, 26)).containsExactly(1400 >> 8, 1400 & 0xFF);
            assertThat(new String(option(ack, 12), StandardCharsets.US_ASCII)).isEqualTo("guest");
            assertThat(Bytes.getInt(ack, 4)).isEqualTo(0xCAFE);
        }
    }

    @Test
    void dhcp_otherClientsAndBadWishes_getOthersOrNone() {
        try (Bed bed = bed()) {
            ask(bed, dhcp(1, Wire.GUEST_MAC, new byte[0]));
            byte[] second = ask(bed, dhcp(1, MacAddress.parse("52:54:00:00:00:01"), new byte[0]));
            assertThat(IpAddress.readV4(second, 16)).isEqualTo(IpAddress.parse("10.0.2.16"));
            byte[] taken = {50, 4, 10, 0, 2, 2};
            byte[] nak = ask(bed, dhcp(3, Wire.GUEST_MAC, taken));
            assertThat(option(nak, 53)).containsExactly(6);
            // A thousand clients: leases stay bounded, the latest is served.
            for (int i = 0; i < 1000; i++) {
                bed.forget();
                byte[] offer =
                        ask(bed, dhcp(1, new MacAddress(0x5254_1100_0000L + i), new byte[0]));
                assertThat(option(offer, 53)).containsExactly(2);
            }
        }
    }

    @Test
    void router_isAnnouncedAndAdvertisesAnAddress() {
        try (Bed bed = new Bed(UserNetworkConfig.standard(), NetOffloads.ALL)) {
            bed.run();
            byte[] frame = bed.frames.getFirst();
            byte[] message = Wire.upper(frame);
            assertThat(message[0] & 0xFF).isEqualTo(134);
            assertThat(frame[14 + 7] & 0xFF).as("hop limit").isEqualTo(255);
            assertThat(Wire.checksum(Wire.source(frame), Wire.destination(frame), 58, message))
                    .isZero();
            bed.forget();
            // A solicitation is answered.
            IpAddress guest = IpAddress.parse("fe80::15");
            IpAddress routers = IpAddress.parse("ff02::2");
            byte[] ask = new byte[8];
            ask[0] = (byte) 133;
            Bytes.putShort(ask, 2, Wire.checksum(guest, routers, 58, ask));
            bed.send(Wire.ip(guest, routers, 58, ask));
            bed.run();
            assertThat(Wire.upper(bed.frames.getFirst())[0] & 0xFF).isEqualTo(134);
            bed.forget();
            bed.advance(201_000_000_000L);
            assertThat(bed.frames).hasSize(1);
        }
    }

    @Test
    void udp_toOthersAndBack_keepsPorts() {
        try (Bed bed = bed()) {
            udp(bed, FAR, 5000, 123, "ping".getBytes(StandardCharsets.US_ASCII));
            FakeOutside.Datagrams socket = bed.outside.datagrams.getFirst();
            assertThat(socket.peer).isEqualTo(new InetSocketAddress(FAR.toInetAddress(), 123));
            assertThat(socket.sent.getFirst()).asString().isEqualTo("ping");
            socket.arrive("pong".getBytes(StandardCharsets.US_ASCII), RESOLVER);
            bed.run();
            assertThat(datagram(bed, FAR, 123, 5000)).asString().isEqualTo("pong");
            // Larger than the MTU: in fragments.
            socket.arrive(new byte[4000], RESOLVER);
            bed.run();
            assertThat(bed.frames).hasSize(3);
            bed.forget();
            socket.refusing = true;
            bed.run();
            assertThat(Wire.upper(bed.frames.getFirst())[1])
                    .as("port unreachable")
                    .isEqualTo((byte) 3);
            // Idle flows end.
            bed.advance(100_000_000_000L);
            assertThat(socket.closed).isTrue();
            assertThat(bed.network.udpRelay().count()).isZero();
        }
    }

    @Test
    void udp_inFragments_isPutTogetherAndOverlapsAreNot() {
        try (Bed bed = bed()) {
            byte[] payload = new byte[3000];
            new java.util.Random(3).nextBytes(payload);
            byte[] whole = Wire.udp(GUEST, FAR, 5000, 123, payload);
            List<byte[]> parts = new ArrayList<>();
            for (int from = 0; from < whole.length; from += 1480) {
                int end = Math.min(from + 1480, whole.length);
                int more = end < whole.length ? 0x2000 : 0;
                byte[] part = Arrays.copyOfRange(whole, from, end);
                parts.add(
                        Wire.ethernet(
                                Wire.ROUTER_MAC,
                                Wire.GUEST_MAC,
                                0x0800,
                                Wire.ipv4(GUEST, FAR, 17, from >>> 3 | more, part)));
            }
            bed.send(parts.get(2));
            bed.send(parts.get(0));
            bed.send(parts.get(1));
            bed.run();
            assertThat(bed.outside.datagrams.getFirst().sent.getFirst()).isEqualTo(payload);
            // The same place twice: none of it counts.
            bed.send(parts.get(0));
            bed.send(parts.get(0));
            bed.send(parts.get(1));
            bed.send(parts.get(2));
            bed.run();
            assertThat(bed.outside.datagrams.getFirst().sent).hasSize(1);
        }
    }

    @Test
    void udp_flood_isBounded() {
        try (Bed bed = bed()) {
            for (int i = 1; i < 5000; i++) {
                udp(bed, FAR, i, 123, new byte[] {1});
            }
            assertThat(bed.network.udpRelay().count()).isEqualTo(UdpRelay.MAX_FLOWS);
            assertThat(bed.outside.openSockets).isEqualTo(UdpRelay.MAX_FLOWS);
        }
    }

    private static byte[] query(int id, String name) {
        byte[] message = new byte[12 + name.length() + 2 + 4];
        Bytes.putShort(message, 0, id);
        Bytes.putShort(message, 2, 0x0100);
        Bytes.putShort(message, 4, 1);
        int at = 12;
        for (String label : name.split("\\.")) {
            message[at++] = (byte) label.length();
            for (char c : label.toCharArray()) {
                message[at++] = (byte) c;
            }
        }
        message[at + 2] = 1;
        message[at + 4] = 1;
        return message;
    }

    @Test
    void dns_question_isAskedUnderAnotherNumberAndAnswered() {
        try (Bed bed = bed()) {
            udp(bed, DNS, 5000, 53, query(77, "www.example.org"));
            FakeOutside.Datagrams socket = bed.outside.datagrams.getFirst();
            assertThat(socket.peer).isEqualTo(RESOLVER);
            byte[] asked = socket.sent.getFirst();
            byte[] forged = asked.clone();
            forged[2] |= (byte) 0x80;
            forged[0] ^= 1;
            socket.arrive(forged, RESOLVER);
            bed.run();
            assertThat(bed.frames).as("an answer with another number").isEmpty();
            byte[] answer = Arrays.copyOf(asked, asked.length + 16);
            answer[2] |= (byte) 0x80;
            byte[] other = answer.clone();
            other[14] ^= 1;
            socket.arrive(other, RESOLVER);
            bed.run();
            assertThat(bed.frames).as("an answer to another question").isEmpty();
            socket.arrive(answer, RESOLVER);
            bed.run();
            byte[] got = datagram(bed, DNS, 53, 5000);
            assertThat(Bytes.getShort(got, 0)).isEqualTo(77);
            assertThat(got).hasSize(answer.length);
            assertThat(socket.closed).isTrue();
        }
    }

    @Test
    void dns_nobodyAnswers_failsInTheEnd() {
        try (Bed bed = bed()) {
            udp(bed, DNS, 5000, 53, query(77, "www.example.org"));
            bed.advance(20_000_000_000L);
            byte[] got = datagram(bed, DNS, 53, 5000);
            assertThat(got[3] & 0xF).isEqualTo(2);
            assertThat(bed.outside.openSockets).isZero();
        }
    }

    @Test
    void dns_restricted_isRefusedUnlessAllowed() {
        try (Bed bed = bed(UserNetworkConfig.builder().restrict(true))) {
            udp(bed, DNS, 5000, 53, query(77, "secret.example.org"));
            assertThat(datagram(bed, DNS, 53, 5000)[3] & 0xF).isEqualTo(5);
            assertThat(bed.outside.datagrams).isEmpty();
        }
        try (Bed bed = bed(UserNetworkConfig.builder().restrict(true).allowDns(true))) {
            udp(bed, DNS, 5000, 53, query(77, "www.example.org"));
            assertThat(bed.outside.datagrams).hasSize(1);
        }
    }

    /** Whether a SYN to it leads to a socket, and which. */
    private static List<InetSocketAddress> reached(
            UserNetworkConfig.Builder config, String to, int port) {
        try (Bed bed = bed(config)) {
            IpAddress address = IpAddress.parse(to);
            IpAddress guest = address.isV4() ? GUEST : IpAddress.parse("fec0::15");
            byte[] tcp =
                    Wire.tcp(guest, address, 999, port, 1, 0, 2, 9999, new byte[0], new byte[0]);
            bed.send(Wire.ip(guest, address, 6, tcp));
            bed.run();
            return bed.outside.peers.stream().map(peer -> peer.address).toList();
        }
    }

    @Test
    void routes_byDefault_leadToTheHostAndOthersOnly() {
        var open = UserNetworkConfig.builder();
        assertThat(reached(open, "10.0.2.2", 80))
                .containsExactly(new InetSocketAddress("127.0.0.1", 80));
        assertThat(reached(open, "fec0::2", 80)).containsExactly(new InetSocketAddress("::1", 80));
        assertThat(reached(open, "203.0.113.9", 80)).hasSize(1);
        assertThat(reached(open, "2001:db8::1", 80)).hasSize(1);
        for (String no :
                List.of(
                        "127.0.0.1",
                        "127.9.9.9",
                        "0.0.0.0",
                        "0.0.0.1",
                        "10.0.2.99",
                        "10.0.2.255",
                        "224.0.0.1",
                        "255.255.255.255",
                        "169.254.169.254",
                        "::1",
                        "::",
                        "::7f00:1",
                        "fe80::99",
                        "ff02::1",
                        "fec0::99")) {
            assertThat(reached(open, no, 80)).as(no).isEmpty();
        }
        assertThat(reached(open, "10.0.2.3", 53)).containsExactly(RESOLVER);
        assertThat(reached(open, "10.0.2.3", 80)).isEmpty();
    }

    @Test
    void routes_restricted_leadToWhatIsAllowedOnly() {
        var closed =
                UserNetworkConfig.builder()
                        .restrict(true)
                        .allow(
                                List.of(
                                        new AllowRule(Protocol.TCP, HOST, 32, 8080),
                                        new AllowRule(
                                                Protocol.TCP,
                                                IpAddress.parse("203.0.113.0"),
                                                24,
                                                443)));
        assertThat(reached(closed, "10.0.2.2", 8080)).hasSize(1);
        assertThat(reached(closed, "203.0.113.200", 443)).hasSize(1);
        assertThat(reached(closed, "10.0.2.2", 8081)).isEmpty();
        assertThat(reached(closed, "203.0.114.1", 443)).isEmpty();
        assertThat(reached(closed, "203.0.113.1", 80)).isEmpty();
        assertThat(reached(closed, "2001:db8::1", 443)).isEmpty();
        assertThat(reached(closed, "10.0.2.3", 53)).isEmpty();
    }

    @Test
    void guestForward_leadsOut() {
        InetSocketAddress to = new InetSocketAddress("127.0.0.1", 8080);
        var config =
                UserNetworkConfig.builder()
                        .guestForwards(
                                List.of(new GuestForward(IpAddress.parse("10.0.2.100"), 80, to)));
        assertThat(reached(config, "10.0.2.100", 80)).containsExactly(to);
        assertThat(reached(config, "10.0.2.100", 81)).isEmpty();
    }

    @Test
    void forward_tcp_connectsToTheGuestAndCarriesBothWays() {
        InetSocketAddress at = new InetSocketAddress("127.0.0.1", 2222);
        Forward forward = new Forward(Protocol.TCP, at, NOBODY, 22);
        try (Bed bed = bed(UserNetworkConfig.builder().forwards(List.of(forward)))) {
            List<byte[]> sent = new ArrayList<>();
            byte[] banner = "SSH-2.0-guest".getBytes(StandardCharsets.US_ASCII);
            FakeOutside.Peer client =
                    Objects.requireNonNull(bed.outside.arrive(at), "not listening");
            client.send("SSH-2.0-host".getBytes(StandardCharsets.US_ASCII));
            bed.run();
            Wire.Segment syn = bed.only();
            assertThat(syn.flags()).isEqualTo(2);
            assertThat(syn.toPort()).isEqualTo(22);
            GuestTcp guest =
                    new GuestTcp(GUEST, 22, syn.from(), syn.fromPort(), 9, 1460, banner, sent::add);
            guest.passive = true;
            bed.guest = (frame, offload) -> guest.input(Wire.segment(frame, offload), 0);
            guest.input(syn, 0);
            while (!sent.isEmpty()) {
                bed.send(sent.removeFirst());
                bed.run();
            }
            assertThat(client.received.toString(StandardCharsets.US_ASCII))
                    .isEqualTo("SSH-2.0-guest");
            assertThat(guest.received.toString(StandardCharsets.US_ASCII))
                    .isEqualTo("SSH-2.0-host");
        }
    }

    @Test
    void forward_noGuest_isGivenUp() {
        InetSocketAddress at = new InetSocketAddress("127.0.0.1", 2222);
        Forward forward = new Forward(Protocol.TCP, at, NOBODY, 22);
        try (Bed bed = bed(UserNetworkConfig.builder().forwards(List.of(forward)))) {
            FakeOutside.Peer client =
                    Objects.requireNonNull(bed.outside.arrive(at), "not listening");
            bed.advance(1_000_000_000_000L);
            assertThat(client.reset).isTrue();
            assertThat(bed.network.connections()).isZero();
        }
    }

    @Test
    void forward_udp_answersWhoAsked() {
        InetSocketAddress at = new InetSocketAddress("127.0.0.1", 5353);
        Forward forward = new Forward(Protocol.UDP, at, NOBODY, 53);
        try (Bed bed = bed(UserNetworkConfig.builder().forwards(List.of(forward)))) {
            FakeOutside.Datagrams socket = bed.outside.datagrams.getFirst();
            InetSocketAddress asker = new InetSocketAddress("127.0.0.1", 40_001);
            socket.arrive(new byte[] {1, 2}, asker);
            bed.run();
            byte[] frame = bed.frames.getFirst();
            int port = Bytes.getShort(Wire.upper(frame), 0);
            assertThat(datagram(bed, HOST, port, 53)).containsExactly(1, 2);
            udp(bed, HOST, 53, port, new byte[] {3});
            assertThat(socket.sent.getFirst()).containsExactly(3);
            assertThat(socket.sentTo).containsExactly(asker);
        }
    }

    @Test
    void garbage_random_neverThrows() {
        long seed = Long.getLong("javisor.test.seed", 815);
        System.out.println("garbage seed " + seed);
        java.util.Random random = new java.util.Random(seed);
        try (Bed bed = bed()) {
            for (int i = 0; i < 20_000; i++) {
                byte[] upper = new byte[random.nextInt(400)];
                random.nextBytes(upper);
                int[] ports = {53, 67, 69, 123};
                if (upper.length > 8) {
                    Bytes.putShort(upper, 2, ports[random.nextInt(4)]);
                    Bytes.putShort(upper, 4, upper.length);
                }
                boolean v6 = random.nextBoolean();
                IpAddress from = v6 ? IpAddress.parse("fec0::15") : GUEST;
                IpAddress to = List.of(HOST, DNS, ALL).get(random.nextInt(3));
                if (v6) {
                    to = IpAddress.parse(random.nextBoolean() ? "fec0::3" : "ff02::2");
                }
                int[] protocols = {1, 17, 17, 58, 0, 43, 44, 60, 6};
                byte[] frame = Wire.ip(from, to, protocols[random.nextInt(9)], upper);
                if (random.nextInt(4) == 0) {
                    frame[random.nextInt(frame.length)] ^= (byte) (1 << random.nextInt(8));
                }
                bed.send(frame, dev.javisor.net.FrameOffload.VALID);
                bed.run();
                bed.forget();
                if (random.nextInt(100) == 0) {
                    bed.advance(random.nextLong(30_000_000_000L));
                }
            }
            bed.network.stop();
        }
    }
}
