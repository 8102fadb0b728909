package dev.javisor.net.lan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.net.ArrayFrame;
import dev.javisor.net.CollectingSink;
import dev.javisor.net.NetException;
import dev.javisor.net.SelectorLoop;
import dev.javisor.net.lan.StreamBackend.Role;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The backend on a loop of its own, and its peer as blocking sockets of the test. */
final class StreamBackendTest {
    private static final long WAKE = 1;
    private static final long TASK = 2;

    @TempDir Path directory;

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final SelectorLoop loop = new SelectorLoop("stream test");
    private final CollectingSink sink = new CollectingSink(Integer.MAX_VALUE);
    private final LinkedBlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    private final LinkedBlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
    private @Nullable StreamBackend backend;

    @AfterEach
    void close() {
        loop.close();
        if (backend != null) {
            backend.close();
        }
    }

    private void start(StreamBackend made) throws Exception {
        backend = made;
        loop.start(bits -> {
            for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
                task.run();
            }
            made.receive(sink);
            arrived.addAll(sink.frames);
            sink.frames.clear();
        });
        onLoop(() -> {
            made.connect(() -> loop.signal(WAKE));
            return true;
        });
    }

    private <T> T onLoop(Supplier<T> work)
            throws InterruptedException, ExecutionException, TimeoutException {
        CompletableFuture<T> done = new CompletableFuture<>();
        tasks.add(() -> done.complete(work.get()));
        loop.signal(TASK);
        return done.get(60, TimeUnit.SECONDS);
    }

    private boolean send(byte[] frame) throws Exception {
        return onLoop(() -> Objects.requireNonNull(backend).send(ArrayFrame.of(frame)));
    }

    private byte[] awaitFrame() throws InterruptedException {
        byte[] frame = arrived.poll(60, TimeUnit.SECONDS);
        assertThat(frame).isNotNull();
        return frame;
    }

    private UnixDomainSocketAddress unix() {
        return UnixDomainSocketAddress.of(directory.resolve("s"));
    }

    private static void write(SocketChannel peer, byte[] frame) throws IOException {
        DataOutputStream out = new DataOutputStream(Channels.newOutputStream(peer));
        out.writeInt(frame.length);
        out.write(frame);
        out.flush();
    }

    private static byte[] read(SocketChannel peer) throws IOException {
        DataInputStream in = new DataInputStream(Channels.newInputStream(peer));
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        return frame;
    }

    @Test
    void listen_onePeer_framesPassBothWays() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        try (SocketChannel peer = SocketChannel.open(unix())) {
            write(peer, new byte[] {1, 2, 3});
            assertThat(awaitFrame()).containsExactly(1, 2, 3);
            assertThat(send(new byte[1514])).isTrue();
            assertThat(read(peer)).hasSize(1514);
        }
    }

    @Test
    void listen_aSecondPeer_isTurnedAway() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        try (SocketChannel first = SocketChannel.open(unix())) {
            write(first, new byte[] {1});
            awaitFrame();
            try (SocketChannel second = SocketChannel.open(unix())) {
                assertThat(second.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            }
            write(first, new byte[] {2});
            assertThat(awaitFrame()).containsExactly(2);
        }
    }

    @Test
    void listen_aLengthThatNoFrameHas_endsTheConnectionAndTakesTheNext() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        for (int length : new int[] {0, -1, 1 << 30}) {
            try (SocketChannel peer = SocketChannel.open(unix())) {
                new DataOutputStream(Channels.newOutputStream(peer)).writeInt(length);
                assertThat(peer.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            }
        }
        try (SocketChannel peer = SocketChannel.open(unix())) {
            write(peer, new byte[] {7});
            assertThat(awaitFrame()).containsExactly(7);
        }
    }

    @Test
    void listen_aFrameInManyPieces_isPutTogether() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        try (SocketChannel peer = SocketChannel.open(unix())) {
            var out = Channels.newOutputStream(peer);
            for (int b : new int[] {0, 0, 0, 4, 9, 8, 7, 6, 0, 0, 0, 1, 5}) {
                out.write(b);
            }
            assertThat(awaitFrame()).containsExactly(9, 8, 7, 6);
            assertThat(awaitFrame()).containsExactly(5);
        }
    }

    @Test
    void listen_aPeerThatReadsNothing_isNotWaitedFor() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        try (SocketChannel peer = SocketChannel.open(unix())) {
            write(peer, new byte[] {1});
            awaitFrame();
            int sent = 0;
            while (send(new byte[60_000])) {
                sent++;
                assertThat(sent).isLessThan(10_000);
            }
            for (int i = 0; i < sent; i++) {
                assertThat(read(peer)).hasSize(60_000);
            }
            assertThat(send(new byte[] {3})).isTrue();
            assertThat(read(peer)).containsExactly(3);
        }
    }

    @Test
    void listen_aGuestWithoutBuffers_keepsFramesInOrder() throws Exception {
        start(new StreamBackend(loop, Role.LISTEN, unix(), time));
        onLoop(() -> sink.free = 0);
        try (SocketChannel peer = SocketChannel.open(unix())) {
            for (int i = 0; i < 100; i++) {
                write(peer, new byte[] {(byte) i});
            }
            onLoop(() -> sink.free = 50);
            for (int i = 0; i < 50; i++) {
                assertThat(awaitFrame()).containsExactly(i);
            }
            assertThat(arrived).isEmpty();
            onLoop(() -> sink.free = Integer.MAX_VALUE);
            for (int i = 50; i < 100; i++) {
                assertThat(awaitFrame()).containsExactly(i);
            }
        }
    }

    @Test
    void connect_noPeerYet_losesFramesAndTriesAgain() throws Exception {
        InetSocketAddress address;
        try (ServerSocketChannel probe = ServerSocketChannel.open()) {
            probe.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            address = (InetSocketAddress) probe.getLocalAddress();
        }
        start(new StreamBackend(loop, Role.CONNECT, address, time));
        assertThat(send(new byte[] {1})).isTrue();
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(address);
            server.configureBlocking(false);
            SocketChannel peer = null;
            for (int i = 0; peer == null && i < 6000; i++) {
                onLoop(() -> true);
                time.advance(1_000_000_000);
                Thread.onSpinWait();
                peer = server.accept();
            }
            Objects.requireNonNull(peer, "nobody connected").configureBlocking(true);
            write(peer, new byte[] {5});
            assertThat(awaitFrame()).containsExactly(5);
            assertThat(send(new byte[] {6})).isTrue();
            assertThat(read(peer)).containsExactly(6);
            peer.close();
        }
    }

    @Test
    void listen_anAddressInUse_isRefusedByName() {
        backend = new StreamBackend(loop, Role.LISTEN, unix(), time);
        assertThatThrownBy(() -> new StreamBackend(loop, Role.LISTEN, unix(), time))
                .isInstanceOf(NetException.class)
                .hasMessageContaining(unix().toString());
    }
}
