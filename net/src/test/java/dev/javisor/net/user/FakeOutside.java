package dev.javisor.net.user;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The other side of the stack: sockets that lead to applications which the test plays. */
final class FakeOutside implements Outside {
    /** What happens to who connects. */
    enum Answer {
        ACCEPT,
        REFUSE,
        UNREACHABLE,
        HANG,
        EXHAUSTED
    }

    Answer answer = Answer.ACCEPT;

    /** What a socket holds for an application that does not read. */
    int socketBytes = 64 << 10;

    /** Every socket that was ever made, in order. */
    final List<Peer> peers = new ArrayList<>();

    final List<Datagrams> datagrams = new ArrayList<>();
    final Map<InetSocketAddress, Acceptor> acceptors = new HashMap<>();
    int openSockets;

    /** A TCP socket and the application behind it. */
    final class Peer implements TcpSocket {
        final InetSocketAddress address;
        @Nullable TcpEvents events;

        /** Written by the stack, not yet read by the application. */
        final ByteArrayOutputStream pending = new ByteArrayOutputStream();

        /** Read by the application. */
        final ByteArrayOutputStream received = new ByteArrayOutputStream();

        /** Reads as soon as something comes. */
        boolean eager = true;

        private byte[] sending = new byte[0];
        private int sent;
        private boolean ended;
        boolean broken;
        boolean outputShut;
        boolean closed;
        boolean reset;
        private boolean reading;
        private boolean writing;

        Peer(InetSocketAddress address, @Nullable TcpEvents events) {
            this.address = address;
            this.events = events;
            openSockets++;
        }

        /** The application sends. */
        void send(byte[] bytes) {
            if (sent == sending.length) {
                sending = bytes;
                sent = 0;
                return;
            }
            byte[] all = new byte[sending.length - sent + bytes.length];
            System.arraycopy(sending, sent, all, 0, sending.length - sent);
            System.arraycopy(bytes, 0, all, sending.length - sent, bytes.length);
            sending = all;
            sent = 0;
        }

        /** The application has said all. */
        void end() {
            ended = true;
        }

        /** The application reads. */
        void take(int most) {
            byte[] all = pending.toByteArray();
            int n = Math.min(most, all.length);
            received.write(all, 0, n);
            pending.reset();
            pending.write(all, n, all.length - n);
        }

        int unread() {
            return sending.length - sent;
        }

        @Override
        public long read(ByteBuffer[] to, int count) throws IOException {
            check();
            long total = 0;
            for (int i = 0; i < count && sent < sending.length; i++) {
                int n = Math.min(to[i].remaining(), sending.length - sent);
                to[i].put(sending, sent, n);
                sent += n;
                total += n;
            }
            return total == 0 && ended ? -1 : total;
        }

        @Override
        public long write(ByteBuffer[] from, int count) throws IOException {
            check();
            if (outputShut) {
                throw new IOException("written after the end");
            }
            long total = 0;
            for (int i = 0; i < count; i++) {
                int n = Math.min(from[i].remaining(), socketBytes - pending.size());
                byte[] bytes = new byte[n];
                from[i].get(bytes);
                pending.write(bytes, 0, n);
                total += n;
            }
            if (eager) {
                take(Integer.MAX_VALUE);
            }
            return total;
        }

        private void check() throws IOException {
            if (broken) {
                throw new IOException("Connection reset");
            }
            if (closed) {
                throw new IllegalStateException("used after its end");
            }
        }

        @Override
        public void interest(boolean read, boolean write) {
            reading = read;
            writing = write;
        }

        boolean isReading() {
            return reading;
        }

        @Override
        public void shutdownOutput() {
            outputShut = true;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                openSockets--;
            }
        }

        @Override
        public void reset() {
            reset = true;
            close();
        }

        /** As a selector would; answers whether something was ready. */
        private boolean fire() {
            TcpEvents to = events;
            if (closed || to == null) {
                return false;
            }
            boolean readable = reading && (sent < sending.length || ended || broken);
            boolean writable = writing && (pending.size() < socketBytes || broken);
            if (readable || writable) {
                to.ready(readable, writable);
            }
            return readable || writable;
        }
    }

    /** A UDP socket. */
    final class Datagrams implements UdpSocket {
        final @Nullable InetSocketAddress peer;
        final UdpEvents events;
        final List<byte[]> sent = new ArrayList<>();
        final List<InetSocketAddress> sentTo = new ArrayList<>();
        private final ArrayDeque<byte[]> arrived = new ArrayDeque<>();
        private final ArrayDeque<InetSocketAddress> from = new ArrayDeque<>();
        boolean reading = true;
        boolean closed;
        boolean refusing;

        Datagrams(@Nullable InetSocketAddress peer, UdpEvents events) {
            this.peer = peer;
            this.events = events;
            openSockets++;
        }

        void arrive(byte[] bytes, InetSocketAddress sender) {
            arrived.add(bytes);
            from.add(sender);
        }

        @Override
        public boolean send(ByteBuffer datagram, InetSocketAddress to) {
            byte[] bytes = new byte[datagram.remaining()];
            datagram.get(bytes);
            sent.add(bytes);
            sentTo.add(to);
            return true;
        }

        @Override
        public @Nullable InetSocketAddress receive(ByteBuffer to) throws IOException {
            if (refusing) {
                refusing = false;
                throw new java.net.PortUnreachableException("refused");
            }
            byte[] bytes = arrived.poll();
            if (bytes == null) {
                return null;
            }
            to.put(bytes);
            return from.remove();
        }

        @Override
        public void interest(boolean read) {
            reading = read;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                openSockets--;
            }
        }
    }

    private final List<Peer> connecting = new ArrayList<>();

    @Override
    public TcpSocket connect(InetSocketAddress to, TcpEvents events) throws IOException {
        if (answer == Answer.EXHAUSTED) {
            throw new IOException("Too many open files");
        }
        Peer peer = new Peer(to, events);
        peers.add(peer);
        connecting.add(peer);
        return peer;
    }

    @Override
    public InetSocketAddress listen(InetSocketAddress at, Acceptor acceptor) throws IOException {
        if (acceptors.putIfAbsent(at, acceptor) != null) {
            throw new IOException("Address already in use");
        }
        return at;
    }

    /** Somebody connects to a port that is forwarded; null if that was refused. */
    @Nullable Peer arrive(InetSocketAddress at) {
        Acceptor acceptor = acceptors.get(at);
        if (acceptor == null) {
            throw new IllegalStateException("nobody listens at " + at);
        }
        Peer peer = new Peer(at, null);
        peers.add(peer);
        peer.events = acceptor.accepted(peer);
        if (peer.events == null) {
            peer.reset();
            return null;
        }
        return peer;
    }

    @Override
    public UdpSocket connectUdp(InetSocketAddress to, UdpEvents events) {
        Datagrams made = new Datagrams(to, events);
        datagrams.add(made);
        return made;
    }

    @Override
    public UdpSocket bindUdp(InetSocketAddress at, UdpEvents events) {
        Datagrams made = new Datagrams(null, events);
        datagrams.add(made);
        return made;
    }

    /**
     * Calls back whoever waits; answers whether anybody did.
     *
     * @param firstPeer sockets before this one are left out
     */
    boolean fire(int firstPeer) {
        boolean any = false;
        if (answer != Answer.HANG) {
            for (Peer peer : List.copyOf(connecting)) {
                connecting.remove(peer);
                TcpEvents to = peer.events;
                if (peer.closed || to == null) {
                    continue;
                }
                any = true;
                switch (answer) {
                    case ACCEPT -> to.connected();
                    case REFUSE -> {
                        peer.close();
                        to.failed(Failure.REFUSED);
                    }
                    case UNREACHABLE -> {
                        peer.close();
                        to.failed(Failure.UNREACHABLE);
                    }
                    case HANG, EXHAUSTED -> {}
                }
            }
        }
        for (int i = firstPeer; i < peers.size(); i++) {
            any |= peers.get(i).fire();
        }
        for (Datagrams socket : List.copyOf(datagrams)) {
            if (!socket.closed
                    && socket.reading
                    && (!socket.arrived.isEmpty() || socket.refusing)) {
                socket.events.readable();
                any = true;
            }
        }
        return any;
    }

    @Override
    public void close() {
        peers.forEach(Peer::close);
        datagrams.forEach(Datagrams::close);
    }
}
