package dev.javisor.virtio.block;

import static dev.javisor.virtio.block.BlockLayout.*;

import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.block.BlockIo;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioConfig;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One request of the driver, from the queue to its completion (VIRTIO 1.2 §5.2.6). The I/O thread
 * owns it, except while the backend has it. Reused.
 */
final class BlockRequest implements BlockIo.Completion {
    /** Learns that a request is done. On a thread of the backend, or on the I/O thread. */
    interface Listener {
        void done(BlockRequest request);

        /**
         * The host could not do it; {@link #done} follows.
         *
         * @return whether the request is kept for another try
         */
        boolean failed(boolean read, BlockException error);
    }

    final DescriptorChain chain = new DescriptorChain();

    /** Links requests that are done; the device's. */
    @Nullable BlockRequest next;

    private final BlockBackend backend;
    private final Listener listener;
    private final byte[] header = new byte[HEADER_BYTES];

    /** The queue that {@link #chain} is of. */
    int queue;

    /** It failed, and waits for another try. */
    private boolean kept;

    /** The operation that is tried, and tried again. Null before the first try. */
    private @Nullable BlockIo io;

    private int type;
    private int status;

    /** Bytes of data that we fill, before the status byte. */
    private long inBytes;

    /** A flush follows before this write may complete. */
    private boolean durable;

    /** That flush is under way. */
    private boolean flushing;

    BlockRequest(BlockBackend backend, Listener listener) {
        this.backend = backend;
        this.listener = listener;
    }

    /**
     * Starts the request that is in {@link #chain}.
     *
     * @param writethrough whether writes complete only once durable
     * @return what is wrong with it if it is not even a request, else null
     */
    @Nullable String start(boolean writethrough) {
        if (chain.read(0, header, 0, HEADER_BYTES) < HEADER_BYTES || chain.writableBytes() < 1) {
            return "request without header or status";
        }
        type = VirtioConfig.read(header, HEADER_TYPE, 4);
        long sector = VirtioConfig.readLong(header, HEADER_SECTOR);
        long out = chain.readableBytes() - HEADER_BYTES;
        inBytes = 0;
        durable = false;
        kept = false;
        switch (type) {
            case T_IN -> read(sector, chain.writableBytes() - 1);
            case T_OUT -> write(sector, out, writethrough);
            case T_FLUSH -> attempt(BlockIo.flush(this));
            case T_GET_ID -> getId();
            case T_DISCARD, T_WRITE_ZEROES -> range(out, writethrough);
            default -> finish(S_UNSUPP);
        }
        return null;
    }

    private void attempt(BlockIo operation) {
        io = operation;
        flushing = false;
        backend.submit(operation);
    }

    /** Keeps a request that was polled, without a first try. */
    void keep() {
        kept = true;
        io = null;
    }

    boolean isKept() {
        return kept;
    }

    /**
     * I/O thread: tries a kept request again, a durable write from its beginning: after a flush
     * that failed, the host may have dropped what was written.
     *
     * @return as {@link #start}
     */
    @Nullable String retry(boolean writethrough) {
        BlockIo again = io;
        if (again == null) {
            return start(writethrough);
        }
        kept = false;
        attempt(again);
        return null;
    }

    /** Whether a transfer is one that we said we take. Everything is the driver's, so unsigned. */
    private boolean fits(long sector, long sizeBytes) {
        long sectors = backend.sizeBytes() >>> SECTOR_SHIFT;
        return sizeBytes <= BlockDevice.MAX_TRANSFER_BYTES
                && (sizeBytes & (SECTOR_BYTES - 1)) == 0
                && sector >= 0
                && sector <= sectors
                && sizeBytes >>> SECTOR_SHIFT <= sectors - sector;
    }

    private void read(long sector, long sizeBytes) {
        if (!fits(sector, sizeBytes)) {
            finish(S_IOERR);
            return;
        }
        inBytes = sizeBytes;
        attempt(BlockIo.read(sector << SECTOR_SHIFT, chain.writableSlices(0, sizeBytes), this));
    }

    private void write(long sector, long sizeBytes, boolean writethrough) {
        if (backend.isReadOnly() || !fits(sector, sizeBytes)) {
            finish(S_IOERR);
            return;
        }
        durable = writethrough;
        attempt(
                BlockIo.write(
                        sector << SECTOR_SHIFT,
                        chain.readableSlices(HEADER_BYTES, sizeBytes),
                        this));
    }

    private void getId() {
        byte[] id = Arrays.copyOf(backend.id().getBytes(StandardCharsets.US_ASCII), ID_BYTES);
        inBytes = Math.min(ID_BYTES, chain.writableBytes() - 1);
        chain.write(0, id, 0, (int) inBytes);
        finish(S_OK);
    }

    private void range(long sizeBytes, boolean writethrough) {
        boolean discard = type == T_DISCARD;
        if (discard && !backend.canDiscard()) {
            finish(S_UNSUPP);
            return;
        }
        // We offer one range per request; the header is not needed any more.
        if (sizeBytes != RANGE_BYTES
                || chain.read(HEADER_BYTES, header, 0, RANGE_BYTES) != RANGE_BYTES) {
            finish(S_IOERR);
            return;
        }
        long sector = VirtioConfig.readLong(header, RANGE_SECTOR);
        long sectors = VirtioConfig.read(header, RANGE_SECTORS, 4) & 0xFFFF_FFFFL;
        int flags = VirtioConfig.read(header, RANGE_FLAGS, 4);
        // §5.2.6.2: unmap is for write zeroes only, the other bits are reserved.
        if ((flags & ~(discard ? 0 : RANGE_FLAG_UNMAP)) != 0) {
            finish(S_UNSUPP);
            return;
        }
        if (backend.isReadOnly()
                || sectors > BlockDevice.MAX_RANGE_SECTORS
                || !fits(sector, sectors << SECTOR_SHIFT)) {
            finish(S_IOERR);
            return;
        }
        durable = writethrough;
        long offset = sector << SECTOR_SHIFT;
        long bytes = sectors << SECTOR_SHIFT;
        attempt(
                discard
                        ? BlockIo.discard(offset, bytes, this)
                        : BlockIo.writeZeroes(offset, bytes, this));
    }

    @Override
    public void completed(@Nullable BlockException error) {
        if (error != null) {
            kept = listener.failed(type == T_IN, error);
            finish(S_IOERR);
        } else if (durable && !flushing) {
            flushing = true;
            backend.submit(BlockIo.flush(this));
        } else {
            finish(S_OK);
        }
    }

    private void finish(int result) {
        status = result;
        listener.done(this);
    }

    /**
     * I/O thread: writes the status byte.
     *
     * @return bytes written from the start of the writable part without a gap (§2.7.8.2)
     */
    long complete() {
        // After a failed read some of the buffer may be written all the same.
        chain.written(0, inBytes);
        long statusAt = chain.writableBytes() - 1;
        chain.writeByte(statusAt, status);
        return status == S_OK && inBytes == statusAt || statusAt == 0 ? statusAt + 1 : 0;
    }
}
