package dev.javisor.virtio.block;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskErrors;
import java.util.function.Consumer;

/**
 * How a block device behaves.
 *
 * @param queues one for each vCPU is best; 1 to 16
 * @param stopper told when a request is kept: is to pause the machine. Called on a thread of the
 *     backend, must not block
 */
public record BlockConfig(int queues, DiskErrors errors, Consumer<BlockException> stopper) {
    /** Most queues that a device has. */
    public static final int MAX_QUEUES = 16;

    public BlockConfig {
        if (queues < 1 || queues > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: " + queues);
        }
    }
}
