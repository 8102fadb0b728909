package dev.javisor.boot;

import java.util.List;

/**
 * What a kernel is told.
 *
 * @param rsdpAddress where the ACPI root pointer is, or 0
 * @param rngSeed random bytes for the kernel's entropy pool, at most 256; empty for none
 */
public record BootParameters(
        String commandLine,
        List<BootModule> modules,
        MemoryMap memoryMap,
        long rsdpAddress,
        byte[] rngSeed) {
    /** The most that {@code rngSeed} may hold. */
    public static final int RNG_SEED_MAX_BYTES = 256;

    public BootParameters {
        modules = List.copyOf(modules);
        if (rngSeed.length > RNG_SEED_MAX_BYTES) {
            throw new IllegalArgumentException("RNG seed too long: " + rngSeed.length);
        }
    }
}
