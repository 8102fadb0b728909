package dev.javisor.net.filter;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes a capture file of Ethernet frames (draft-ietf-opsawg-pcap §4 and §5). */
final class PcapFile implements AutoCloseable {
    /** Time stamps have nanoseconds; the byte order is that of the number. */
    private static final int MAGIC_NANOSECONDS = 0xA1B2_3C4D;

    private static final short MAJOR = 2;
    private static final short MINOR = 4;
    private static final int SNAPLEN = 1 << 18;
    private static final int LINKTYPE_ETHERNET = 1;
    private static final int FILE_HEADER_BYTES = 24;
    private static final int RECORD_HEADER_BYTES = 16;
    private static final long NANOS_PER_SECOND = 1_000_000_000;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final OutputStream out;
    private final ByteBuffer header =
            ByteBuffer.allocate(RECORD_HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /** Wall clock minus monotonic clock, nanoseconds; set by the first frame. */
    private long epochNanos = Long.MIN_VALUE;

    PcapFile(OutputStream file, int bufferBytes) throws IOException {
        out = new BufferedOutputStream(file, bufferBytes);
        ByteBuffer start = ByteBuffer.allocate(FILE_HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        start.putInt(MAGIC_NANOSECONDS).putShort(MAJOR).putShort(MINOR).putInt(0).putInt(0);
        start.putInt(SNAPLEN).putInt(LINKTYPE_ETHERNET);
        out.write(start.array());
        out.flush();
    }

    /**
     * Appends a frame.
     *
     * @param wallMillis the wall clock now: read once, so that stamps are as even as {@code nanos}
     */
    void write(long wallMillis, long nanos, byte[] frame, int sizeBytes) throws IOException {
        if (epochNanos == Long.MIN_VALUE) {
            epochNanos = wallMillis * NANOS_PER_MILLI - nanos;
        }
        long stamp = epochNanos + nanos;
        header.clear();
        header.putInt((int) Math.floorDiv(stamp, NANOS_PER_SECOND));
        header.putInt((int) Math.floorMod(stamp, NANOS_PER_SECOND));
        header.putInt(sizeBytes).putInt(sizeBytes);
        out.write(header.array());
        out.write(frame, 0, sizeBytes);
    }

    void flush() throws IOException {
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
