package dev.javisor.block.qcow2;

import java.time.Instant;

/**
 * A snapshot inside of an image.
 *
 * @param id unique in its image, a number mostly
 * @param vmStateBytes of a machine's memory that QEMU stored with it; we keep it, but make none
 * @param vmClockNanos how long the machine had run
 */
public record Qcow2Snapshot(
        String id,
        String name,
        Instant taken,
        long vmClockNanos,
        long vmStateBytes,
        long diskBytes,
        long l1Offset,
        int l1Size) {}
