package dev.javisor.cli;

import dev.javisor.base.JavisorException;

/** Where machines will come from: the module vmm is not in this tree yet. */
final class VmmMachine {
    private VmmMachine() {}

    static Machine create(RunSettings settings, GuestFiles guest, Machine.Output output) {
        throw new JavisorException(
                "this build has no virtual machine yet to boot %s (%s) for %s: update the tree"
                        .formatted(guest.kernel(), settings, output));
    }
}
