package dev.javisor.block;

/**
 * A disk. Operations are asynchronous; those in flight at the same time have no order among
 * themselves, so whoever needs one waits for the first to complete. All methods from any thread.
 */
public interface BlockBackend extends AutoCloseable {
    /** Names the disk to the guest: printable ASCII, at most 20 characters. */
    String id();

    /** A multiple of {@link #blockSizeBytes}; changes only by {@link #grow}. */
    long sizeBytes();

    /**
     * Makes the disk larger while it is in use. Blocks.
     *
     * @param sizeBytes at least the present size, a multiple of {@link #blockSizeBytes}
     * @throws BlockException if it cannot be; the size is as before
     */
    void grow(long sizeBytes);

    /** Smallest unit of reads and writes, a power of two of at least 512. */
    int blockSizeBytes();

    boolean isReadOnly();

    /** Whether DISCARD frees anything; if not, it is refused. */
    boolean canDiscard();

    /**
     * Starts an operation. Never blocks for the disk, never throws: errors go to the completion.
     */
    void submit(BlockIo io);

    /** Waits for what is in flight and lets the disk go. Does not flush. */
    @Override
    void close();
}
