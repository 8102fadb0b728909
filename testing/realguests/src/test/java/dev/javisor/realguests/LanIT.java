package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two guests on one network: on a bridge in a network namespace of its own, and on a stream socket.
 */
class LanIT {
    private static final String SERVER =
            """
            ip addr add 10.77.0.2/24 dev eth0 && ip link set eth0 up
            mkdir /www && dd if=/dev/urandom of=/www/blob bs=1M count=2 2> /dev/null
            md5sum < /www/blob > /www/sum
            httpd -p 80 -h /www
            sleep 1000
            """;

    private static final String CLIENT =
            """
            ip addr add 10.77.0.3/24 dev eth0 && ip link set eth0 up
            get() { wget -q -O /tmp/$1 http://10.77.0.2/$1; }
            until get sum; do sleep 1; done
            get blob && [ "$(md5sum < /tmp/blob)" = "$(cat /tmp/sum)" ] && echo same
            ping -c 3 10.77.0.2 | grep -c 'bytes from'
            %s
            dmesg | grep -ciE 'eth0.*(error|bug)|rcu.*stall|Call Trace'
            exit 0
            """;

    /** With another's hardware address, then with another's IP address. */
    private static final String IN_OTHER_NAMES =
            """
            knock() { ping -c 2 -W 1 10.77.0.2 > /dev/null && echo "heard $1" || echo "held $1"; }
            ip link set eth0 down; ip link set eth0 address 52:54:00:77:00:99; ip link set eth0 up
            knock mac
            ip link set eth0 down; ip link set eth0 address 52:54:00:77:00:03; ip link set eth0 up
            knock nobody
            ip addr add 10.77.0.4/24 dev eth0; ip addr del 10.77.0.3/24 dev eth0
            knock address
            """;

    private static final int PCAP_NANOSECONDS = 0xA1B2_3C4D;

    @TempDir Path directory;

    @Test
    void twoGuestsOnABridge_reachEachOther_andNotInOtherNames() throws Exception {
        HostTools.need("ip", "id");
        assumeThat(HostTools.must("id", "-u").strip()).as("root").isEqualTo("0");
        assumeThat(Files.exists(Path.of("/dev/net/tun"))).as("tap interfaces").isTrue();
        String space = "javisor-" + ProcessHandle.current().pid();
        HostTools.must("ip", "netns", "add", space);
        try {
            HostTools.must("ip", "-n", space, "link", "add", "br0", "type", "bridge");
            HostTools.must("ip", "-n", space, "link", "set", "br0", "up");
            Path capture = directory.resolve("client.pcap");
            Javisor server =
                    guest("tap,bridge=br0,mac=52:54:00:77:00:02", SERVER).inNamespace(space);
            Javisor client =
                    guest(
                                    "tap,bridge=br0,mac=52:54:00:77:00:03,spoof-filter=10.77.0.3,pcap="
                                            + capture,
                                    CLIENT.formatted(IN_OTHER_NAMES))
                            .inNamespace(space);
            try (Javisor.Started serving = server.start()) {
                Javisor.Run run = client.run();
                assertThat(serving.process().isAlive()).isTrue();
                assertThat(run.text())
                        .as(run.err())
                        .isEqualTo("same\n3\nheld mac\nheard nobody\nheld address\n0\n");
            }
            byte[] pcap = Files.readAllBytes(capture);
            assertThat(ByteBuffer.wrap(pcap).order(ByteOrder.LITTLE_ENDIAN).getInt())
                    .isEqualTo(PCAP_NANOSECONDS);
            assertThat(pcap.length).isGreaterThan(2 << 20);
        } finally {
            HostTools.must("ip", "netns", "del", space);
        }
    }

    @Test
    void twoGuestsOnAStreamSocket_reachEachOther() throws Exception {
        Path socket = directory.resolve("lan");
        Javisor server = guest("stream,mac=52:54:00:77:00:02,listen=unix:" + socket, SERVER);
        Javisor client =
                guest("stream,mac=52:54:00:77:00:03,connect=unix:" + socket, CLIENT.formatted(""));
        try (Javisor.Started serving = server.start()) {
            assertThat(serving.process().isAlive()).isTrue();
            assertThat(client.run().text()).isEqualTo("same\n3\n0\n");
        }
    }

    private static Javisor guest(String net, String script) {
        return Javisor.of("run", "--timeout", "280s", "--net", net, "--", "sh", "-c", script);
    }
}
