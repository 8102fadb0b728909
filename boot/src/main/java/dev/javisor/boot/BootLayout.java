package dev.javisor.boot;

/**
 * Where the loaders put their own structures: conventional memory, which no kernel is loaded to.
 * Guest-physical addresses, sizes in bytes.
 */
final class BootLayout {
    /** Global descriptor table: null, null, code, data, task state. */
    static final long GDT = 0x500;

    static final int GDT_ENTRIES = 5;

    /** Linux's {@code hvm_start_info} with its lists, or the Multiboot information. */
    static final long START_INFO = 0x6000;

    static final int START_INFO_BYTES = 0x1000;

    /** Linux's {@code boot_params}, the "zero page". */
    static final long ZERO_PAGE = 0x7000;

    /** PML4, PDPT, four page directories: 4 GiB mapped one to one by 2 MiB pages. */
    static final long PAGE_TABLES = 0x9000;

    static final int PAGE_TABLES_BYTES = 0x6000;

    /** Linux's {@code setup_data} list. */
    static final long SETUP_DATA = 0xF000;

    /** Below the loaders' structures, a kernel's own stack until it has a better one. */
    static final long STACK_TOP = 0x1_F000;

    /** The command line with its terminating zero. */
    static final long COMMAND_LINE = 0x2_0000;

    static final int COMMAND_LINE_BYTES = 0x1_0000;

    /** Command lines of modules, each with its terminating zero. */
    static final long MODULE_COMMAND_LINES = 0x3_0000;

    static final int MODULE_COMMAND_LINES_BYTES = 0x1_0000;

    /** All of the above lies below. */
    static final long END = 0x4_0000;

    private BootLayout() {}
}
