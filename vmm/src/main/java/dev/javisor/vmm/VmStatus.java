package dev.javisor.vmm;

import java.util.List;

/**
 * What a virtual machine is doing.
 *
 * @param accelerator its name, and one line about it
 * @param kernel what was recognised
 * @param memory how the guest uses it
 * @param upNanos since the start, without pauses
 * @param resets so far
 * @param switches times it moved to another accelerator
 * @param vcpuInstructions retired by each vCPU, or -1 where nobody counts
 * @param assists instructions executed for the accelerator
 * @param unclaimedAccesses guest accesses that no device answered
 * @param guestFaults how often a driver broke a device's protocol
 * @param notes what a person should know, such as a disk that is not exclusively ours
 */
public record VmStatus(
        String name,
        VmState state,
        String accelerator,
        String kernel,
        long memoryBytes,
        VmMemory memory,
        long upNanos,
        int resets,
        int switches,
        List<Long> vcpuInstructions,
        VmAssists assists,
        long unclaimedAccesses,
        long guestFaults,
        List<String> notes) {
    public VmStatus {
        vcpuInstructions = List.copyOf(vcpuInstructions);
        notes = List.copyOf(notes);
    }

    /** For a person, lines separated by {@code \n}. */
    public String text() {
        StringBuilder text = new StringBuilder();
        text.append(
                "%s is %s, %d.%03d s, %d CPU%s on %s, %d MiB"
                        .formatted(
                                name,
                                state.name().toLowerCase(java.util.Locale.ROOT),
                                upNanos / 1_000_000_000,
                                upNanos / 1_000_000 % 1000,
                                vcpuInstructions.size(),
                                vcpuInstructions.size() == 1 ? "" : "s",
                                accelerator,
                                memoryBytes >> 20));
        text.append("\nkernel: ").append(kernel);
        for (int i = 0; i < vcpuInstructions.size(); i++) {
            if (vcpuInstructions.get(i) >= 0) {
                text.append("\nvcpu %d: %,d instructions".formatted(i, vcpuInstructions.get(i)));
            }
        }
        String use = memory.text();
        if (!use.isEmpty()) {
            text.append("\nmemory: ").append(use);
        }
        if (resets > 0) {
            text.append("\nresets: ").append(resets);
        }
        if (switches > 0) {
            text.append("\nmoves between accelerators: ").append(switches);
        }
        if (assists.count() > 0) {
            text.append("\nassisted instructions: ").append(assists.text());
        }
        text.append("\nunclaimed accesses: ").append(unclaimedAccesses);
        if (guestFaults > 0) {
            text.append("\nguest faults: ").append(guestFaults);
        }
        for (String note : notes) {
            text.append("\nnote: ").append(note);
        }
        return text.toString();
    }
}
