package dev.javisor.net.filter;

import static dev.javisor.net.Packets.ARP;
import static dev.javisor.net.Packets.IPV4;
import static dev.javisor.net.Packets.IPV6;
import static dev.javisor.net.Packets.arp;
import static dev.javisor.net.Packets.ethernet;
import static dev.javisor.net.Packets.ipv4;
import static dev.javisor.net.Packets.ipv6;
import static dev.javisor.net.Packets.join;
import static dev.javisor.net.Packets.udp;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.net.ArrayFrame;
import dev.javisor.net.Bytes;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameOffload;
import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetOffloads;
import dev.javisor.net.ScriptedBackend;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class SpoofFilterTest {
    private static final MacAddress MINE = MacAddress.parse("52:54:00:00:00:01");
    private static final MacAddress OTHER = MacAddress.parse("52:54:00:00:00:02");
    private static final int UDP = 17;
    private static final int ICMPV6 = 58;

    private final ScriptedBackend network = new ScriptedBackend();
    private final SpoofFilter filter =
            new SpoofFilter(
                    network,
                    Optional.of(
                            Set.of(IpAddress.parse("192.0.2.5"), IpAddress.parse("2001:db8::5"))));

    SpoofFilterTest() {
        filter.start(MINE, NetOffloads.NONE);
    }

    private boolean passes(MacAddress from, int type, byte[] payload) {
        int before = network.sent.size();
        assertThat(filter.send(ArrayFrame.of(ethernet(OTHER, from, type, payload)))).isTrue();
        return network.sent.size() > before;
    }

    @Test
    void send_ownAddresses_pass() {
        assertThat(passes(MINE, IPV4, ipv4("192.0.2.5", "192.0.2.9", 6, new byte[20]))).isTrue();
        assertThat(passes(MINE, IPV6, ipv6("2001:db8::5", "2001:db8::9", 6, new byte[20])))
                .isTrue();
        assertThat(passes(MINE, IPV6, ipv6("fe80::1", "ff02::2", ICMPV6, new byte[] {(byte) 133})))
                .isTrue();
        assertThat(passes(MINE, ARP, arp(MINE, "192.0.2.5", "192.0.2.9"))).isTrue();
        assertThat(filter.dropped()).isZero();
    }

    @Test
    void send_foreignSourceAddresses_areDropped() {
        assertThat(passes(OTHER, IPV4, ipv4("192.0.2.5", "192.0.2.9", 6, new byte[20]))).isFalse();
        assertThat(passes(MINE, IPV4, ipv4("192.0.2.6", "192.0.2.9", 6, new byte[20]))).isFalse();
        assertThat(passes(MINE, IPV6, ipv6("2001:db8::6", "2001:db8::9", 6, new byte[20])))
                .isFalse();
        assertThat(filter.dropped()).isEqualTo(3);
    }

    @Test
    void send_foreignArp_isDropped() {
        assertThat(passes(MINE, ARP, arp(OTHER, "192.0.2.5", "192.0.2.9"))).isFalse();
        assertThat(passes(MINE, ARP, arp(MINE, "192.0.2.1", "192.0.2.9"))).isFalse();
        assertThat(passes(MINE, ARP, arp(MINE, "0.0.0.0", "192.0.2.5"))).isTrue();
        assertThat(passes(MINE, ARP, new byte[27])).isFalse();
    }

    @Test
    void send_dhcp_passesAsClientOnly() {
        assertThat(passes(MINE, IPV4, ipv4("0.0.0.0", "255.255.255.255", UDP, udp(68, 67))))
                .isTrue();
        assertThat(passes(MINE, IPV4, ipv4("0.0.0.0", "255.255.255.255", UDP, udp(99, 67))))
                .isFalse();
        assertThat(passes(MINE, IPV4, ipv4("192.0.2.5", "192.0.2.9", UDP, udp(67, 68)))).isFalse();
        assertThat(passes(MINE, IPV6, ipv6("fe80::1", "fe80::2", UDP, udp(547, 546)))).isFalse();
    }

    @Test
    void send_ipv4WithOptions_findsThePortsBehindThem() {
        byte[] packet = join(ipv4("192.0.2.5", "192.0.2.9", UDP, new byte[4]), udp(67, 68));
        packet[0] = 0x46;
        assertThat(passes(MINE, IPV4, packet)).isFalse();
        packet[0] = 0x44;
        assertThat(passes(MINE, IPV4, packet)).isFalse();
    }

    @Test
    void send_routerAdvertisement_isDroppedBehindExtensionHeadersToo() {
        byte[] advertisement = new byte[16];
        advertisement[0] = (byte) 134;
        byte[] options = new byte[8];
        options[0] = ICMPV6;
        byte[] fragment = new byte[8];
        fragment[0] = 60;
        byte[] hidden = join(fragment, options, advertisement);
        assertThat(passes(MINE, IPV6, ipv6("fe80::1", "ff02::1", ICMPV6, advertisement))).isFalse();
        assertThat(passes(MINE, IPV6, ipv6("fe80::1", "ff02::1", 44, hidden))).isFalse();
        byte[] deep = new byte[600];
        for (int i = 0; i + 8 <= deep.length; i += 8) {
            deep[i] = 60;
        }
        assertThat(passes(MINE, IPV6, ipv6("fe80::1", "ff02::1", 60, deep))).isFalse();
    }

    @Test
    void send_neighbourAdvertisement_passesForOwnTargetOnly() {
        byte[] advertisement = new byte[24];
        advertisement[0] = (byte) 136;
        IpAddress.parse("2001:db8::5").write(advertisement, 8);
        assertThat(passes(MINE, IPV6, ipv6("2001:db8::5", "ff02::1", ICMPV6, advertisement)))
                .isTrue();
        IpAddress.parse("2001:db8::1").write(advertisement, 8);
        assertThat(passes(MINE, IPV6, ipv6("2001:db8::5", "ff02::1", ICMPV6, advertisement)))
                .isFalse();
    }

    @Test
    void send_otherProtocolsAndVlanTags_areDropped() {
        assertThat(passes(MINE, 0x8100, new byte[60])).isFalse();
        assertThat(passes(MINE, 0x88CC, new byte[60])).isFalse();
    }

    @Test
    void send_aGuestThatChangesTheFrameAfterTheCheck_sendsWhatWasChecked() {
        byte[] bytes = ethernet(OTHER, MINE, ARP, arp(MINE, "192.0.2.5", "192.0.2.9"));
        byte[] honest = bytes.clone();
        Frame changing =
                new Frame() {
                    private final ArrayFrame now = ArrayFrame.of(bytes);

                    @Override
                    public int sizeBytes() {
                        return bytes.length;
                    }

                    @Override
                    public FrameOffload offload() {
                        return FrameOffload.NONE;
                    }

                    @Override
                    public int copy(int from, byte[] to, int at, int sizeBytes) {
                        int count = now.copy(from, to, at, sizeBytes);
                        Bytes.putInt(bytes, 28, 0xC0000201);
                        return count;
                    }

                    @Override
                    public MemorySegment[] slices(int from, int sizeBytes) {
                        return now.slices(from, sizeBytes);
                    }
                };
        assertThat(filter.send(changing)).isTrue();
        assertThat(network.sent.getFirst()).isEqualTo(honest);
    }

    @Test
    void send_randomFrames_neverThrow() {
        long seed = new Random().nextLong();
        System.out.println("SpoofFilterTest seed " + seed);
        Random random = new Random(seed);
        int[] types = {ARP, IPV4, IPV6};
        for (int i = 0; i < 100_000; i++) {
            byte[] payload = new byte[random.nextInt(120)];
            random.nextBytes(payload);
            if (payload.length > 6 && random.nextBoolean()) {
                payload[6] = new byte[] {0, 17, 43, 44, 58, 60}[random.nextInt(6)];
            }
            filter.send(ArrayFrame.of(ethernet(OTHER, MINE, types[random.nextInt(3)], payload)));
        }
        assertThat(filter.dropped() + network.sent.size()).isEqualTo(100_000);
    }

    @Test
    void send_aBusyNetwork_isAskedAgain() {
        network.refuses = true;
        byte[] frame = ethernet(OTHER, MINE, ARP, arp(MINE, "192.0.2.5", "192.0.2.9"));
        assertThat(filter.send(ArrayFrame.of(frame))).isFalse();
        assertThat(filter.dropped()).isZero();
    }
}
