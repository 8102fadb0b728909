package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.BlockException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A client's connection after its handshake. The server is not trusted: what it says is checked,
 * and makes us allocate no more than a few KiB.
 *
 * @param flags of the transmission, as the server gives them
 * @param structured whether reads are answered in chunks
 * @param minBytes smallest block, a power of two
 * @param maxBytes most bytes of a read or write
 */
record NbdConnection(
        NbdChannel channel,
        long sizeBytes,
        int flags,
        boolean structured,
        int minBytes,
        int maxBytes) {
    private static final int CONNECT_MILLIS = 10_000;

    /** For the whole handshake. */
    private static final Duration HANDSHAKE = Duration.ofSeconds(20);

    private static final int MAX_REPLY_BYTES = 1 << 14;
    private static final int MAX_REPLIES = 256;
    private static final int MAX_BLOCK_BYTES = 1 << 16;

    /**
     * @throws BlockException if there is no such server, or it does not want us
     * @throws IOException if it behaves badly, or is gone
     */
    static NbdConnection open(NbdAddress address) throws IOException {
        SocketAddress at = address.socketAddress();
        if (at instanceof InetSocketAddress inet && inet.isUnresolved()) {
            throw new BlockException(
                    "disk %s: no host '%s' is known".formatted(address, address.host()));
        }
        boolean unix = !(at instanceof InetSocketAddress);
        SocketChannel socket =
                unix ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
        AtomicBoolean ready = new AtomicBoolean();
        try {
            if (unix) {
                boolean unusedConnected = socket.connect(at);
            } else {
                socket.socket().connect(at, CONNECT_MILLIS);
            }
            Thread.ofVirtual().start(() -> limit(socket, ready));
            NbdConnection made = new Handshake(NbdChannel.of(socket), address).run();
            ready.set(true);
            return made;
        } finally {
            if (!ready.get()) {
                socket.close();
            }
        }
    }

    private static void limit(SocketChannel socket, AtomicBoolean ready) {
        try {
            Thread.sleep(HANDSHAKE);
            if (!ready.get()) {
                socket.close();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            System.getLogger(NbdConnection.class.getName())
                    .log(System.Logger.Level.DEBUG, "nbd: closing", e);
        }
    }

    /** An option's reply. */
    private record Reply(int type, ByteBuffer data) {
        boolean isError() {
            return (type & REP_ERROR) != 0;
        }
    }

    private static final class Handshake {
        private NbdChannel channel;
        private final NbdAddress address;
        private final byte[] name;

        Handshake(NbdChannel channel, NbdAddress address) {
            this.channel = channel;
            this.address = address;
            name = address.export().getBytes(StandardCharsets.UTF_8);
        }

        NbdConnection run() throws IOException {
            ByteBuffer hello = channel.read(18);
            if (hello.getLong() != MAGIC || hello.getLong() != OPTION_MAGIC) {
                throw refused("what answers there is no NBD server of the newstyle kind");
            }
            int offered = hello.getShort();
            int flags = offered & (FIXED_NEWSTYLE | NO_ZEROES);
            channel.write(ByteBuffer.allocate(4).putInt(flags).flip());
            if ((flags & FIXED_NEWSTYLE) == 0) {
                if (address.tls()) {
                    throw refused("the server does not know TLS");
                }
                return exportName((flags & NO_ZEROES) != 0, false);
            }
            if (address.tls()) {
                startTls();
            }
            option(OPT_STRUCTURED_REPLY, new byte[0]);
            boolean structured = reply(OPT_STRUCTURED_REPLY).type == REP_ACK;
            ByteBuffer ask = ByteBuffer.allocate(8 + name.length);
            ask.putInt(name.length).put(name).putShort((short) 1);
            option(OPT_GO, ask.putShort((short) INFO_BLOCK_SIZE).array());
            return go(structured, (flags & NO_ZEROES) != 0);
        }

        private BlockException refused(String why) {
            return new BlockException("disk %s: %s".formatted(address, why));
        }

        private void option(int option, byte[] data) throws IOException {
            ByteBuffer out = ByteBuffer.allocate(16 + data.length);
            out.putLong(OPTION_MAGIC).putInt(option).putInt(data.length).put(data);
            channel.write(out.flip());
        }

        private Reply reply(int option) throws IOException {
            ByteBuffer head = channel.read(20);
            if (head.getLong() != OPTION_REPLY_MAGIC || head.getInt() != option) {
                throw new IOException("not a reply to option " + option);
            }
            int type = head.getInt();
            int length = head.getInt();
            if (length < 0 || length > MAX_REPLY_BYTES) {
                throw new IOException("a reply of %d bytes".formatted(length & 0xFFFF_FFFFL));
            }
            return new Reply(type, channel.read(length));
        }

        private void startTls() throws IOException {
            option(OPT_STARTTLS, new byte[0]);
            if (reply(OPT_STARTTLS).type != REP_ACK) {
                throw refused("the server does not know TLS");
            }
            NbdTls tls =
                    address.certificates().isPresent()
                            ? NbdTls.client(address.certificates().get())
                            : NbdTls.client();
            channel = channel.secured(tls, false, address.host());
        }

        private NbdConnection go(boolean structured, boolean noZeroes) throws IOException {
            long size = -1;
            int flags = 0;
            int min = 1;
            int max = MAX_PAYLOAD;
            for (int i = 0; i < MAX_REPLIES; i++) {
                Reply reply = reply(OPT_GO);
                if (reply.type == REP_ERR_UNSUP) {
                    return exportName(noZeroes, structured);
                }
                if (reply.isError()) {
                    throw refused(reason(reply));
                }
                if (reply.type == REP_ACK) {
                    return made(size, flags, structured, min, max);
                }
                ByteBuffer data = reply.data;
                if (reply.type != REP_INFO || data.remaining() < 2) {
                    throw new IOException("a reply of type " + reply.type);
                }
                int type = data.getShort() & 0xFFFF;
                if (type == INFO_EXPORT && data.remaining() == 10) {
                    size = data.getLong();
                    flags = data.getShort() & 0xFFFF;
                } else if (type == INFO_BLOCK_SIZE && data.remaining() == 12) {
                    min = data.getInt();
                    int unusedPreferred = data.getInt();
                    int most = data.getInt();
                    max = most <= 0 ? MAX_PAYLOAD : Math.min(most, MAX_PAYLOAD);
                }
            }
            throw new IOException("too many replies");
        }

        private static String reason(Reply reply) {
            String text = StandardCharsets.UTF_8.decode(reply.data).toString();
            String what =
                    switch (reply.type) {
                        case REP_ERR_UNKNOWN -> "the server has no such export";
                        case REP_ERR_TLS_REQD -> "the server wants TLS: nbds://";
                        default -> "the server refuses: %#x".formatted(reply.type);
                    };
            return text.isEmpty()
                    ? what
                    : "%s: %s".formatted(what, text.replaceAll("\\p{Cntrl}", "?"));
        }

        private NbdConnection exportName(boolean noZeroes, boolean structured) throws IOException {
            option(OPT_EXPORT_NAME, name);
            ByteBuffer answer = channel.read(noZeroes ? 10 : 10 + ZEROES);
            return made(answer.getLong(), answer.getShort() & 0xFFFF, structured, 1, MAX_PAYLOAD);
        }

        private NbdConnection made(long size, int flags, boolean structured, int min, int max) {
            if (size < 0) {
                throw refused("the server gives no size");
            }
            if (min < 1 || Integer.bitCount(min) != 1 || min > MAX_BLOCK_BYTES || max < min) {
                throw refused("the server wants blocks of %d to %d bytes".formatted(min, max));
            }
            return new NbdConnection(channel, size, flags, structured, min, max & -min);
        }
    }
}
