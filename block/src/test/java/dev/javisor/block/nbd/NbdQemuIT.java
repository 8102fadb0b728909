package dev.javisor.block.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.QemuImg;
import dev.javisor.block.qcow2.Qcow2Image;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Our server with libnbd's and QEMU's clients, our client with QEMU's server. */
@Timeout(120)
class NbdQemuIT {
    private static final int SIZE = 24 << 20;

    @TempDir private Path folder;

    @BeforeAll
    static void tools() {
        QemuImg.need();
        try {
            QemuImg.run("nbdinfo", "--version");
        } catch (IOException e) {
            Assumptions.abort("nbdinfo is missing: apt-get install libnbd-bin");
        }
    }

    private Path raw(long seed) throws IOException {
        byte[] bytes = new byte[SIZE];
        Random random = new Random(seed);
        for (int i = 0; i < 5; i++) {
            byte[] part = new byte[1 << 20];
            random.nextBytes(part);
            System.arraycopy(part, 0, bytes, random.nextInt(SIZE - part.length), part.length);
        }
        return Files.write(folder.resolve("raw.img"), bytes);
    }

    private Path qcow2(Path raw) throws IOException {
        Path image = folder.resolve("disk.qcow2");
        QemuImg.must("qemu-img", "convert", "-O", "qcow2", raw.toString(), image.toString());
        return image;
    }

    private static DiskImage open(Path file, DiskFormat format, boolean readOnly) {
        return DiskFiles.open(file, format, readOnly, new DiskFiles.References.Refused());
    }

    private String socketUri(String export) {
        return "nbd+unix:///%s?socket=%s".formatted(export, folder.resolve("s"));
    }

    private NbdServer serve(NbdExport... exports) {
        NbdServer server = new NbdServer(List.of(exports), Optional.empty());
        var unusedAddress = server.listen(UnixDomainSocketAddress.of(folder.resolve("s")));
        return server;
    }

    @Test
    void libnbd_listsMapsAndCopies() throws IOException {
        Path raw = raw(1);
        Path image = qcow2(raw);
        try (DiskImage disk = open(image, DiskFormat.QCOW2, false);
                DiskImage other = open(raw, DiskFormat.RAW, true);
                NbdServer server =
                        serve(
                                new NbdExport("a", "first", disk, false, List.of()),
                                new NbdExport("b", "second", other, true, List.of()))) {
            String list = QemuImg.must("nbdinfo", "--list", socketUri(""));
            assertThat(list)
                    .contains("export=\"a\"", "export=\"b\"", "base:allocation")
                    .contains("using structured packets");
            assertThat(QemuImg.must("nbdinfo", socketUri("b"))).contains("is_read_only: true");
            assertThat(QemuImg.must("nbdinfo", "--size", socketUri("a")).strip())
                    .isEqualTo(Integer.toString(SIZE));
            Path map = folder.resolve("map");
            assertThat(QemuImg.must("nbdinfo", "--map", socketUri("a"))).contains("hole,zero");
            Path copy = folder.resolve("copy.img");
            QemuImg.must("nbdcopy", socketUri("a"), copy.toString());
            assertThat(Files.mismatch(copy, raw)).isEqualTo(-1);
            // The other way round, with other bytes.
            Path next = Files.move(raw(2), map);
            QemuImg.must("nbdcopy", "--flush", next.toString(), socketUri("a"));
            QemuImg.must("nbdcopy", socketUri("a"), copy.toString());
            assertThat(Files.mismatch(copy, next)).isEqualTo(-1);
            assertThat(server.connections()).isLessThan(NbdServer.MAX_CONNECTIONS);
        }
        QemuImg.checkClean(image);
    }

    @Test
    void qemu_readsWritesDiscardsAndSeesBitmaps() throws IOException {
        Path image = qcow2(raw(3));
        QemuImg.must("qemu-img", "bitmap", "--add", image.toString(), "b0");
        try (DiskImage disk = open(image, DiskFormat.QCOW2, false);
                NbdServer server = serve(new NbdExport("", "", disk, false, List.of("b0")))) {
            String io =
                    QemuImg.must(
                            "qemu-io",
                            "-f",
                            "raw",
                            "-c",
                            "write -P 17 100k 5M",
                            "-c",
                            "write -z 1M 1M",
                            "-c",
                            "discard 2M 1M",
                            "-c",
                            "flush",
                            "-c",
                            "read -P 17 100k 800k",
                            "-c",
                            "read -P 0 1M 1M",
                            "-c",
                            "aio_write -P 18 10M 1M",
                            "-c",
                            "aio_write -P 19 12M 1M",
                            "-c",
                            "aio_flush",
                            "-c",
                            "read -P 18 10M 1M",
                            "-c",
                            "write -f -P 3 20M 512",
                            socketUri(""));
            assertThat(io).doesNotContain("failed").doesNotContain("error");
            String map =
                    QemuImg.must(
                            "qemu-img",
                            "map",
                            "--output=json",
                            "--image-opts",
                            "driver=nbd,server.type=unix,server.path=%s,x-dirty-bitmap=qemu:dirty-bitmap:b0"
                                    .formatted(folder.resolve("s")));
            // With x-dirty-bitmap, dirty is shown as "no data".
            assertThat(map).contains("\"data\": false").contains("\"data\": true");
            assertThat(((Qcow2Image) disk).bitmaps().dirty("b0")).isNotEmpty();
            QemuImg.must(
                    "qemu-img", "compare", "-f", "raw", "-F", "raw", socketUri(""), socketUri(""));
            assertThat(server.connections()).isLessThan(NbdServer.MAX_CONNECTIONS);
        }
        QemuImg.checkClean(image);
    }

    @Test
    void tls_qemuWithCertificates_andOurClient() throws Exception {
        try {
            QemuImg.run("openssl", "version");
        } catch (IOException e) {
            Assumptions.abort("openssl is missing: apt-get install openssl");
        }
        certificates();
        // Without an authority in its folder, a server takes clients without certificates: libnbd
        // of Debian 12 sends none that this platform's TLS asks for.
        Path lenient = Files.createDirectories(folder.resolve("open"));
        for (String each : List.of("server-cert.pem", "server-key.pem")) {
            Files.copy(folder.resolve(each), lenient.resolve(each));
        }
        Path raw = raw(4);
        try (DiskImage disk = open(raw, DiskFormat.RAW, false);
                NbdServer server =
                        new NbdServer(
                                List.of(new NbdExport("t", "", disk, false, List.of())),
                                Optional.of(NbdTls.server(lenient)))) {
            InetSocketAddress at =
                    (InetSocketAddress)
                            server.listen(
                                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            String uri =
                    "nbds://localhost:%d/t?tls-certificates=%s".formatted(at.getPort(), folder);
            QemuImg.Outcome plain =
                    QemuImg.run("nbdinfo", "nbd://localhost:%d/t".formatted(at.getPort()));
            assertThat(plain.status()).as("without TLS").isNotZero();
            assertThat(QemuImg.must("nbdinfo", uri)).contains("with TLS");
            Path copy = folder.resolve("copy.img");
            QemuImg.must(
                    "qemu-img",
                    "convert",
                    "--object",
                    "tls-creds-x509,id=c,endpoint=client,dir=" + folder,
                    "--image-opts",
                    "driver=nbd,host=localhost,port=%d,export=t,tls-creds=c"
                            .formatted(at.getPort()),
                    "-O",
                    "raw",
                    copy.toString());
            assertThat(Files.mismatch(copy, raw)).isEqualTo(-1);
            try (NbdDisk ours =
                    NbdDisk.open(NbdAddress.parse(uri), false, "", Duration.ofSeconds(5))) {
                writeAndRead(ours);
            }
        }
        onlyKnownClients(raw);
    }

    private void onlyKnownClients(Path raw) throws Exception {
        Path stranger = Files.createDirectories(folder.resolve("stranger"));
        Files.copy(folder.resolve("ca-cert.pem"), stranger.resolve("ca-cert.pem"));
        try (DiskImage disk = open(raw, DiskFormat.RAW, false);
                NbdServer server =
                        new NbdServer(
                                List.of(new NbdExport("t", "", disk, false, List.of())),
                                Optional.of(NbdTls.server(folder)))) {
            InetSocketAddress at =
                    (InetSocketAddress)
                            server.listen(
                                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            String uri = "nbds://localhost:%d/t?tls-certificates=".formatted(at.getPort());
            try (NbdDisk ours =
                    NbdDisk.open(
                            NbdAddress.parse(uri + folder), false, "", Duration.ofSeconds(5))) {
                writeAndRead(ours);
            }
            assertThatThrownBy(() ->
                            NbdDisk.open(
                                            NbdAddress.parse(uri + stranger),
                                            true,
                                            "",
                                            Duration.ofSeconds(5))
                                    .close())
                    .isInstanceOf(BlockException.class);
        }
    }

    /** An authority, and a server's and a client's certificate of it. */
    private void certificates() throws IOException {
        QemuImg.must(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test authority",
                "-keyout",
                folder + "/ca-key.pem",
                "-out",
                folder + "/ca-cert.pem");
        Path names = Files.writeString(folder.resolve("ext"), "subjectAltName=DNS:localhost\n");
        for (String role : List.of("server", "client")) {
            String at = folder + "/" + role;
            QemuImg.must(
                    "openssl",
                    "req",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-subj",
                    "/CN=" + role,
                    "-keyout",
                    at + "-key.pem",
                    "-out",
                    at + ".csr");
            QemuImg.must(
                    "openssl",
                    "x509",
                    "-req",
                    "-in",
                    at + ".csr",
                    "-CA",
                    folder + "/ca-cert.pem",
                    "-CAkey",
                    folder + "/ca-key.pem",
                    "-CAcreateserial",
                    "-days",
                    "2",
                    "-extfile",
                    names.toString(),
                    "-out",
                    at + "-cert.pem");
        }
    }

    @Test
    void qemuNbd_isOurServer_evenWhenItIsStartedAnew() throws Exception {
        Path image = qcow2(raw(5));
        Process first = qemuNbd(image);
        List<Process> servers = new ArrayList<>(List.of(first));
        NbdAddress address = NbdAddress.parse(socketUri("x"));
        try (NbdDisk disk = NbdDisk.open(address, false, "", Duration.ofSeconds(30))) {
            assertThat(disk.sizeBytes()).isEqualTo(SIZE);
            assertThat(disk.canDiscard()).isTrue();
            writeAndRead(disk);
            first.destroy();
            first.waitFor();
            servers.add(qemuNbd(image));
            writeAndRead(disk);
            assertThat(disk.reconnects()).isPositive();
        } finally {
            for (Process each : servers) {
                each.destroy();
                each.waitFor();
            }
        }
        QemuImg.checkClean(image);
    }

    private Process qemuNbd(Path image) throws Exception {
        Path socket = folder.resolve("s");
        Files.deleteIfExists(socket);
        Process process =
                new ProcessBuilder(
                                "qemu-nbd",
                                "-t",
                                "-x",
                                "x",
                                "-f",
                                "qcow2",
                                "--discard=unmap",
                                "-k",
                                socket.toString(),
                                image.toString())
                        .inheritIO()
                        .start();
        for (int i = 0; i < 200 && !Files.exists(socket); i++) {
            Thread.sleep(50);
        }
        return process;
    }

    private static void writeAndRead(NbdDisk disk) throws Exception {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment bytes = arena.allocate(3 << 20);
            bytes.fill((byte) 9);
            MemorySegment[] buffers = {bytes};
            wait(c -> BlockIo.write(4 << 20, buffers, c), disk);
            wait(c -> BlockIo.writeZeroes(5 << 20, 1 << 20, c), disk);
            if (disk.canDiscard()) {
                wait(c -> BlockIo.discard(10 << 20, 1 << 20, c), disk);
            }
            wait(BlockIo::flush, disk);
            bytes.fill((byte) 1);
            wait(c -> BlockIo.read(4 << 20, buffers, c), disk);
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 9);
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, 1 << 20)).isZero();
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, (3 << 20) - 1)).isEqualTo((byte) 9);
        }
    }

    private static void wait(
            java.util.function.Function<BlockIo.Completion, BlockIo> io, NbdDisk disk)
            throws Exception {
        CompletableFuture<Boolean> future = new CompletableFuture<>();
        disk.submit(
                io.apply(error -> {
                    if (error == null) {
                        future.complete(true);
                    } else {
                        future.completeExceptionally(error);
                    }
                }));
        assertThat(future.get()).isTrue();
    }
}
