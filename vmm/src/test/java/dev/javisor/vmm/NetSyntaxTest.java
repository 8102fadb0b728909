package dev.javisor.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.net.IpAddress;
import dev.javisor.net.MacAddress;
import dev.javisor.net.filter.RateLimit.Rate;
import dev.javisor.net.lan.StreamBackend.Role;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetSyntaxTest {
    @Test
    void kindAlone_hasTheUsualInterface() {
        assertThat(NetSpec.parse("user").nic()).isEqualTo(NicSpec.STANDARD);
        assertThat(NetSpec.parse("tap"))
                .isEqualTo(new NetSpec.Tap("javisor%d", Optional.empty(), NicSpec.STANDARD));
    }

    @Test
    void commonSettings_anyKind_areTheInterfaces() {
        NicSpec nic =
                NetSpec.parse("tap,mac=52:54:00:00:00:07,pcap=a.pcap,bps-out=1M,bps-in=2M:64K")
                        .nic();
        assertThat(nic.mac()).contains(MacAddress.parse("52:54:00:00:00:07"));
        assertThat(nic.capture()).contains(Path.of("a.pcap"));
        assertThat(nic.fromGuest()).isEqualTo(new Rate(1 << 20, 0));
        assertThat(nic.toGuest()).isEqualTo(new Rate(2 << 20, 64 << 10));
        assertThat(NetSpec.parse("user,bps=5").nic().toGuest()).isEqualTo(new Rate(5, 0));
        assertThat(NetSpec.parse("user,queues=4").nic().queuePairs()).isEqualTo(4);
    }

    @Test
    void spoofFilter_namesAddressesOrNone() {
        assertThat(NetSpec.parse("user").nic().spoofing())
                .isEqualTo(new NicSpec.Spoofing.Allowed());
        assertThat(NetSpec.parse("user,spoof-filter=on").nic().spoofing())
                .isEqualTo(new NicSpec.Spoofing.Filtered(Optional.empty()));
        assertThat(NetSpec.parse("user,spoof-filter=10.0.0.1+fd00::1").nic().spoofing())
                .isEqualTo(
                        new NicSpec.Spoofing.Filtered(
                                Optional.of(
                                        Set.of(
                                                IpAddress.parse("10.0.0.1"),
                                                IpAddress.parse("fd00::1")))));
    }

    @Test
    void stream_isAnAddressOrAPath() throws Exception {
        assertThat(NetSpec.parse("stream,connect=127.0.0.1:7000"))
                .isEqualTo(
                        new NetSpec.Stream(
                                Role.CONNECT,
                                new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 7000),
                                NicSpec.STANDARD));
        assertThat(NetSpec.parse("stream,listen=unix:/tmp/a"))
                .isEqualTo(
                        new NetSpec.Stream(
                                Role.LISTEN,
                                UnixDomainSocketAddress.of("/tmp/a"),
                                NicSpec.STANDARD));
    }

    @Test
    void tap_hasANameAndABridge() {
        assertThat(NetSpec.parse("tap,name=vm1,bridge=br0"))
                .isEqualTo(new NetSpec.Tap("vm1", Optional.of("br0"), NicSpec.STANDARD));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bridge | no kind of network: give user, tap, stream or none",
                "tap,forward=tcp::1:2 | is no setting of a tap network: give name, bridge, mac",
                "user,name=x | is no setting of a user network: give forward",
                "user,mac | write NAME=VALUE",
                "stream | needs its other end",
                "stream,connect=127.0.0.1 | write ADDRESS:PORT",
                "stream,connect=127.0.0.1:1,listen=127.0.0.1:2 | one end",
                "stream,connect=host:99999 | no IP address",
                "stream,connect=127.0.0.1:99999 | out of range: 0 to 65535",
                "tap,name=averylonginterface | 1 to 15 characters",
                "tap,name=a/b | no name of an interface",
                "tap,queues=2 | one queue",
                "user,bps=0 | at least 1",
                "user,spoof-filter=yes | no IP address"
            })
    void nonsense_isRefusedWithWhatIsPossible(String text, String message) {
        assertThatThrownBy(() -> NetSpec.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
