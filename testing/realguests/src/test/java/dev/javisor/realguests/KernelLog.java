package dev.javisor.realguests;

import java.util.List;
import java.util.regex.Pattern;

/** What Linux says about the machine that it runs on. */
final class KernelLog {
    // A soft lockup is left out: it tells of a host that let a virtual CPU wait for 20 seconds.
    private static final Pattern COMPLAINT =
            Pattern.compile(
                    "WARNING:|BUG:(?! soft lockup)|Oops|Call Trace|Firmware (Bug|Warn)|FW_BUG"
                            + "|MSR access error|general protection|double fault|segfault"
                            + "|invalid opcode|ACPI (BIOS )?(Error|Warning)|I/O error"
                            + "|nobody cared|spurious|unstable|because it overlaps|MP-BIOS bug|corrupt");

    private KernelLog() {}

    /** The lines that complain. */
    static List<String> complaints(String log) {
        return log.lines().filter(line -> COMPLAINT.matcher(line).find()).toList();
    }
}
