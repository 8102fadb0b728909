package dev.javisor.virtio.console;

/** In which order a RESIZE message carries its two numbers; drivers disagree. */
public enum ConsoleSizeOrder {
    /** As VIRTIO 1.2 §5.3.6.2 has it; Linux from 6.15 on, and stable kernels from 2026 on. */
    COLUMNS_FIRST,
    /** As Linux read it before. */
    ROWS_FIRST
}
