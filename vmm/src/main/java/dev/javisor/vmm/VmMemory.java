package dev.javisor.vmm;

/**
 * How a guest uses its RAM.
 *
 * @param balloonBytes what the guest has given up for now
 * @param targetBytes what it is asked to give up
 * @param returnedBytes what went back to the host so far, some of it again and again
 * @param freeBytes what the guest says that it does not use, or -1
 * @param availableBytes what the guest says that it could use at once, or -1
 */
public record VmMemory(
        long balloonBytes,
        long targetBytes,
        long returnedBytes,
        long freeBytes,
        long availableBytes) {
    private static long mib(long bytes) {
        return bytes >> 20;
    }

    /** For a person; empty if there is nothing to say. */
    String text() {
        StringBuilder text = new StringBuilder();
        if (freeBytes >= 0) {
            text.append("%d MiB free".formatted(mib(freeBytes)));
            if (availableBytes >= 0) {
                text.append(", %d MiB available".formatted(mib(availableBytes)));
            }
        }
        if (balloonBytes > 0 || targetBytes > 0) {
            text.append(text.isEmpty() ? "" : ", ");
            text.append("balloon %d of %d MiB".formatted(mib(balloonBytes), mib(targetBytes)));
        }
        if (returnedBytes > 0) {
            text.append(text.isEmpty() ? "" : ", ");
            text.append("%d MiB given back to the host so far".formatted(mib(returnedBytes)));
        }
        return text.toString();
    }
}
