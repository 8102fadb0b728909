package dev.javisor.vmm;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.linux.AnonymousMemory;
import dev.javisor.linux.LinuxException;
import dev.javisor.machine.PlatformLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.Locale;

/** Allocates guest RAM: by mmap where there is one, else through the JVM. */
final class GuestRam {
    /** Behind RAM: lets the software CPU bound an offset by a mask. */
    private static final long MARGIN_BYTES = GuestMemory.PAGE_BYTES;

    private GuestRam() {}

    /**
     * @param requestedBytes rounded up to whole pages
     * @throws VmException if the host does not have so much
     */
    static GuestMemory allocate(long requestedBytes) {
        long hostBytes = hostMemoryBytes();
        if (requestedBytes > hostBytes) {
            throw new VmException(
                    "memory of %s is more than this host has (%s): give less"
                            .formatted(size(requestedBytes), size(hostBytes)));
        }
        long page = GuestMemory.PAGE_BYTES;
        long sizeBytes = (requestedBytes + page - 1) & -page;
        return AnonymousMemory.isSupported() ? mapped(sizeBytes) : allocated(sizeBytes);
    }

    private static GuestMemory mapped(long sizeBytes) {
        try {
            AnonymousMemory memory = AnonymousMemory.map(sizeBytes + MARGIN_BYTES, true);
            return new GuestMemory(
                    memory.segment(), PlatformLayout.ramRegions(sizeBytes), memory::close);
        } catch (LinuxException e) {
            throw new VmException(
                    "memory of %s cannot be had: %s".formatted(size(sizeBytes), e.getMessage()), e);
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
