package dev.javisor.softcpu.core;

/**
 * An assisted instruction touches what only the accelerator has: its local APIC's register page.
 * Thrown before any effect of the access; one object, no stack trace.
 */
public final class DeclinedAccess extends RuntimeException {
    private static final long serialVersionUID = 1;

    public static final DeclinedAccess LOCAL_APIC = new DeclinedAccess("local APIC access");

    private DeclinedAccess(String message) {
        super(message, null, false, false);
    }
}
