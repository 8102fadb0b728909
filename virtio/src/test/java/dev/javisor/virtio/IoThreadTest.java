package dev.javisor.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class IoThreadTest {
    @Test
    void signal_fromManyThreads_noBitIsLost() throws InterruptedException {
        AtomicLong handled = new AtomicLong();
        AtomicReference<String> name = new AtomicReference<>("");
        try (IoThread loop = new IoThread("virtio-test")) {
            loop.start(bits -> {
                name.set(Thread.currentThread().getName());
                handled.getAndAccumulate(bits, (a, b) -> a | b);
            });
            Thread[] senders = new Thread[4];
            for (int t = 0; t < senders.length; t++) {
                int base = 10 * t;
                senders[t] =
                        Thread.ofVirtual()
                                .start(() -> {
                                    for (int i = 0; i < 10; i++) {
                                        loop.signal(1L << (base + i));
                                    }
                                });
            }
            for (Thread sender : senders) {
                sender.join();
            }
            loop.await(() -> handled.get() == (1L << 40) - 1, IoLoop.FOREVER);
        }
        assertThat(handled.get()).isEqualTo((1L << 40) - 1);
        assertThat(name.get()).isEqualTo("virtio-test");
    }

    @Test
    void close_afterwards_awaitAndSignalDoNotHang() {
        IoThread loop = new IoThread("virtio-test");
        loop.start(bits -> {});
        loop.close();
        loop.signal(1);
        loop.await(() -> false, IoLoop.FOREVER);
    }
}
