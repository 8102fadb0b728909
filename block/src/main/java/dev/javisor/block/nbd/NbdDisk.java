package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A disk that an NBD server offers. One thread sends, and connects anew after the connection has
 * ended; one for each connection reads the replies. What was in flight is sent again: a request's
 * bytes stay the guest's until it completes, so a second time gives the same.
 *
 * <p>A server that crashes loses what it had acknowledged and not flushed, as a disk does that
 * loses its power; the guest is not told.
 */
public final class NbdDisk implements BlockBackend {
    private static final System.Logger LOG = System.getLogger(NbdDisk.class.getName());
    private static final int BLOCK_BYTES = 512;
    private static final int ID_CHARACTERS = 20;
    private static final long FIRST_PAUSE_NANOS = 50_000_000L;
    private static final long LONGEST_PAUSE_NANOS = 2_000_000_000L;

    /** A connection and the thread that reads from it. */
    private record Link(NbdConnection connection, CountDownLatch readerEnded) {}

    private final NbdAddress address;
    private final boolean readOnly;
    private final String id;
    private final long patienceNanos;
    private final NbdConnection first;
    private final int blockBytes;
    private final Thread sender;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // Guarded by the lock.
    private final ArrayDeque<NbdCall> waiting = new ArrayDeque<>();
    private final Map<Long, NbdCall> sent = new LinkedHashMap<>();
    private @Nullable Link link;

    /** The connection before: its reader may still be filling a buffer. */
    private @Nullable Link previous;

    private long nextCookie;
    private long lostNanos;
    private boolean closing;
    private int reconnects;

    /**
     * Connects.
     *
     * @param serial names the disk to the guest; empty for the export's name
     * @param patience how long requests wait for a server that is gone, before they fail
     */
    public static NbdDisk open(
            NbdAddress address, boolean readOnly, String serial, Duration patience) {
        NbdConnection connection;
        try {
            connection = NbdConnection.open(address);
        } catch (IOException e) {
            throw new BlockException("disk %s: %s".formatted(address, e.getMessage()), e);
        }
        if (!readOnly && (connection.flags() & READ_ONLY) != 0) {
            closeQuietly(connection.channel());
            throw new BlockException(
                    "disk %s: the server offers it for reading only: attach it read-only"
                            .formatted(address));
        }
        int block = Math.max(BLOCK_BYTES, connection.minBytes());
        if (connection.sizeBytes() < block || connection.maxBytes() < block) {
            closeQuietly(connection.channel());
            throw new BlockException(
                    "disk %s has %d bytes: too small for one block of %d"
                            .formatted(address, connection.sizeBytes(), block));
        }
        return new NbdDisk(address, readOnly, serial, patience, connection);
    }

    private NbdDisk(
            NbdAddress address,
            boolean readOnly,
            String serial,
            Duration patience,
            NbdConnection first) {
        this.address = address;
        this.readOnly = readOnly;
        this.first = first;
        patienceNanos = patience.toNanos();
        blockBytes = Math.max(BLOCK_BYTES, first.minBytes());
        String name = serial.isEmpty() ? address.export() : serial;
        String plain = (name.isEmpty() ? "nbd" : name).replaceAll("[^!-~]", "_");
        id = plain.substring(0, Math.min(plain.length(), ID_CHARACTERS));
        sender = Thread.ofPlatform().daemon().name("nbd-" + id).unstarted(this::send);
        lock.lock();
        try {
            begin(first);
        } finally {
            lock.unlock();
        }
        sender.start();
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public long sizeBytes() {
        return first.sizeBytes() & -blockBytes;
    }

    @Override
    public void grow(long sizeBytes) {
        throw new BlockException("disk %s: the protocol cannot change its size".formatted(address));
    }

    @Override
    public int blockSizeBytes() {
        return blockBytes;
    }

    @Override
    public boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public boolean canDiscard() {
        return !readOnly && (first.flags() & SEND_TRIM) != 0;
    }

    /** How often the connection was made anew. */
    public int reconnects() {
        lock.lock();
        try {
            return reconnects;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void submit(BlockIo io) {
        String refusal = refusal(io);
        if (refusal != null) {
            io.completion()
                    .completed(new BlockException("disk %s: %s".formatted(address, refusal)));
            return;
        }
        if (io.kind() == BlockIo.Kind.FLUSH && (first.flags() & SEND_FLUSH) == 0) {
            // The server has nothing that it would have to flush.
            io.completion().completed(null);
            return;
        }
        List<NbdCall> calls = NbdCall.of(io, first);
        lock.lock();
        try {
            if (!closing) {
                waiting.addAll(calls);
                changed.signalAll();
                return;
            }
        } finally {
            lock.unlock();
        }
        BlockException closed = new BlockException("disk %s is closed".formatted(address));
        calls.forEach(call -> call.done(closed));
    }

    private @Nullable String refusal(BlockIo io) {
        if (io.offset() < 0 || io.sizeBytes() < 0 || io.offset() > sizeBytes() - io.sizeBytes()) {
            return "%s beyond its end at %d".formatted(io.kind(), io.offset());
        }
        return switch (io.kind()) {
            case READ, FLUSH -> null;
            case WRITE, WRITE_ZEROES -> readOnly ? "it is read-only" : null;
            case DISCARD -> canDiscard() ? null : "discard is not supported";
        };
    }

    /** Makes a connection the one that is used. With the lock held. */
    private void begin(NbdConnection connection) {
        Link made = new Link(connection, new CountDownLatch(1));
        link = made;
        Thread.ofPlatform().daemon().name("nbd-" + id + "-in").start(() -> receive(made));
    }

    private void receive(Link from) {
        try {
            new NbdReplies(address.toString(), from.connection, new Sent()).run();
        } catch (IOException | RuntimeException e) {
            lost(from, e);
        } finally {
            from.readerEnded.countDown();
        }
    }

    private final class Sent implements NbdReplies.Calls {
        @Override
        public @Nullable NbdCall find(long cookie) {
            lock.lock();
            try {
                return sent.get(cookie);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public boolean end(long cookie) {
            lock.lock();
            try {
                boolean was = sent.remove(cookie) != null;
                changed.signalAll();
                return was;
            } finally {
                lock.unlock();
            }
        }
    }

    /** A connection has ended: what was in flight is to be sent again, before anything else. */
    private void lost(Link which, Exception why) {
        closeQuietly(which.connection.channel());
        lock.lock();
        try {
            if (link != which) {
                return;
            }
            link = null;
            lostNanos = System.nanoTime();
            List<NbdCall> again = new ArrayList<>(sent.values());
            sent.clear();
            again.reversed().forEach(waiting::addFirst);
            if (!closing) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        "disk %s: connection lost (%s)".formatted(address, why.getMessage()));
            }
            previous = which;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private static void awaitReader(Link of) {
        boolean interrupted = false;
        while (true) {
            try {
                of.readerEnded.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The sender's life. */
    private void send() {
        while (true) {
            Link to;
            @Nullable NbdCall call = null;
            long cookie = 0;
            lock.lock();
            try {
                while (link != null && waiting.isEmpty() && !(closing && sent.isEmpty())) {
                    changed.awaitUninterruptibly();
                }
                if (closing && waiting.isEmpty() && sent.isEmpty()) {
                    return;
                }
                to = link;
                if (to != null) {
                    call = waiting.remove();
                    call.begin();
                    cookie = nextCookie++;
                    sent.put(cookie, call);
                }
            } finally {
                lock.unlock();
            }
            if (to == null || call == null) {
                reconnect();
                continue;
            }
            try {
                to.connection.channel().write(call.header(cookie), call.payload());
            } catch (IOException e) {
                lost(to, e);
            } catch (RuntimeException e) {
                // The guest memory that the buffers belong to was freed, in the middle of a
                // request: the connection cannot go on, but this request must not be tried again.
                lock.lock();
                try {
                    sent.remove(cookie);
                } finally {
                    lock.unlock();
                }
                call.done(new BlockException("disk %s: %s".formatted(address, e), e));
                lost(to, e);
            }
        }
    }

    /** Until there is a connection, or nothing that waits for one while closing. */
    private void reconnect() {
        Link before;
        lock.lock();
        try {
            before = previous;
        } finally {
            lock.unlock();
        }
        if (before != null) {
            awaitReader(before);
        }
        long pause = FIRST_PAUSE_NANOS;
        while (true) {
            String why;
            try {
                NbdConnection made = NbdConnection.open(address);
                why = mismatch(made);
                if (why == null) {
                    lock.lock();
                    try {
                        reconnects++;
                        begin(made);
                    } finally {
                        lock.unlock();
                    }
                    return;
                }
                closeQuietly(made.channel());
            } catch (IOException | BlockException e) {
                why = String.valueOf(e.getMessage());
            }
            List<NbdCall> given = new ArrayList<>();
            lock.lock();
            try {
                if (closing || System.nanoTime() - lostNanos >= patienceNanos) {
                    given.addAll(waiting);
                    waiting.clear();
                }
            } finally {
                lock.unlock();
            }
            BlockException error =
                    new BlockException("disk %s: no connection: %s".formatted(address, why));
            given.forEach(call -> call.done(error));
            lock.lock();
            try {
                if (closing && waiting.isEmpty()) {
                    return;
                }
                long unusedLeft = changed.awaitNanos(pause);
            } catch (InterruptedException e) {
                LOG.log(System.Logger.Level.DEBUG, "nobody interrupts this thread", e);
            } finally {
                lock.unlock();
            }
            pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
    }

    /** Why a connection leads to another disk than the first one. */
    private @Nullable String mismatch(NbdConnection made) {
        if (made.sizeBytes() < first.sizeBytes()) {
            return "the disk has become smaller";
        }
        if (made.minBytes() > blockBytes || made.maxBytes() < first.maxBytes()) {
            return "the server's block sizes are others";
        }
        int needed = first.flags() & (SEND_FLUSH | SEND_TRIM | SEND_WRITE_ZEROES);
        if ((made.flags() & needed) != needed || !readOnly && (made.flags() & READ_ONLY) != 0) {
            return "the server offers less than before";
        }
        return null;
    }

    private static void closeQuietly(NbdChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "nbd: closing", e);
        }
    }

    /** Waits for what is in flight, as long as requests wait for a server that is gone. */
    @Override
    public void close() {
        lock.lock();
        try {
            closing = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        long begin = System.nanoTime();
        while (sender.isAlive()) {
            try {
                if (!sender.join(Duration.ofMillis(200))
                        && System.nanoTime() - begin > patienceNanos) {
                    abandon();
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        Link last;
        lock.lock();
        try {
            last = link;
        } finally {
            lock.unlock();
        }
        if (last != null) {
            try {
                ByteBuffer bye = ByteBuffer.allocate(REQUEST_BYTES).putInt(REQUEST_MAGIC);
                bye.putShort((short) 0).putShort((short) CMD_DISC);
                last.connection.channel().write(bye.rewind());
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "nbd: leaving", e);
            }
            closeQuietly(last.connection.channel());
            awaitReader(last);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The server does not answer: what is in flight fails. */
    private void abandon() {
        lock.lock();
        try {
            if (link != null) {
                closeQuietly(link.connection.channel());
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public String toString() {
        return "NbdDisk[" + address + "]";
    }
}
