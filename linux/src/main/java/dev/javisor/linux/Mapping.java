package dev.javisor.linux;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A mapped range of this process's address space, by address: for memory that a kernel object
 * shares with us. Unmapped once, by {@link #close}; the owner makes sure that nobody uses the
 * address afterwards.
 */
public final class Mapping implements AutoCloseable {
    private final SystemCalls system;
    private final long address;
    private final long sizeBytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    private Mapping(SystemCalls system, long address, long sizeBytes) {
        this.system = system;
        this.address = address;
        this.sizeBytes = sizeBytes;
    }

    /**
     * Maps part of what {@code fd} stands for, shared, for reading and writing.
     *
     * @param offset page aligned
     * @throws LinuxException when the kernel refuses
     */
    public static Mapping shared(
            SystemCalls system, String name, int fd, long offset, long sizeBytes) {
        int protection = SystemCalls.PROT_READ | SystemCalls.PROT_WRITE;
        long result = system.mmap(sizeBytes, protection, SystemCalls.MAP_SHARED, fd, offset);
        return new Mapping(system, LinuxException.check("mmap of " + name, result), sizeBytes);
    }

    public long address() {
        return address;
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            LinuxException.check("munmap", system.munmap(address, sizeBytes));
        }
    }
}
