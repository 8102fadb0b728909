package dev.javisor.net.user;

import dev.javisor.base.TimeSource;
import dev.javisor.net.IpAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The name servers that this host uses, from resolv.conf(5), read again every few seconds: laptops
 * move between networks.
 */
final class HostResolvers implements Supplier<List<InetSocketAddress>> {
    private static final System.Logger LOG = System.getLogger(HostResolvers.class.getName());

    private static final int MAX_SERVERS = 3;
    private static final long MAX_BYTES = 64 << 10;
    private static final long FRESH_NANOS = 5_000_000_000L;

    private final Path file;
    private final TimeSource time;
    private List<InetSocketAddress> servers = List.of();
    private long readNanos;
    private boolean read;

    HostResolvers(Path file, TimeSource time) {
        this.file = file;
        this.time = time;
    }

    @Override
    public List<InetSocketAddress> get() {
        long now = time.nanos();
        if (!read || now - readNanos > FRESH_NANOS) {
            read = true;
            readNanos = now;
            try {
                if (Files.size(file) <= MAX_BYTES) {
                    servers = parse(Files.readAllLines(file));
                }
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "no name servers", e);
            }
        }
        return servers;
    }

    static List<InetSocketAddress> parse(List<String> lines) {
        List<InetSocketAddress> found = new ArrayList<>();
        for (String line : lines) {
            String[] words = line.strip().split("\\s+", 3);
            if (words.length < 2 || !words[0].equals("nameserver") || found.size() == MAX_SERVERS) {
                continue;
            }
            try {
                // A scoped address (fe80::1%eth0) is none of the kind that we keep.
                found.add(
                        new InetSocketAddress(
                                IpAddress.parse(words[1]).toInetAddress(), DnsForwarder.PORT));
            } catch (IllegalArgumentException e) {
                LOG.log(System.Logger.Level.DEBUG, "not a name server: " + line, e);
            }
        }
        return List.copyOf(found);
    }
}
