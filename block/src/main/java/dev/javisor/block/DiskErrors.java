package dev.javisor.block;

/** What becomes of reads that the host could not do, and of all other requests. */
public record DiskErrors(ErrorPolicy reads, ErrorPolicy writes) {
    /** A full host pauses the machine, everything else is the guest's to handle. */
    public static final DiskErrors STANDARD =
            new DiskErrors(ErrorPolicy.REPORT, ErrorPolicy.ENOSPC);
}
