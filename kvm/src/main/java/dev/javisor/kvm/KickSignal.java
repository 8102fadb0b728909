package dev.javisor.kvm;

import dev.javisor.linux.LinuxException;
import dev.javisor.linux.SystemCalls;

/**
 * The signal that takes a vCPU's thread out of KVM_RUN. Its handler does nothing; that the kernel
 * has a signal to deliver is what ends the call (with EINTR).
 */
final class KickSignal {
    /** SIGRTMIN+6 of glibc: free of what the C library (32, 33) and HotSpot use. */
    static final int NUMBER = 40;

    private KickSignal() {}

    /** Once more is no error, and has no effect. */
    static void install(SystemCalls system) {
        LinuxException.check("sigaction", system.handleByNothing(NUMBER));
    }
}
