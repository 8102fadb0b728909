package dev.javisor.block.image;

/** Learns how far a long operation is. From any of its threads. */
@FunctionalInterface
public interface Progress {
    /** Nobody wants to know. */
    Progress NONE = (done, total) -> {};

    /** Bytes of the disk. */
    void at(long done, long total);
}
