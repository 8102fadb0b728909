package dev.javisor.block.nbd;

import dev.javisor.block.BlockException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Offers disks by the NBD protocol: fixed newstyle negotiation, structured replies, block status.
 * Each connection has a thread that reads its requests; those run on threads that all connections
 * share. What clients can make it allocate is bounded: connections, and for each the requests in
 * flight and their buffers.
 */
public final class NbdServer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(NbdServer.class.getName());

    static final int MAX_CONNECTIONS = 64;
    private static final int THREADS = 8;

    /** For a client to say what it wants. */
    private static final int NEGOTIATION_SECONDS = 30;

    private final List<NbdExport> exports;
    private final Optional<NbdTls> tls;
    private final List<ServerSocketChannel> listeners = new CopyOnWriteArrayList<>();

    /** Guarded by itself; notifies when one ends. */
    private final Set<SocketChannel> connections = new HashSet<>();

    private final ExecutorService workers =
            Executors.newFixedThreadPool(
                    THREADS, Thread.ofPlatform().daemon().name("nbd-work-", 0).factory());
    private final ScheduledExecutorService watch =
            Executors.newSingleThreadScheduledExecutor(
                    Thread.ofPlatform().daemon().name("nbd-watch").factory());

    /**
     * @param exports their images belong to the caller, and are flushed when the server closes
     * @param tls if there is one, clients that come by TCP must use it
     */
    public NbdServer(List<NbdExport> exports, Optional<NbdTls> tls) {
        this.exports = List.copyOf(exports);
        this.tls = tls;
        Set<String> names = new HashSet<>();
        for (NbdExport each : exports) {
            if (!names.add(each.name())) {
                throw new BlockException("two exports are named '%s'".formatted(each.name()));
            }
        }
    }

    /**
     * Serves clients that come here from now on.
     *
     * @return the address, with the port that was chosen
     */
    public SocketAddress listen(SocketAddress at) {
        try {
            boolean unix = at instanceof UnixDomainSocketAddress;
            ServerSocketChannel listener =
                    unix
                            ? ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                            : ServerSocketChannel.open();
            if (!unix) {
                listener.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            }
            listener.bind(at);
            listeners.add(listener);
            Thread.ofPlatform().daemon().name("nbd-accept").start(() -> accept(listener));
            return listener.getLocalAddress();
        } catch (IOException e) {
            throw new BlockException("serving at %s: %s".formatted(at, e.getMessage()), e);
        }
    }

    private void accept(ServerSocketChannel listener) {
        while (listener.isOpen()) {
            try {
                SocketChannel client = listener.accept();
                if (!admit(client)) {
                    client.close();
                    continue;
                }
                Thread.ofPlatform().daemon().name("nbd-client").start(() -> serve(client));
            } catch (IOException e) {
                if (listener.isOpen()) {
                    LOG.log(System.Logger.Level.WARNING, "nbd: accepting: " + e.getMessage());
                    pause();
                }
            }
        }
    }

    /** Out of file descriptors, say: not as fast as we can. */
    private static void pause() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean admit(SocketChannel client) {
        synchronized (connections) {
            return connections.size() < MAX_CONNECTIONS && connections.add(client);
        }
    }

    private void serve(SocketChannel client) {
        try (client) {
            var limit =
                    watch.schedule(
                            () -> closeQuietly(client), NEGOTIATION_SECONDS, TimeUnit.SECONDS);
            NbdChannel channel = NbdChannel.of(client);
            boolean tcp = client.getLocalAddress() instanceof InetSocketAddress;
            NbdNegotiation negotiation =
                    new NbdNegotiation(channel, exports, tcp ? tls : Optional.empty());
            Optional<NbdNegotiation.Agreed> agreed = negotiation.run();
            boolean unusedCancelled = limit.cancel(false);
            if (agreed.isPresent()) {
                new NbdTransmission(agreed.get(), workers).run();
            }
        } catch (IOException | RuntimeException e) {
            // Whatever a client does ends its own connection only.
            LOG.log(System.Logger.Level.DEBUG, "nbd: connection ended: " + e);
        } finally {
            synchronized (connections) {
                connections.remove(client);
                connections.notifyAll();
            }
        }
    }

    private static void closeQuietly(AutoCloseable what) {
        try {
            what.close();
        } catch (Exception e) {
            LOG.log(System.Logger.Level.DEBUG, "nbd: closing: " + e);
        }
    }

    public int connections() {
        synchronized (connections) {
            return connections.size();
        }
    }

    /** Ends all connections; what is being written is written, and flushed. */
    @Override
    public void close() {
        for (ServerSocketChannel each : listeners) {
            try {
                SocketAddress at = each.getLocalAddress();
                each.close();
                if (at instanceof UnixDomainSocketAddress unix) {
                    Files.deleteIfExists(unix.getPath());
                }
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "nbd: closing: " + e);
            }
        }
        boolean interrupted = false;
        synchronized (connections) {
            connections.forEach(NbdServer::closeQuietly);
            while (!connections.isEmpty()) {
                try {
                    connections.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        workers.shutdown();
        watch.shutdownNow();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        for (NbdExport each : exports) {
            if (!each.readOnly()) {
                each.image().flush();
            }
        }
    }
}
