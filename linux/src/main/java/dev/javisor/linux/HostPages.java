package dev.javisor.linux;

/** Pages of the host's that memory is made of. */
public enum HostPages {
    /** Of 4 KiB, whatever the kernel does on its own. */
    SMALL(4096, 12),
    /** Of 4 KiB, which the kernel joins to huge ones where it can (MADV_HUGEPAGE). */
    TRANSPARENT(4096, 12),
    /** From the host's pool of 2 MiB pages (hugetlb). */
    HUGE_2M(2 << 20, 21),
    /** From the host's pool of 1 GiB pages (hugetlb). */
    HUGE_1G(1 << 30, 30);

    /** Where mmap(2) and memfd_create(2) take the binary logarithm of the page size. */
    private static final int SIZE_SHIFT = 26;

    private final long sizeBytes;
    private final int sizeFlag;

    HostPages(long sizeBytes, int log2) {
        this.sizeBytes = sizeBytes;
        this.sizeFlag = log2 << SIZE_SHIFT;
    }

    /** What can be given back at least. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** Whether they must have been reserved on the host. */
    public boolean isReserved() {
        return this == HUGE_2M || this == HUGE_1G;
    }

    /** For mmap(2), and for memfd_create(2) with its own constant. */
    int flags(int hugetlb) {
        return isReserved() ? hugetlb | sizeFlag : 0;
    }
}
