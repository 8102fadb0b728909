package dev.javisor.vmm;

import dev.javisor.base.JavisorException;

/** A virtual machine that cannot be made, or an action that its state does not allow. */
public final class VmException extends JavisorException {
    private static final long serialVersionUID = 1;

    public VmException(String message) {
        super(message);
    }

    public VmException(String message, Throwable cause) {
        super(message, cause);
    }
}
