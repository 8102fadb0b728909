package dev.javisor.net.user;

import dev.javisor.net.SelectorLoop;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** This host's sockets, on the network's {@link SelectorLoop}. */
final class NioOutside implements Outside {
    private static final System.Logger LOG = System.getLogger(NioOutside.class.getName());

    /** Connections taken in one go, so that others get their turn. */
    private static final int MAX_ACCEPTS = 64;

    private final SelectorLoop loop;
    private final Set<AutoCloseable> open = new HashSet<>();

    NioOutside(SelectorLoop loop) {
        this.loop = loop;
    }

    @Override
    public TcpSocket connect(InetSocketAddress to, TcpEvents events) throws IOException {
        SocketChannel channel = SocketChannel.open();
        try {
            channel.configureBlocking(false);
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            Tcp socket = new Tcp(channel, events);
            socket.key = loop.register(channel, SelectionKey.OP_CONNECT, socket);
            open.add(channel);
            if (channel.connect(to)) {
                // Not before the caller has the socket: let the loop find it connected.
                socket.connectedAtOnce = true;
                socket.key.interestOps(SelectionKey.OP_WRITE);
            }
            return socket;
        } catch (IOException e) {
            release(channel);
            throw e;
        } catch (RuntimeException e) {
            // An address of a kind that this host does not have.
            release(channel);
            throw new IOException("connecting to " + to, e);
        }
    }

    @Override
    public InetSocketAddress listen(InetSocketAddress at, Acceptor acceptor) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open();
        try {
            server.configureBlocking(false);
            server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            server.bind(at, 128);
            loop.register(server, SelectionKey.OP_ACCEPT, key -> acceptAll(server, acceptor));
            open.add(server);
            return (InetSocketAddress) server.getLocalAddress();
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    private void acceptAll(ServerSocketChannel server, Acceptor acceptor) {
        for (int i = 0; i < MAX_ACCEPTS; i++) {
            try {
                SocketChannel channel = server.accept();
                if (channel == null) {
                    return;
                }
                channel.configureBlocking(false);
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                Tcp socket = new Tcp(channel, null);
                socket.key = loop.register(channel, 0, socket);
                open.add(channel);
                TcpEvents events = acceptor.accepted(socket);
                if (events == null) {
                    socket.reset();
                } else {
                    socket.events = events;
                }
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "accepting a connection", e);
                return;
            }
        }
    }

    @Override
    public UdpSocket connectUdp(InetSocketAddress to, UdpEvents events) throws IOException {
        DatagramChannel channel = DatagramChannel.open();
        try {
            channel.configureBlocking(false);
            channel.connect(to);
            return register(channel, to, events);
        } catch (IOException e) {
            release(channel);
            throw e;
        } catch (RuntimeException e) {
            release(channel);
            throw new IOException("sending to " + to, e);
        }
    }

    @Override
    public UdpSocket bindUdp(InetSocketAddress at, UdpEvents events) throws IOException {
        DatagramChannel channel = DatagramChannel.open();
        try {
            channel.configureBlocking(false);
            channel.bind(at);
            return register(channel, null, events);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private UdpSocket register(
            DatagramChannel channel, @Nullable InetSocketAddress peer, UdpEvents events)
            throws IOException {
        SelectionKey key = loop.register(channel, SelectionKey.OP_READ, k -> events.readable());
        open.add(channel);
        return new Udp(channel, key, peer);
    }

    @Override
    public void close() {
        for (AutoCloseable each : List.copyOf(open)) {
            release(each);
        }
    }

    private void release(AutoCloseable channel) {
        open.remove(channel);
        try {
            channel.close();
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "closing a socket", e);
        }
    }

    private final class Tcp implements TcpSocket, SelectorLoop.Ready {
        private final SocketChannel channel;
        private @Nullable TcpEvents events;
        private @Nullable SelectionKey key;
        private boolean connectedAtOnce;

        Tcp(SocketChannel channel, @Nullable TcpEvents events) {
            this.channel = channel;
            this.events = events;
        }

        @Override
        public void ready(SelectionKey ready) {
            TcpEvents to = events;
            if (to == null) {
                return;
            }
            if (ready.isConnectable() || connectedAtOnce) {
                connectedAtOnce = false;
                finishConnect(ready, to);
                return;
            }
            to.ready(ready.isReadable(), ready.isWritable());
        }

        private void finishConnect(SelectionKey ready, TcpEvents to) {
            try {
                channel.finishConnect();
            } catch (IOException e) {
                release(channel);
                to.failed(failure(e));
                return;
            }
            ready.interestOps(0);
            to.connected();
        }

        private static Failure failure(IOException e) {
            String why = String.valueOf(e.getMessage());
            if (why.contains("timed out")) {
                return Failure.TIMED_OUT;
            }
            // Its sibling NoRouteToHostException is not one.
            return e instanceof ConnectException && !why.contains("unreachable")
                    ? Failure.REFUSED
                    : Failure.UNREACHABLE;
        }

        @Override
        public long read(ByteBuffer[] to, int count) throws IOException {
            return channel.read(to, 0, count);
        }

        @Override
        public long write(ByteBuffer[] from, int count) throws IOException {
            return channel.write(from, 0, count);
        }

        @Override
        public void interest(boolean read, boolean write) {
            SelectionKey now = key;
            if (now != null && now.isValid()) {
                int wanted =
                        (read ? SelectionKey.OP_READ : 0) | (write ? SelectionKey.OP_WRITE : 0);
                if (now.interestOps() != wanted) {
                    now.interestOps(wanted);
                }
            }
        }

        @Override
        public void shutdownOutput() throws IOException {
            channel.shutdownOutput();
        }

        @Override
        public void close() {
            release(channel);
        }

        @Override
        public void reset() {
            try {
                channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "resetting a socket", e);
            }
            release(channel);
        }
    }

    private final class Udp implements UdpSocket {
        private final DatagramChannel channel;
        private final SelectionKey key;
        private final @Nullable InetSocketAddress peer;

        Udp(DatagramChannel channel, SelectionKey key, @Nullable InetSocketAddress peer) {
            this.channel = channel;
            this.key = key;
            this.peer = peer;
        }

        @Override
        public boolean send(ByteBuffer datagram, InetSocketAddress to) {
            try {
                return (peer != null ? channel.write(datagram) : channel.send(datagram, to)) > 0;
            } catch (PortUnreachableException e) {
                return false;
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "sending a datagram", e);
                return false;
            }
        }

        @Override
        public @Nullable InetSocketAddress receive(ByteBuffer to) throws IOException {
            if (peer != null) {
                return channel.read(to) >= 0 && to.position() > 0 ? peer : null;
            }
            return (InetSocketAddress) channel.receive(to);
        }

        @Override
        public void interest(boolean read) {
            if (key.isValid()) {
                key.interestOps(read ? SelectionKey.OP_READ : 0);
            }
        }

        @Override
        public void close() {
            release(channel);
        }
    }
}
