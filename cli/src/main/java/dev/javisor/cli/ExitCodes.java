package dev.javisor.cli;

/**
 * The exit codes of {@code javisor}, all of them. Codes from 0 to 119 and those that {@code sh}
 * gives for signals come from the guest's command unchanged; a command that itself ends with one of
 * ours cannot be told apart, as with {@code timeout(1)}.
 */
final class ExitCodes {
    static final int OK = 0;

    /** {@code EX_USAGE} of sysexits.h. */
    static final int USAGE = 64;

    /** {@code EX_SOFTWARE} of sysexits.h: a fault of Javisor itself. */
    static final int INTERNAL = 70;

    static final int GUEST_PANIC = 122;
    static final int GUEST_RESET = 123;

    /** As {@code timeout(1)}. */
    static final int TIMEOUT = 124;

    /** As {@code docker run}: not the command, but what runs it. */
    static final int VM_FAILED = 125;

    /** 128 + SIGHUP. */
    static final int HANG_UP = 129;

    /** 128 + SIGINT, as a shell reports it. The Java runtime itself gives it, and 129 and 143. */
    static final int INTERRUPTED = 130;

    /** 128 + SIGPIPE, as a shell reports it. */
    static final int OUTPUT_GONE = 141;

    /** For {@code --help}: code and meaning. */
    static final String[] HELP = {
        "0:the guest powered off, or its command succeeded",
        "1-255:status of the guest's command, with 'run -- command'",
        USAGE + ":wrong use: unknown, malformed or contradictory options",
        INTERNAL + ":a fault in Javisor itself: please report it",
        GUEST_PANIC + ":the guest's kernel panicked",
        GUEST_RESET + ":the guest reset itself before its command had ended",
        TIMEOUT + ":--timeout ran out",
        VM_FAILED + ":the virtual machine could not start or failed (guest, disk, memory, host)",
        HANG_UP + ", " + INTERRUPTED + ", 143:ended by a hang-up, by Ctrl-C, by kill",
        "137:killed",
        OUTPUT_GONE + ":nobody reads the output any more"
    };

    private ExitCodes() {}

    /** What QEMU's device of this name does, so that kernels made for it tell the same. */
    static int ofDebugExit(int value) {
        return (value << 1 | 1) & 0xFF;
    }
}
