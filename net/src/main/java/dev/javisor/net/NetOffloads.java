package dev.javisor.net;

/**
 * What one side takes beside plain frames.
 *
 * @param checksum frames whose checksum is left open
 * @param tcp4 TCP segments over IPv4 of up to 64 KiB; needs {@code checksum}
 * @param tcp6 the same over IPv6
 */
public record NetOffloads(boolean checksum, boolean tcp4, boolean tcp6) {
    public static final NetOffloads NONE = new NetOffloads(false, false, false);
    public static final NetOffloads ALL = new NetOffloads(true, true, true);
}
