package dev.javisor.net.lan;

import dev.javisor.base.TimeSource;
import dev.javisor.net.Frame;
import dev.javisor.net.FrameSink;
import dev.javisor.net.MacAddress;
import dev.javisor.net.NetBackend;
import dev.javisor.net.NetException;
import dev.javisor.net.NetOffloads;
import dev.javisor.net.SelectorLoop;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A stream socket to another virtual machine or to a network in a process of its own: each frame
 * follows its length, 32 bits, big endian. It is what QEMU's {@code -netdev stream} and passt
 * speak. One peer at a time; while there is none, frames are lost as on an unplugged cable.
 *
 * <p>The peer is not trusted: a length that no frame has ends the connection, and what waits for
 * the guest waits in the socket.
 */
public final class StreamBackend implements NetBackend {
    /** Who opens the connection. */
    public enum Role {
        /** We do, again and again until the peer is there, and when it has gone. */
        CONNECT,
        /** The peer does; a second one is turned away. */
        LISTEN
    }

    private static final System.Logger LOG = System.getLogger(StreamBackend.class.getName());

    private static final long RETRY_NANOS = 1_000_000_000;

    private final SelectorLoop loop;
    private final SocketAddress address;
    private final TimeSource.Timer retry;
    private final TimeSource time;
    private final @Nullable ServerSocketChannel server;

    private final FrameReader reader = new FrameReader();

    /** The rest of a frame that the socket did not take at once; empty if there is none. */
    private final ByteBuffer unsent =
            ByteBuffer.allocateDirect(FrameReader.LENGTH_BYTES + Frame.MAX_BYTES).limit(0);

    private @Nullable SocketChannel peer;
    private @Nullable SelectionKey key;
    private boolean connected;

    /** Set by the timer's thread. */
    private volatile boolean retryDue;

    private volatile Runnable wake = () -> {};

    /**
     * @param loop the interface's I/O thread
     * @throws NetException if a listening address is not to be had
     */
    public StreamBackend(SelectorLoop loop, Role role, SocketAddress address, TimeSource time) {
        this.loop = loop;
        this.address = address;
        this.time = time;
        this.retry =
                time.timer(
                        "network stream",
                        () -> {
                            retryDue = true;
                            wake.run();
                        });
        this.server = role == Role.LISTEN ? listen(address) : null;
    }

    private static ServerSocketChannel listen(SocketAddress address) {
        try {
            ServerSocketChannel made = Sockets.server(address);
            try {
                made.configureBlocking(false);
                made.bind(address);
                return made;
            } catch (IOException e) {
                made.close();
                throw e;
            }
        } catch (IOException e) {
            throw new NetException("cannot listen on %s: %s".formatted(address, e.getMessage()), e);
        }
    }

    @Override
    public int mtuBytes() {
        return 1500;
    }

    /** The framing has no place for them. */
    @Override
    public NetOffloads accepted() {
        return NetOffloads.NONE;
    }

    @Override
    public void connect(Runnable wakeInterface) {
        wake = wakeInterface;
        try {
            if (server == null) {
                reach();
            } else {
                loop.register(server, SelectionKey.OP_ACCEPT, this::accept);
            }
        } catch (IOException e) {
            throw new NetException("network stream %s: %s".formatted(address, e.getMessage()), e);
        }
    }

    @Override
    public void start(MacAddress mac, NetOffloads guest) {}

    @Override
    public void change(NetOffloads guest) {}

    @Override
    public void stop() {}

    private void accept(SelectionKey listening) {
        try {
            SocketChannel made = ((ServerSocketChannel) listening.channel()).accept();
            if (made == null) {
                return;
            }
            if (peer != null) {
                made.close();
                return;
            }
            made.configureBlocking(false);
            adopt(made, SelectionKey.OP_READ);
            connected = true;
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "network stream: accepting", e);
        }
    }

    private void reach() {
        SocketChannel made = null;
        try {
            made = Sockets.client(address);
            made.configureBlocking(false);
            boolean now = made.connect(address);
            adopt(made, now ? SelectionKey.OP_READ : SelectionKey.OP_CONNECT);
            connected = now;
        } catch (IOException e) {
            close(made);
            lost(e);
        }
    }

    private void adopt(SocketChannel made, int operations) throws IOException {
        Sockets.sendAtOnce(made);
        reader.clear();
        unsent.limit(0);
        key = loop.register(made, operations, this::ready);
        peer = made;
    }

    private void ready(SelectionKey ready) {
        SocketChannel socket = (SocketChannel) ready.channel();
        try {
            if (ready.isConnectable()) {
                socket.finishConnect();
                connected = true;
                ready.interestOps(SelectionKey.OP_READ);
            }
            if (ready.isWritable()) {
                socket.write(unsent);
                if (!unsent.hasRemaining()) {
                    ready.interestOpsAnd(~SelectionKey.OP_WRITE);
                }
            }
            if (ready.isReadable()) {
                // Until the interface has taken what is there.
                ready.interestOpsAnd(~SelectionKey.OP_READ);
            }
            wake.run();
        } catch (IOException e) {
            lost(e);
        }
    }

    @Override
    public boolean send(Frame frame) {
        SocketChannel socket = peer;
        if (socket == null || !connected) {
            return true;
        }
        if (unsent.hasRemaining()) {
            return false;
        }
        int sizeBytes = frame.sizeBytes();
        unsent.clear();
        unsent.putInt(sizeBytes);
        // Copied: the socket may take a part now, and the frame is ours during this call only.
        for (MemorySegment part : frame.slices(0, sizeBytes)) {
            unsent.put(part.asByteBuffer());
        }
        unsent.flip();
        try {
            socket.write(unsent);
            SelectionKey registered = key;
            if (unsent.hasRemaining() && registered != null) {
                registered.interestOpsOr(SelectionKey.OP_WRITE);
            }
        } catch (IOException e) {
            lost(e);
        }
        return true;
    }

    @Override
    public void receive(FrameSink sink) {
        if (retryDue) {
            retryDue = false;
            if (peer == null) {
                reach();
            }
        }
        SocketChannel socket = peer;
        if (socket == null || !connected) {
            return;
        }
        try {
            while (reader.deliver(sink)) {
                int count = reader.fill(socket);
                if (count < 0) {
                    throw new IOException("the peer has closed the connection");
                }
                SelectionKey registered = key;
                if (count == 0 && registered != null) {
                    registered.interestOpsOr(SelectionKey.OP_READ);
                    return;
                }
            }
        } catch (IOException e) {
            lost(e);
        }
    }

    /** The connection is over; a frame of which a part is missing goes with it. */
    private void lost(IOException why) {
        LOG.log(System.Logger.Level.DEBUG, "network stream {0}: {1}", address, why.getMessage());
        close(peer);
        peer = null;
        key = null;
        connected = false;
        unsent.limit(0);
        if (server == null) {
            retry.arm(time.nanos() + RETRY_NANOS);
        }
    }

    @Override
    public void close() {
        retry.cancel();
        close(peer);
        close(server);
        if (server != null) {
            try {
                Sockets.forget(address);
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "network stream: removing the socket", e);
            }
        }
    }

    private static void close(@Nullable Channel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "network stream: closing", e);
            }
        }
    }
}
