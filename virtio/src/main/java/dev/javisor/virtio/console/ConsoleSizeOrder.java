package dev.javisor.virtio.console;

/** In which order a RESIZE message carries its two numbers; drivers disagree. */
public enum ConsoleSizeOrder {
    /** As VIRTIO 1.2 §5.3.6.2 has it, and Linux from 6.15 on. */
    COLUMNS_FIRST,
    /** As Linux reads it before 6.15. */
    ROWS_FIRST
}
