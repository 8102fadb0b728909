package dev.javisor.boot;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.AddressRange;
import dev.javisor.machine.PlatformLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What firmware would tell a kernel about physical memory (ACPI 6.5 §15.4, "E820").
 *
 * @param entries ascending, not overlapping
 */
public record MemoryMap(List<Entry> entries) {
    public MemoryMap {
        entries = List.copyOf(entries);
    }

    /** Address range types of ACPI 6.5 table 15.4. */
    public enum Type {
        RAM(1),
        RESERVED(2);

        private final int code;

        Type(int code) {
            this.code = code;
        }

        /** As the kernel reads it. */
        public int code() {
            return code;
        }
    }

    /** One range. */
    public record Entry(long start, long sizeBytes, Type type) {
        /** First address behind. */
        public long end() {
            return start + sizeBytes;
        }
    }

    /** The map of a machine as in {@link PlatformLayout}. */
    public static MemoryMap of(GuestMemory memory) {
        List<Entry> entries = new ArrayList<>();
        for (GuestMemory.Region region : memory.regions()) {
            addRam(
                    entries,
                    region.guestAddress(),
                    Math.min(region.guestEnd(), PlatformLayout.CONVENTIONAL_MEMORY_END));
            addRam(
                    entries,
                    Math.max(region.guestAddress(), PlatformLayout.EXTENDED_MEMORY_START),
                    region.guestEnd());
        }
        long ebda = PlatformLayout.CONVENTIONAL_MEMORY_END;
        entries.add(new Entry(ebda, 0xA_0000 - ebda, Type.RESERVED));
        addReserved(entries, PlatformLayout.ACPI_TABLES);
        // Linux uses the ECAM only where firmware reserves it (PCI Firmware 3.3 §4.1.2).
        addReserved(entries, PlatformLayout.ECAM);
        entries.sort(Comparator.comparingLong(Entry::start));
        return new MemoryMap(entries);
    }

    private static void addRam(List<Entry> entries, long start, long end) {
        if (start < end) {
            entries.add(new Entry(start, end - start, Type.RAM));
        }
    }

    private static void addReserved(List<Entry> entries, AddressRange range) {
        entries.add(new Entry(range.start(), range.sizeBytes(), Type.RESERVED));
    }

    /** Whether all of the range is RAM that a kernel may use. Never throws, whatever the values. */
    boolean isRam(long start, long sizeBytes) {
        if (start < 0 || sizeBytes < 0) {
            return false;
        }
        for (Entry entry : entries) {
            if (entry.type() == Type.RAM
                    && start >= entry.start()
                    && start <= entry.end()
                    && sizeBytes <= entry.end() - start) {
                return true;
            }
        }
        return false;
    }

    /** End of the RAM range that starts at 1 MiB, or 0 if the machine has none there. */
    long extendedMemoryEnd() {
        for (Entry entry : entries) {
            if (entry.type() == Type.RAM && entry.start() == PlatformLayout.EXTENDED_MEMORY_START) {
                return entry.end();
            }
        }
        return 0;
    }

    /** Bytes of RAM that a kernel may use. */
    long ramBytes() {
        return entries.stream()
                .filter(entry -> entry.type() == Type.RAM)
                .mapToLong(Entry::sizeBytes)
                .sum();
    }
}
