package dev.javisor.hypervisor;

import dev.javisor.base.JavisorException;

/** The host or the accelerator refused an operation. */
public final class HypervisorException extends JavisorException {
    private static final long serialVersionUID = 1;

    public HypervisorException(String message) {
        super(message);
    }

    public HypervisorException(String message, Throwable cause) {
        super(message, cause);
    }
}
