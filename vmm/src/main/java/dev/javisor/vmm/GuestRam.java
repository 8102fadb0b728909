package dev.javisor.vmm;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.linux.HostMemory;
import dev.javisor.linux.HostPages;
import dev.javisor.linux.LinuxException;
import dev.javisor.machine.PlatformLayout;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** Allocates guest RAM: by mmap where there is one, else through the JVM. */
final class GuestRam {
    /** Behind RAM: lets the software CPU bound an offset by a mask. */
    private static final long MARGIN_BYTES = GuestMemory.PAGE_BYTES;

    private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/hugepages");

    private GuestRam() {}

    /**
     * @param requestedBytes rounded up to whole pages
     * @throws VmException if the host does not have so much
     */
    static GuestMemory allocate(long requestedBytes) {
        return allocate(requestedBytes, MemorySpec.STANDARD);
    }

    /**
     * @param requestedBytes rounded up to whole pages
     * @throws VmException if the host does not have so much, or not of that kind
     */
    static GuestMemory allocate(long requestedBytes, MemorySpec spec) {
        long hostBytes = hostMemoryBytes();
        if (requestedBytes > hostBytes) {
            throw new VmException(
                    "memory of %s is more than this host has (%s): give less"
                            .formatted(size(requestedBytes), size(hostBytes)));
        }
        long page = GuestMemory.PAGE_BYTES;
        long sizeBytes = (requestedBytes + page - 1) & -page;
        if (HostMemory.isSupported()) {
            return mapped(sizeBytes, spec);
        }
        if (!spec.equals(MemorySpec.STANDARD)) {
            throw new VmException("only Linux lets one choose what memory is made of");
        }
        return allocated(sizeBytes);
    }

    private static GuestMemory mapped(long sizeBytes, MemorySpec spec) {
        HostPages pages = pages(spec.pages());
        long margin = pages.isReserved() ? 0 : MARGIN_BYTES;
        var config =
                new HostMemory.Config(
                        sizeBytes + margin,
                        pages,
                        spec.shared(),
                        spec.preallocated(),
                        spec.locked());
        try {
            HostMemory memory = HostMemory.map(config);
            return new GuestMemory(
                    memory.segment(),
                    PlatformLayout.ramRegions(sizeBytes),
                    memory::close,
                    memory.isDiscardable() ? memory::discard : null);
        } catch (LinuxException e) {
            throw new VmException(
                    "memory of %s cannot be had: %s%s"
                            .formatted(
                                    size(sizeBytes),
                                    e.getMessage(),
                                    remedy(sizeBytes, spec, pages)),
                    e);
        }
    }

    private static HostPages pages(MemorySpec.Pages pages) {
        return switch (pages) {
            case SMALL -> HostPages.SMALL;
            case TRANSPARENT -> HostPages.TRANSPARENT;
            case HUGE_2M -> HostPages.HUGE_2M;
            case HUGE_1G -> HostPages.HUGE_1G;
        };
    }

    private static String remedy(long sizeBytes, MemorySpec spec, HostPages pages) {
        if (pages.isReserved()) {
            long needed = Math.ceilDiv(sizeBytes, pages.sizeBytes());
            Path pool = HUGE_PAGES.resolve("hugepages-%dkB".formatted(pages.sizeBytes() >> 10));
            if (!Files.isDirectory(pool)) {
                return ": this host has no pages of " + size(pages.sizeBytes());
            }
            return ": it takes %d pages of %s, %s are free: reserve them (as root: echo %d > %s)"
                    .formatted(
                            needed,
                            size(pages.sizeBytes()),
                            number(pool.resolve("free_hugepages")),
                            needed,
                            pool.resolve("nr_hugepages"));
        }
        return spec.locked()
                ? ": raise the limit of locked memory (ulimit -l), or do not lock"
                : "";
    }

    private static String number(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            return "an unknown number";
        }
    }

    @SuppressWarnings("MustBeClosedChecker") // closed by the guest memory's close
    private static GuestMemory allocated(long sizeBytes) {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment segment =
                    arena.allocate(sizeBytes + MARGIN_BYTES, GuestMemory.PAGE_BYTES);
            return new GuestMemory(segment, PlatformLayout.ramRegions(sizeBytes), arena::close);
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new VmException(
                    "memory of %s cannot be had: out of memory".formatted(size(sizeBytes)), e);
        }
    }

    /** What mmap without reservation would not check: RAM and swap of the host or its container. */
    private static long hostMemoryBytes() {
        var system =
                ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class);
        return system.getTotalMemorySize() + system.getTotalSwapSpaceSize();
    }

    private static String size(long bytes) {
        String[] units = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(
                Locale.ROOT, value == Math.rint(value) ? "%.0f %s" : "%.1f %s", value, units[unit]);
    }
}
