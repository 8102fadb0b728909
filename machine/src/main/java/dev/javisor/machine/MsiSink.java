package dev.javisor.machine;

/** Where message-signalled interrupts go. Callable from any thread, must not block. */
@FunctionalInterface
public interface MsiSink {
    /** Acts as a write of {@code data} to {@code address} by a bus master (SDM 3A §12.11). */
    void signal(long address, int data);
}
