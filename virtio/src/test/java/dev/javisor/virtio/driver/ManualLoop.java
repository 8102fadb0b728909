package dev.javisor.virtio.driver;

import dev.javisor.virtio.IoLoop;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** An I/O loop that runs when the test says so, on the test's thread. */
public final class ManualLoop implements IoLoop {
    private @Nullable Handler handler;
    private long pending;

    public ManualLoop() {}

    @Override
    public void start(Handler newHandler) {
        handler = newHandler;
    }

    @Override
    public synchronized void signal(long bits) {
        pending |= bits;
    }

    /** Handles everything signalled, and what that signals. */
    public void run() {
        while (true) {
            long bits;
            synchronized (this) {
                bits = pending;
                pending = 0;
            }
            Handler to = handler;
            if (bits == 0 || to == null) {
                return;
            }
            to.handle(bits);
        }
    }

    @Override
    public void await(BooleanSupplier condition, long timeoutNanos) {
        run();
        if (timeoutNanos == FOREVER && !condition.getAsBoolean()) {
            throw new IllegalStateException("nothing left to do, and still not so");
        }
    }

    @Override
    public void close() {
        run();
        handler = null;
    }
}
