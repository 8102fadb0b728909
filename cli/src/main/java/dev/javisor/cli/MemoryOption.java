package dev.javisor.cli;

import dev.javisor.base.Sizes;
import dev.javisor.vmm.MemorySpec;
import dev.javisor.vmm.MemorySpec.Pages;

/**
 * The value of {@code --memory}: a size, then any of {@code hugepages=off|transparent|2M|1G},
 * {@code shared}, {@code prealloc}, {@code lock}.
 */
record MemoryOption(long sizeBytes, MemorySpec spec) {
    private static final String SETTINGS =
            "hugepages=off|transparent|2M|1G, shared, prealloc, lock";

    /** Memory with none of the settings. */
    static MemoryOption plain(long sizeBytes) {
        return new MemoryOption(sizeBytes, MemorySpec.STANDARD);
    }

    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static MemoryOption parse(String text) {
        String[] parts = text.split(",", -1);
        long sizeBytes = Sizes.parse(parts[0]);
        MemorySpec spec = MemorySpec.STANDARD;
        for (int i = 1; i < parts.length; i++) {
            spec = with(spec, parts[i]);
        }
        return new MemoryOption(sizeBytes, spec);
    }

    private static MemorySpec with(MemorySpec spec, String setting) {
        return switch (setting) {
            case "hugepages=off" -> with(spec, Pages.SMALL);
            case "hugepages=transparent" -> with(spec, Pages.TRANSPARENT);
            case "hugepages=2M" -> with(spec, Pages.HUGE_2M);
            case "hugepages=1G" -> with(spec, Pages.HUGE_1G);
            case "shared" -> new MemorySpec(spec.pages(), true, spec.preallocated(), spec.locked());
            case "prealloc" -> new MemorySpec(spec.pages(), spec.shared(), true, spec.locked());
            case "lock" -> new MemorySpec(spec.pages(), spec.shared(), spec.preallocated(), true);
            default ->
                    throw new IllegalArgumentException(
                            "'%s' is no setting of memory: there are %s"
                                    .formatted(setting, SETTINGS));
        };
    }

    private static MemorySpec with(MemorySpec spec, Pages pages) {
        return new MemorySpec(pages, spec.shared(), spec.preallocated(), spec.locked());
    }
}
