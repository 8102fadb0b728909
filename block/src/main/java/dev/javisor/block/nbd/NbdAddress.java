package dev.javisor.block.nbd;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where an export is, as an NBD URI (NetworkBlockDevice/nbd, doc/uri.md): {@code
 * nbd://HOST[:PORT]/EXPORT}, {@code nbds://...?tls-certificates=FOLDER}, {@code
 * nbd+unix:///EXPORT?socket=FILE}.
 *
 * @param host a name or an address; empty for a Unix socket
 * @param certificates a folder with ca-cert.pem, for TLS
 */
public record NbdAddress(
        String host,
        int port,
        Optional<Path> socket,
        String export,
        boolean tls,
        Optional<Path> certificates) {
    /** Whether a text is meant to be one. */
    public static boolean isUri(String text) {
        return text.matches("(?i)nbds?(\\+unix)?:.*");
    }

    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    public static NbdAddress parse(String text) {
        URI uri;
        try {
            uri = new URI(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("'%s' is no NBD URI: %s".formatted(text, e), e);
        }
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(java.util.Locale.ROOT);
        String path = uri.getPath() == null ? "" : uri.getPath();
        String export = path.startsWith("/") ? path.substring(1) : path;
        Optional<Path> socket = parameter(uri, "socket").map(Path::of);
        Optional<Path> certificates = parameter(uri, "tls-certificates").map(Path::of);
        return switch (scheme) {
            case "nbd+unix" -> {
                if (socket.isEmpty()) {
                    throw new IllegalArgumentException(
                            "'%s' does not name its socket: nbd+unix:///EXPORT?socket=FILE"
                                    .formatted(text));
                }
                yield new NbdAddress("", 0, socket, export, false, Optional.empty());
            }
            case "nbd", "nbds" -> {
                if (uri.getHost() == null) {
                    throw new IllegalArgumentException(
                            "'%s' does not name its host: nbd://HOST[:PORT]/EXPORT"
                                    .formatted(text));
                }
                String host = uri.getHost().replaceAll("^\\[(.*)]$", "$1");
                int port = uri.getPort() < 0 ? NbdLayout.DEFAULT_PORT : uri.getPort();
                boolean tls = scheme.equals("nbds");
                yield new NbdAddress(host, port, Optional.empty(), export, tls, certificates);
            }
            default ->
                    throw new IllegalArgumentException(
                            "'%s' is no NBD URI: nbd://, nbds:// or nbd+unix://".formatted(text));
        };
    }

    private static Optional<String> parameter(URI uri, String name) {
        String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
        for (String part : query.split("&")) {
            if (part.startsWith(name + "=")) {
                return Optional.of(
                        URLDecoder.decode(
                                part.substring(name.length() + 1), StandardCharsets.UTF_8));
            }
        }
        return Optional.empty();
    }

    /** To connect to; looks the host's name up. */
    SocketAddress socketAddress() {
        return socket.<SocketAddress>map(UnixDomainSocketAddress::of)
                .orElseGet(() -> new InetSocketAddress(host, port));
    }

    /** For people. */
    @Override
    public String toString() {
        return socket.map(file -> "nbd+unix:///%s?socket=%s".formatted(export, file))
                .orElseGet(
                        () -> "%s://%s:%d/%s".formatted(tls ? "nbds" : "nbd", host, port, export));
    }
}
