package dev.javisor.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.javisor.linux.EventFd;
import dev.javisor.linux.SystemCalls;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** On the real kernel. */
class DescriptorLoopTest {
    private static final long SECONDS = 60;

    private final LinkedBlockingQueue<Long> heard = new LinkedBlockingQueue<>();

    @Test
    void arrival_isToldOnceEach_alsoIfNobodyReads() throws Exception {
        assumeThat(System.getProperty("os.name")).isEqualTo("Linux");
        try (EventFd source = EventFd.create(SystemCalls.host());
                DescriptorLoop loop = new DescriptorLoop("test", SystemCalls.host())) {
            loop.watch(source.number(), () -> heard.add(-1L));
            loop.start(heard::add);
            source.signal();
            assertThat(heard.poll(SECONDS, TimeUnit.SECONDS)).isEqualTo(-1L);
            // Readable still, and not told again.
            loop.signal(4);
            assertThat(heard.poll(SECONDS, TimeUnit.SECONDS)).isEqualTo(4L);
            source.signal();
            assertThat(heard.poll(SECONDS, TimeUnit.SECONDS)).isEqualTo(-1L);
        }
        assertThat(heard).isEmpty();
    }

    @Test
    void signals_fromManyThreads_areNotLost() throws Exception {
        assumeThat(System.getProperty("os.name")).isEqualTo("Linux");
        try (DescriptorLoop loop = new DescriptorLoop("test", SystemCalls.host())) {
            loop.start(heard::add);
            Thread[] threads = new Thread[4];
            for (int i = 0; i < threads.length; i++) {
                long bit = 1L << i;
                threads[i] =
                        Thread.ofPlatform()
                                .start(() -> {
                                    for (int n = 0; n < 5_000; n++) {
                                        loop.signal(bit);
                                    }
                                });
            }
            for (Thread thread : threads) {
                thread.join();
            }
            loop.signal(1L << 10);
            long seen = 0;
            while ((seen & 1L << 10) == 0) {
                Long bits = heard.poll(SECONDS, TimeUnit.SECONDS);
                assertThat(bits).isNotNull();
                seen |= bits;
            }
            assertThat(seen).isEqualTo(0x40F);
        }
    }
}
