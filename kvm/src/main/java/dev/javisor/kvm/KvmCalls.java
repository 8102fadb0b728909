package dev.javisor.kvm;

import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.linux.Errno;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.MemorySegment;

/** The ioctls of one KVM file descriptor, whose failures become one line for a person. */
record KvmCalls(SystemCalls system, int fd) {
    /**
     * @param what for the message: "create a vCPU"
     * @throws HypervisorException when KVM refuses
     */
    int call(String what, long request, long argument) {
        return check(what, system.ioctl(fd, request, argument));
    }

    /**
     * @throws HypervisorException when KVM refuses
     */
    int call(String what, long request, MemorySegment argument) {
        return check(what, system.ioctl(fd, request, argument));
    }

    /** As {@link #call} for calls that a signal may interrupt. */
    int callAgain(String what, long request, long argument) {
        int result;
        do {
            result = system.ioctl(fd, request, argument);
        } while (result == -Errno.EINTR);
        return check(what, result);
    }

    /** The kernel's own answer. */
    int attempt(long request, MemorySegment argument) {
        return system.ioctl(fd, request, argument);
    }

    /** The value of a capability; 0 if it is missing. */
    int capability(Capability capability) {
        return Math.max(0, system.ioctl(fd, KvmAbi.CHECK_EXTENSION, capability.number()));
    }

    static int check(String what, int result) {
        if (result < 0) {
            throw new HypervisorException(
                    "KVM does not %s: %s".formatted(what, Errno.describe(-result)));
        }
        return result;
    }
}
