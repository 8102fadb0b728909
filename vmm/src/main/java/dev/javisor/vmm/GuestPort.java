package dev.javisor.vmm;

/** The host's end of a named virtio-console port: what is written here, the guest reads. */
public interface GuestPort {
    /** As in {@link VmSpec#ports}. */
    String name();

    /** Whether a program in the guest has the port open. */
    boolean isOpen();

    /**
     * Waits until all bytes are taken over, or the machine has ended; then the rest is lost.
     *
     * @throws InterruptedException if interrupted while waiting
     */
    void write(byte[] bytes, int offset, int length) throws InterruptedException;

    /** The guest sees the end of the data, behind what was written before. */
    void close();
}
