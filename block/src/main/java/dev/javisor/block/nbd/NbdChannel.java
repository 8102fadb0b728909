package dev.javisor.block.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/** A connection's bytes, plain or in TLS. One thread reads, one at a time writes. */
final class NbdChannel implements AutoCloseable {
    private final SocketChannel socket;
    private final ReadableByteChannel in;
    private final WritableByteChannel out;
    private final boolean secured;

    private NbdChannel(
            SocketChannel socket,
            ReadableByteChannel in,
            WritableByteChannel out,
            boolean secured) {
        this.socket = socket;
        this.in = in;
        this.out = out;
        this.secured = secured;
    }

    /**
     * @param socket blocking; closed with this
     */
    static NbdChannel of(SocketChannel socket) throws IOException {
        if (socket.getRemoteAddress() instanceof InetSocketAddress) {
            socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        }
        return new NbdChannel(socket, socket, socket, false);
    }

    boolean isSecured() {
        return secured;
    }

    /** Whether the way there knows TLS: the platform has none over Unix sockets. */
    boolean canBeSecured() throws IOException {
        return !secured && socket.getRemoteAddress() instanceof InetSocketAddress;
    }

    /** The same connection in TLS, after its handshake. This one is not to be used any more. */
    NbdChannel secured(NbdTls tls, boolean server, String host) throws IOException {
        SSLSocket wrapped =
                (SSLSocket)
                        tls.context()
                                .getSocketFactory()
                                .createSocket(
                                        socket.socket(), host, socket.socket().getPort(), true);
        wrapped.setUseClientMode(!server);
        if (server) {
            wrapped.setNeedClientAuth(tls.verifiesPeer());
        } else {
            SSLParameters parameters = wrapped.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            wrapped.setSSLParameters(parameters);
        }
        wrapped.startHandshake();
        return new NbdChannel(
                socket,
                Channels.newChannel(wrapped.getInputStream()),
                Channels.newChannel(wrapped.getOutputStream()),
                true);
    }

    /** Fills all of it. */
    void read(ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            if (in.read(into) < 0) {
                throw new EOFException("the other side has closed the connection");
            }
        }
    }

    /** Reads that many bytes into a new buffer: only for counts that were checked. */
    ByteBuffer read(int sizeBytes) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(sizeBytes);
        read(bytes);
        return bytes.flip();
    }

    void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            int unusedWritten = out.write(bytes);
        }
    }

    /** Writes a header and what follows it. */
    void write(ByteBuffer header, List<ByteBuffer> rest) throws IOException {
        if (out instanceof SocketChannel plain && rest.size() == 1) {
            ByteBuffer[] both = {header, rest.getFirst()};
            while (header.hasRemaining() || both[1].hasRemaining()) {
                long unusedWritten = plain.write(both);
            }
            return;
        }
        write(header);
        for (ByteBuffer each : rest) {
            write(each);
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
