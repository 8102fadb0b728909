package dev.javisor.vmm;

/** What the software CPU does about hot guest code. */
public enum TranslationMode {
    /** Interprets everything. */
    OFF,
    /** Turns hot code into JVM bytecode in the background. */
    ON,
    /** Translates all code at its first execution: slow, for diagnosis. */
    EAGER,
    /**
     * Runs translated code beside the interpreter and ends the machine at the first difference:
     * very slow, for diagnosis.
     */
    LOCKSTEP
}
