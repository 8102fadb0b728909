package dev.javisor.softcpu;

/** Whether the software CPU translates guest code to JVM bytecode. */
public enum Translation {
    /** Everything is interpreted. */
    OFF,
    /** Hot code is translated on a thread of its own. */
    ON,
    /** All code is translated before it runs for the first time; slow, for diagnosis and tests. */
    EAGER,
    /**
     * Warm code is translated, and each run of a translation is compared with the interpreter's;
     * the virtual machine ends at the first difference. Very slow.
     */
    LOCKSTEP
}
