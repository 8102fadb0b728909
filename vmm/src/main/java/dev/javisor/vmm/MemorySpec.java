package dev.javisor.vmm;

/**
 * What guest RAM is made of on the host. Where all of it is there for good, nothing that the guest
 * frees goes back to the host.
 *
 * @param shared in a memory file that other processes can map (/proc/PID/fd)
 * @param preallocated all of it from the start, so that the host cannot run short later
 * @param locked never swapped out
 */
public record MemorySpec(Pages pages, boolean shared, boolean preallocated, boolean locked) {
    /** Private, of transparent huge pages, coming as the guest touches it. */
    public static final MemorySpec STANDARD =
            new MemorySpec(Pages.TRANSPARENT, false, false, false);

    /** Pages of the host's. */
    public enum Pages {
        SMALL,
        /** Small ones, which the host's kernel joins where it can. */
        TRANSPARENT,
        /** Of 2 MiB, which the host has reserved. */
        HUGE_2M,
        /** Of 1 GiB, which the host has reserved. */
        HUGE_1G
    }
}
