package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The default guest's network, out of the box. All traffic stays on this host's loopback. */
class NetworkIT {
    private static final int LARGE_BYTES = 20_000_000;

    private static HttpServer web4;
    private static HttpServer web6;
    private static DatagramSocket names;

    @BeforeAll
    static void serve() throws IOException {
        web4 = web(InetAddress.getByName("127.0.0.1"));
        try {
            web6 = web(InetAddress.getByName("::1"));
        } catch (SocketException e) {
            System.out.println("no IPv6 on this host: " + e);
        }
        names = new DatagramSocket(0, InetAddress.getByName("127.0.0.1"));
        Thread.ofPlatform().daemon().start(NetworkIT::answerNames);
    }

    private static HttpServer web(InetAddress at) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(at, 0), 0);
        server.createContext(
                "/hello",
                exchange -> {
                    byte[] hello = "hello from the host\n".getBytes(StandardCharsets.UTF_8);
                    exchange.sendResponseHeaders(200, hello.length);
                    exchange.getResponseBody().write(hello);
                    exchange.close();
                });
        server.createContext(
                "/large",
                exchange -> {
                    exchange.sendResponseHeaders(200, LARGE_BYTES);
                    exchange.getResponseBody().write(new byte[LARGE_BYTES]);
                    exchange.close();
                });
        server.createContext(
                "/count",
                exchange -> {
                    long n =
                            exchange.getRequestBody()
                                    .transferTo(java.io.OutputStream.nullOutputStream());
                    byte[] answer = ("got " + n + "\n").getBytes(StandardCharsets.UTF_8);
                    exchange.sendResponseHeaders(200, answer.length);
                    exchange.getResponseBody().write(answer);
                    exchange.close();
                });
        server.setExecutor(
                java.util.concurrent.Executors.newCachedThreadPool(
                        task -> Thread.ofPlatform().daemon().unstarted(task)));
        server.start();
        return server;
    }

    /** A name server that knows one name: test.javisor is 192.0.2.77. */
    private static void answerNames() {
        byte[] buffer = new byte[1500];
        while (true) {
            DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
            try {
                names.receive(packet);
                byte[] answer = answer(packet.getData());
                names.send(new DatagramPacket(answer, answer.length, packet.getSocketAddress()));
            } catch (IOException e) {
                return;
            }
        }
    }

    private static byte[] answer(byte[] query) {
        int end = 12;
        while (query[end] != 0) {
            end += query[end] + 1;
        }
        int type = query[end + 2];
        end += 5;
        boolean known =
                new String(query, 12, end - 12, StandardCharsets.ISO_8859_1)
                                .startsWith("\4test\7javisor\0")
                        && type == 1;
        byte[] answer = java.util.Arrays.copyOf(query, known ? end + 16 : end);
        answer[2] |= (byte) 0x80;
        answer[3] = (byte) (known || type != 1 ? 0x80 : 0x83);
        answer[7] = (byte) (known ? 1 : 0);
        answer[8] = answer[9] = answer[10] = answer[11] = 0;
        if (known) {
            byte[] record = {(byte) 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, (byte) 192, 0, 2, 77};
            System.arraycopy(record, 0, answer, end, 16);
        }
        return answer;
    }

    @AfterAll
    static void stop() {
        web4.stop(0);
        if (web6 != null) {
            web6.stop(0);
        }
        names.close();
    }

    private static int port(HttpServer server) {
        return server.getAddress().getPort();
    }

    private static Javisor.Run run(String net, String script) throws Exception {
        return Javisor.of(
                        "run",
                        "--timeout",
                        "280s",
                        "--net",
                        net,
                        "--",
                        "sh",
                        "-c",
                        Sections.SHELL + script)
                .run();
    }

    @Test
    void user_outOfTheBox_hasAddressRouteNamesAndReachesTheHost() throws Exception {
        Javisor.Run run =
                run(
                        "user,resolver=127.0.0.1:" + names.getLocalPort(),
                        """
                        section address ifconfig eth0
                        section route route -n
                        section name nslookup test.javisor
                        section unknown nslookup nothing.javisor
                        section ping ping -c 2 10.0.2.2
                        section hello wget -q -O - http://10.0.2.2:%1$d/hello
                        large() { wget -q -O - http://10.0.2.2:%1$d/large | wc -c; }
                        section large large
                        upload() {
                            { printf 'POST /count HTTP/1.0\\r\\nContent-Length: %2$d\\r\\n\\r\\n'
                              head -c %2$d /dev/zero; } | nc 10.0.2.2 %1$d
                        }
                        section upload upload
                        section refused wget -O - http://10.0.2.2:1/
                        section loopback wget -O - http://127.0.0.1:%1$d/hello
                        tries=0
                        until ip -6 addr show dev eth0 | grep -q 'inet6 fec0:' || [ $tries -ge 30 ]; do
                            sleep 1
                            tries=$((tries + 1))
                        done
                        section address6 ip -6 addr show dev eth0
                        section route6 ip -6 route
                        section hello6 wget -q -O - http://[fec0::2]:%3$d/hello
                        section ping6 ping6 -c 1 fec0::2
                        section dmesg dmesg
                        """
                                .formatted(port(web4), LARGE_BYTES, web6 == null ? 1 : port(web6)));
        assertThat(run.err()).isEmpty();
        Sections sections = Sections.parse(run.out());
        assertThat(sections.text("address")).contains("inet addr:10.0.2.15", "Mask:255.255.255.0");
        assertThat(sections.text("route")).contains("0.0.0.0         10.0.2.2");
        assertThat(sections.text("name")).contains("10.0.2.3").contains("192.0.2.77");
        assertThat(sections.get("unknown").status()).isNotZero();
        assertThat(sections.text("ping")).contains(" 0% packet loss");
        assertThat(sections.text("hello")).isEqualTo("hello from the host\n");
        assertThat(sections.text("large").strip()).isEqualTo("" + LARGE_BYTES);
        assertThat(sections.text("upload")).contains("got " + LARGE_BYTES);
        assertThat(sections.get("refused").status()).isNotZero();
        assertThat(sections.get("loopback").status()).isNotZero();
        assertThat(sections.text("address6")).contains("inet6 fec0::");
        assertThat(sections.text("route6")).contains("default via fe80::2");
        assertThat(sections.text("ping6")).contains(" 0% packet loss");
        if (web6 != null) {
            assertThat(sections.text("hello6")).isEqualTo("hello from the host\n");
        }
        assertThat(KernelLog.complaints(sections.text("dmesg"))).isEmpty();
    }

    @Test
    void none_hasNoInterface() throws Exception {
        Javisor.Run run =
                run(
                        "none",
                        """
                        section interfaces ls /sys/class/net
                        section hello wget -O - http://10.0.2.2:%d/hello
                        """
                                .formatted(port(web4)));
        Sections sections = Sections.parse(run.out());
        assertThat(sections.text("interfaces").strip()).isEqualTo("lo");
        assertThat(sections.get("hello").status()).isNotZero();
    }

    @Test
    void restrict_reachesNothingButWhatIsAllowed() throws Exception {
        int allowed = port(web4);
        HttpServer other = web(InetAddress.getByName("127.0.0.1"));
        try {
            Javisor.Run run =
                    run(
                            "user,restrict=on,allow=tcp:10.0.2.2:%d,resolver=127.0.0.1:%d"
                                    .formatted(allowed, names.getLocalPort()),
                            """
                            section allowed wget -q -O - http://10.0.2.2:%1$d/hello
                            section other wget -O - http://10.0.2.2:%2$d/hello
                            section far wget -O - http://192.0.2.1:%1$d/hello
                            section far6 wget -O - http://[fec0::2]:%1$d/hello
                            section name nslookup test.javisor
                            section ping ping -c 1 -W 2 192.0.2.1
                            """
                                    .formatted(allowed, port(other)));
            Sections sections = Sections.parse(run.out());
            assertThat(sections.text("allowed")).isEqualTo("hello from the host\n");
            for (String no : new String[] {"other", "far", "far6", "name", "ping"}) {
                assertThat(sections.get(no).status()).as(no).isNotZero();
            }
        } finally {
            other.stop(0);
        }
    }

    @Test
    void forward_portOfTheHost_leadsToTheGuest() throws Exception {
        int free;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            free = probe.getLocalPort();
        }
        Javisor javisor =
                Javisor.of(
                        "run",
                        "--timeout",
                        "280s",
                        "--net",
                        "user,forward=tcp:127.0.0.1:%d:7".formatted(free),
                        "--",
                        "sh",
                        "-c",
                        "echo hello from the guest | nc -l -p 7");
        try (Javisor.Started started = javisor.start()) {
            String got = "";
            long patience = System.nanoTime() + Duration.ofSeconds(250).toNanos();
            while (got.isEmpty() && System.nanoTime() < patience) {
                got = read(free);
            }
            assertThat(got).isEqualTo("hello from the guest\n");
            assertThat(started.await().status()).isZero();
        }
    }

    /** What the guest says; empty while it does not listen yet. */
    private static String read(int port) {
        try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), port)) {
            socket.setSoTimeout(30_000);
            socket.shutdownOutput();
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    @Test
    void forward_portInUse_isSaidInOneLine() throws Exception {
        assumeThat(port(web4)).isPositive();
        Javisor.Run run = run("user,forward=tcp:127.0.0.1:%d:22".formatted(port(web4)), "true");
        assertThat(run.status()).isEqualTo(125);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.err()).contains("cannot forward TCP port " + port(web4));
    }
}
