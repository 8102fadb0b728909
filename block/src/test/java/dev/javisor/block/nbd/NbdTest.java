package dev.javisor.block.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import dev.javisor.block.DiskImage;
import dev.javisor.block.MemoryStorage;
import dev.javisor.block.RawImage;
import dev.javisor.block.Storage;
import dev.javisor.block.qcow2.Qcow2Files;
import dev.javisor.block.qcow2.Qcow2Info;
import dev.javisor.block.qcow2.Qcow2Spec;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Our client at our server, over Unix sockets; and each against nonsense. */
@Timeout(60)
class NbdTest {
    private static final int SIZE = 8 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final Qcow2Files.References NONE =
            new Qcow2Files.References() {
                @Override
                public DiskImage backing(Qcow2Info info) {
                    throw new BlockException("no backing image in this test");
                }

                @Override
                public Storage dataFile(Qcow2Info info) {
                    throw new BlockException("no data file in this test");
                }
            };

    @TempDir private Path folder;

    private NbdServer serve(DiskImage image, boolean readOnly) {
        NbdServer server =
                new NbdServer(
                        List.of(new NbdExport("disk", "a test", image, readOnly, List.of())),
                        Optional.empty());
        var unusedAddress = server.listen(UnixDomainSocketAddress.of(folder.resolve("s")));
        return server;
    }

    private NbdAddress address(String export) {
        return NbdAddress.parse("nbd+unix:///%s?socket=%s".formatted(export, folder.resolve("s")));
    }

    private NbdDisk connect() {
        return NbdDisk.open(address("disk"), false, "", PATIENCE);
    }

    private static CompletableFuture<Boolean> done(
            java.util.function.Function<BlockIo.Completion, BlockIo> io, NbdDisk disk) {
        CompletableFuture<Boolean> future = new CompletableFuture<>();
        disk.submit(
                io.apply(error -> {
                    if (error == null) {
                        future.complete(true);
                    } else {
                        future.completeExceptionally(error);
                    }
                }));
        return future;
    }

    private static void run(
            java.util.function.Function<BlockIo.Completion, BlockIo> io, NbdDisk disk)
            throws Exception {
        try {
            assertThat(done(io, disk).get()).isTrue();
        } catch (ExecutionException e) {
            throw (BlockException) e.getCause();
        }
    }

    @Test
    void uris_areRead() {
        NbdAddress plain = NbdAddress.parse("nbd://host/a%20b");
        assertThat(plain.port()).isEqualTo(10809);
        assertThat(plain.export()).isEqualTo("a b");
        assertThat(NbdAddress.parse("nbds://[::1]:99").host()).isEqualTo("::1");
        assertThat(NbdAddress.parse("nbds://h:99/?tls-certificates=/etc/x").certificates())
                .contains(Path.of("/etc/x"));
        assertThat(NbdAddress.parse("nbd+unix:///e?socket=/tmp/a%3fb").socket())
                .contains(Path.of("/tmp/a?b"));
        for (String bad : List.of("nbd:", "nbd:///x", "nbd+unix:///x", "nbd://h:x/", "nbdx://h")) {
            assertThatThrownBy(() -> NbdAddress.parse(bad))
                    .as(bad)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void randomRequests_manyInFlight_giveWhatAModelSays() throws Exception {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        Random random = new Random(seed);
        byte[] model = new byte[SIZE];
        try (RawImage image = new RawImage(new MemoryStorage(new byte[SIZE]));
                NbdServer server = serve(image, false);
                NbdDisk disk = connect();
                Arena arena = Arena.ofShared()) {
            assertThat(disk.sizeBytes()).isEqualTo(SIZE);
            assertThat(server.connections()).isEqualTo(1);
            for (int round = 0; round < 40; round++) {
                randomRound(disk, arena, random, model);
                if (round % 10 == 9) {
                    run(BlockIo::flush, disk);
                    byte[] all = new byte[SIZE];
                    readAll(disk, arena, all);
                    assertThat(Arrays.mismatch(all, model)).as("seed %d", seed).isEqualTo(-1);
                }
            }
        }
    }

    /** Requests side by side, each in a part of the disk of its own. */
    private static void randomRound(NbdDisk disk, Arena arena, Random random, byte[] model)
            throws Exception {
        int lanes = 16;
        int lane = SIZE / lanes;
        List<CompletableFuture<Boolean>> all = new ArrayList<>();
        List<Runnable> checks = new ArrayList<>();
        for (int i = 0; i < lanes; i++) {
            int size = 512 * (1 + random.nextInt(lane / 512 / 2));
            int at = i * lane + 512 * random.nextInt((lane - size) / 512 + 1);
            MemorySegment[] buffers = {arena.allocate(size / 3), arena.allocate(size - size / 3)};
            switch (random.nextInt(4)) {
                case 0, 1 -> {
                    byte[] bytes = new byte[size];
                    random.nextBytes(bytes);
                    System.arraycopy(bytes, 0, model, at, size);
                    int done = 0;
                    for (MemorySegment each : buffers) {
                        int n = (int) each.byteSize();
                        MemorySegment.copy(bytes, done, each, ValueLayout.JAVA_BYTE, 0, n);
                        done += n;
                    }
                    all.add(done(c -> BlockIo.write(at, buffers, c), disk));
                }
                case 2 -> {
                    Arrays.fill(model, at, at + size, (byte) 0);
                    all.add(done(c -> BlockIo.writeZeroes(at, size, c), disk));
                }
                default -> {
                    byte[] expected = Arrays.copyOfRange(model, at, at + size);
                    all.add(done(c -> BlockIo.read(at, buffers, c), disk));
                    checks.add(() -> assertThat(joined(buffers)).isEqualTo(expected));
                }
            }
        }
        for (CompletableFuture<Boolean> each : all) {
            assertThat(each.get()).isTrue();
        }
        checks.forEach(Runnable::run);
    }

    private static byte[] joined(MemorySegment[] buffers) {
        ByteBuffer out = ByteBuffer.allocate(SIZE);
        for (MemorySegment each : buffers) {
            out.put(each.asByteBuffer());
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    private static void readAll(NbdDisk disk, Arena arena, byte[] into) throws Exception {
        MemorySegment buffer = arena.allocate(SIZE);
        run(c -> BlockIo.read(0, new MemorySegment[] {buffer}, c), disk);
        MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, into, 0, SIZE);
    }

    @Test
    void holes_areReadAsZeroes() throws Exception {
        MemoryStorage storage = new MemoryStorage();
        Qcow2Spec.of(SIZE).create(storage, null);
        try (DiskImage image = Qcow2Files.open(storage, false, NONE, Qcow2Files.Repair.WHEN_DIRTY);
                NbdServer server = serve(image, false);
                NbdDisk disk = connect();
                Arena arena = Arena.ofShared()) {
            MemorySegment bytes = arena.allocate(65536);
            bytes.fill((byte) 5);
            run(c -> BlockIo.write(1 << 20, new MemorySegment[] {bytes}, c), disk);
            byte[] all = new byte[SIZE];
            Arrays.fill(all, (byte) 1);
            readAll(disk, arena, all);
            byte[] expected = new byte[SIZE];
            Arrays.fill(expected, 1 << 20, (1 << 20) + 65536, (byte) 5);
            assertThat(Arrays.mismatch(all, expected)).isEqualTo(-1);
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void operationLargerThanARequest_isDivided() throws Exception {
        int size = 80 << 20;
        try (RawImage image = new RawImage(new MemoryStorage(new byte[size]));
                NbdServer server = serve(image, false);
                NbdDisk disk = connect();
                Arena arena = Arena.ofShared()) {
            MemorySegment bytes = arena.allocate(size - 512);
            bytes.fill((byte) 7);
            run(c -> BlockIo.write(512, new MemorySegment[] {bytes}, c), disk);
            bytes.fill((byte) 0);
            run(c -> BlockIo.read(512, new MemorySegment[] {bytes}, c), disk);
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
            assertThat(bytes.get(ValueLayout.JAVA_BYTE, size - 513)).isEqualTo((byte) 7);
            assertThat(server.connections()).isEqualTo(1);
        }
    }

    @Test
    void serverGone_requestsWaitAndAreSentAgain() throws Exception {
        MemoryStorage storage = new MemoryStorage(new byte[SIZE]);
        RawImage image = new RawImage(storage);
        NbdServer first = serve(image, false);
        try (NbdDisk disk = connect();
                Arena arena = Arena.ofShared()) {
            List<CompletableFuture<Boolean>> all = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                MemorySegment bytes = arena.allocate(65536);
                bytes.fill((byte) i);
                long at = i * 65536L;
                all.add(done(c -> BlockIo.write(at, new MemorySegment[] {bytes}, c), disk));
                if (i == 20) {
                    first.close();
                }
            }
            assertThat(all.getLast().isDone()).isFalse();
            try (NbdServer second = serve(image, false)) {
                for (CompletableFuture<Boolean> each : all) {
                    assertThat(each.get()).isTrue();
                }
                assertThat(disk.reconnects()).isPositive();
                assertThat(second.connections()).isEqualTo(1);
            }
        }
        for (int i = 0; i < 64; i++) {
            assertThat(storage.contents()[i * 65536 + 65535]).isEqualTo((byte) i);
        }
    }

    @Test
    void serverGoneForGood_requestsFailWhenPatienceEnds() throws Exception {
        RawImage image = new RawImage(new MemoryStorage(new byte[SIZE]));
        NbdServer server = serve(image, false);
        try (NbdDisk disk = NbdDisk.open(address("disk"), false, "", Duration.ofMillis(300));
                Arena arena = Arena.ofShared()) {
            server.close();
            MemorySegment bytes = arena.allocate(512);
            assertThatThrownBy(
                            () -> run(c -> BlockIo.read(0, new MemorySegment[] {bytes}, c), disk))
                    .isInstanceOf(BlockException.class)
                    .hasMessageContaining("no connection");
        }
    }

    @Test
    void serverThatComesBackSmaller_isNotUsed() throws Exception {
        NbdServer server = serve(new RawImage(new MemoryStorage(new byte[SIZE])), false);
        try (NbdDisk disk = NbdDisk.open(address("disk"), false, "", Duration.ofSeconds(1));
                Arena arena = Arena.ofShared()) {
            server.close();
            try (NbdServer other = serve(new RawImage(new MemoryStorage(new byte[4096])), false)) {
                MemorySegment bytes = arena.allocate(512);
                assertThatThrownBy(() ->
                                run(c -> BlockIo.read(0, new MemorySegment[] {bytes}, c), disk))
                        .hasMessageContaining("smaller");
                assertThat(other.connections()).isLessThan(2);
            }
        }
    }

    @Test
    void readOnlyAndUnknownExports_areRefused() {
        try (RawImage image = new RawImage(new MemoryStorage(new byte[SIZE]));
                NbdServer server = serve(image, true)) {
            assertThatThrownBy(this::connect).hasMessageContaining("for reading only");
            assertThatThrownBy(() -> NbdDisk.open(address("other"), true, "", PATIENCE))
                    .hasMessageContaining("no such export");
            NbdDisk.open(address("disk"), true, "", PATIENCE).close();
            assertThat(server.connections()).isLessThan(3);
        }
        assertThatThrownBy(this::connect).isInstanceOf(BlockException.class);
    }

    @Test
    void server_randomBytesFromClients_endTheirConnectionOnly() throws Exception {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        MemoryStorage storage = new MemoryStorage(new byte[1 << 16]);
        try (RawImage image = new RawImage(storage);
                NbdServer server = serve(image, false)) {
            for (int i = 0; i < 100; i++) {
                try (SocketChannel client =
                        SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve("s")))) {
                    ByteBuffer bytes = hostileClient(new Random(seed + i));
                    while (bytes.hasRemaining()) {
                        int unusedWritten = client.write(bytes);
                    }
                    client.shutdownOutput();
                    ByteBuffer answer = ByteBuffer.allocate(1 << 16);
                    while (client.read(answer.clear()) >= 0) {}
                } catch (IOException e) {
                    // The server has closed first.
                    assertThat(e).as("seed %d", seed + i).isNotNull();
                }
            }
            assertThat(image.sizeBytes()).as("seed %d", seed).isEqualTo(1 << 16);
            assertThat(server.connections()).isLessThan(NbdServer.MAX_CONNECTIONS);
            NbdDisk disk = connect();
            disk.close();
        }
    }

    /** A handshake and requests, mostly well formed, with wrong values among them. */
    private static ByteBuffer hostileClient(Random random) {
        ByteBuffer out = ByteBuffer.allocate(1 << 17);
        out.putInt(random.nextInt(20) == 0 ? random.nextInt() : 3);
        for (int n = random.nextInt(4); n > 0; n--) {
            byte[] data = new byte[4 + random.nextInt(40)];
            random.nextBytes(data);
            ByteBuffer.wrap(data).putInt(0, 0).rewind();
            out.putLong(NbdLayout.OPTION_MAGIC).putInt(random.nextInt(12));
            out.putInt(random.nextInt(10) == 0 ? random.nextInt() : data.length).put(data);
        }
        if (random.nextBoolean()) {
            out.putLong(NbdLayout.OPTION_MAGIC).putInt(NbdLayout.OPT_STRUCTURED_REPLY).putInt(0);
            byte[] name = "base:allocation".getBytes(java.nio.charset.StandardCharsets.UTF_8);
            out.putLong(NbdLayout.OPTION_MAGIC).putInt(NbdLayout.OPT_SET_META_CONTEXT);
            out.putInt(12 + name.length).putInt(0).putInt(1).putInt(name.length).put(name);
        }
        out.putLong(NbdLayout.OPTION_MAGIC).putInt(NbdLayout.OPT_GO).putInt(6);
        out.putInt(0).putShort((short) 0);
        for (int n = random.nextInt(12); n > 0; n--) {
            int length = random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(1 << 12);
            out.putInt(random.nextInt(30) == 0 ? 1 : NbdLayout.REQUEST_MAGIC);
            out.putShort((short) (random.nextInt(3) == 0 ? random.nextInt(64) : 0));
            int type = random.nextInt(9);
            out.putShort((short) type).putLong(n);
            out.putLong(random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(1 << 16));
            out.putInt(length);
            if (type == NbdLayout.CMD_WRITE) {
                out.position(out.position() + Math.clamp(length, 0, 1 << 12));
            }
        }
        return out.flip();
    }

    @Test
    void client_randomBytesFromServers_areErrorsInOneLine() throws Exception {
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        for (int i = 0; i < 100; i++) {
            Random random = new Random(seed + i);
            Path socket = folder.resolve("h" + i);
            try (var listener =
                    java.nio.channels.ServerSocketChannel.open(
                            java.net.StandardProtocolFamily.UNIX)) {
                listener.bind(UnixDomainSocketAddress.of(socket));
                Thread.ofVirtual()
                        .start(() -> {
                            try (SocketChannel client = listener.accept();
                                    listener) {
                                ByteBuffer bytes = hostileServer(random);
                                while (bytes.hasRemaining()) {
                                    int unusedWritten = client.write(bytes);
                                }
                                client.shutdownOutput();
                                while (client.read(bytes.clear()) >= 0) {}
                            } catch (IOException e) {
                                Thread.currentThread().interrupt();
                            }
                        });
                NbdAddress at = NbdAddress.parse("nbd+unix:///?socket=" + socket);
                try (NbdDisk disk = NbdDisk.open(at, true, "", Duration.ofMillis(1));
                        Arena arena = Arena.ofShared()) {
                    MemorySegment bytes = arena.allocate(4096);
                    run(c -> BlockIo.read(0, new MemorySegment[] {bytes}, c), disk);
                } catch (BlockException e) {
                    assertThat(e.getMessage()).as("seed %d", seed + i).doesNotContain("\n");
                }
            }
        }
    }

    private static ByteBuffer hostileServer(Random random) {
        ByteBuffer out = ByteBuffer.allocate(1 << 16);
        out.putLong(NbdLayout.MAGIC).putLong(NbdLayout.OPTION_MAGIC).putShort((short) 3);
        reply(out, random, NbdLayout.OPT_STRUCTURED_REPLY, NbdLayout.REP_ACK, new byte[0]);
        ByteBuffer size = ByteBuffer.allocate(12).putShort((short) 0).putLong(1 << 20);
        reply(out, random, NbdLayout.OPT_GO, NbdLayout.REP_INFO, size.putShort((short) 3).array());
        reply(out, random, NbdLayout.OPT_GO, NbdLayout.REP_ACK, new byte[0]);
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            int[] types = {0, 1, 2, 5, 32769, 32770, 7};
            int type = types[random.nextInt(types.length)];
            int length = random.nextInt(5) == 0 ? random.nextInt() : 8 + 512 * random.nextInt(9);
            out.putInt(random.nextInt(20) == 0 ? 0 : NbdLayout.STRUCTURED_REPLY_MAGIC);
            out.putShort((short) random.nextInt(2)).putShort((short) type);
            out.putLong(random.nextInt(10) == 0 ? 1 : 0).putInt(length);
            out.putLong(random.nextInt(10) == 0 ? random.nextLong() : 512L * random.nextInt(8));
            out.position(out.position() + Math.clamp(length - 8, 0, 4096));
        }
        return out.flip();
    }

    private static void reply(ByteBuffer out, Random random, int option, int type, byte[] data) {
        boolean odd = random.nextInt(12) == 0;
        out.putLong(NbdLayout.OPTION_REPLY_MAGIC).putInt(option);
        out.putInt(odd ? random.nextInt() : type);
        out.putInt(odd ? random.nextInt(1 << 20) : data.length).put(data);
    }
}
