package dev.javisor.net.user;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;

/**
 * The sockets of this host, as far as the stack uses them; in tests played by others. Nothing
 * blocks, and all of it, calls back included, happens on the network's thread.
 */
interface Outside extends AutoCloseable {
    /** Why a connection did not come about. */
    enum Failure {
        REFUSED,
        UNREACHABLE,
        TIMED_OUT,
        /** This host has no sockets left. */
        EXHAUSTED
    }

    /** What happens to a TCP socket. */
    interface TcpEvents {
        void connected();

        /** It is closed already. */
        void failed(Failure why);

        /** A read or a write, whichever was asked for, may get on. */
        void ready(boolean readable, boolean writable);
    }

    /** A TCP socket. */
    interface TcpSocket {
        /** Bytes read, 0 if there are none now, -1 at the end. */
        long read(ByteBuffer[] to, int count) throws IOException;

        /** Bytes written, 0 if it takes none now. */
        long write(ByteBuffer[] from, int count) throws IOException;

        /** What {@link TcpEvents#ready} is to be called for. */
        void interest(boolean read, boolean write);

        /** No more bytes follow. */
        void shutdownOutput() throws IOException;

        /** Ends it in good order. */
        void close();

        /** Ends it with a reset. */
        void reset();
    }

    /** Takes what arrives at a UDP socket. */
    interface UdpEvents {
        /** There may be something to {@link UdpSocket#receive}. */
        void readable();
    }

    /** A UDP socket. */
    interface UdpSocket {
        /** Sends to the one it is connected to, or that is named; false if it cannot. */
        boolean send(ByteBuffer datagram, InetSocketAddress to);

        /** The sender of the datagram that was put into {@code to}; null if there is none. */
        @org.jspecify.annotations.Nullable
        InetSocketAddress receive(ByteBuffer to) throws IOException;

        /** Whether {@link UdpEvents#readable} is to be called. */
        void interest(boolean read);

        void close();
    }

    /** Takes connections. */
    interface Acceptor {
        /** The events to call from then on; null to have it closed. */
        @org.jspecify.annotations.Nullable
        TcpEvents accepted(TcpSocket socket);
    }

    /**
     * Begins to connect.
     *
     * @throws IOException if this host has no socket for it
     */
    TcpSocket connect(InetSocketAddress to, TcpEvents events) throws IOException;

    /**
     * Takes connections until closed with everything else.
     *
     * @throws IOException if it cannot listen there
     */
    InetSocketAddress listen(InetSocketAddress at, Acceptor acceptor) throws IOException;

    /** A socket that talks to one peer only. */
    UdpSocket connectUdp(InetSocketAddress to, UdpEvents events) throws IOException;

    /** A socket that talks to anybody. */
    UdpSocket bindUdp(InetSocketAddress at, UdpEvents events) throws IOException;

    @Override
    void close();
}
