package dev.javisor.block;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.base.TimeSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ThrottledBackendTest {
    private static final long SECOND = 1_000_000_000L;
    private static final int BLOCK = 4096;

    /** A clock that the test moves; fires a timer when its time has come. */
    private static final class Clock implements TimeSource, TimeSource.Timer {
        private long now;
        private long deadline = Long.MAX_VALUE;
        private Runnable action = () -> {};

        @Override
        public long nanos() {
            return now;
        }

        @Override
        public long wallMillis() {
            return 0;
        }

        @Override
        public Timer timer(String name, Runnable what) {
            action = what;
            return this;
        }

        @Override
        public void arm(long deadlineNanos) {
            deadline = deadlineNanos;
        }

        @Override
        public void cancel() {
            deadline = Long.MAX_VALUE;
        }

        void advance(long nanos) {
            long end = now + nanos;
            while (deadline <= end) {
                now = Math.max(now, deadline);
                deadline = Long.MAX_VALUE;
                action.run();
            }
            now = end;
        }
    }

    /** Counts what gets through. */
    private static final class Counter implements BlockBackend {
        private final List<BlockIo> through = new ArrayList<>();
        private boolean closed;

        @Override
        public String id() {
            return "counter";
        }

        @Override
        public long sizeBytes() {
            return 1 << 30;
        }

        @Override
        public void grow(long sizeBytes) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int blockSizeBytes() {
            return 512;
        }

        @Override
        public boolean isReadOnly() {
            return false;
        }

        @Override
        public boolean canDiscard() {
            return false;
        }

        @Override
        public void submit(BlockIo io) {
            through.add(io);
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final Clock clock = new Clock();
    private final Counter counter = new Counter();

    private static BlockIo read(long offset) {
        MemorySegment[] buffer = {Arena.ofAuto().allocate(BLOCK)};
        return BlockIo.read(offset, buffer, error -> {});
    }

    private ThrottledBackend throttled(DiskLimits limits) {
        return new ThrottledBackend(counter, limits, clock);
    }

    @Test
    void operations_burstThenRate_inOrder() {
        ThrottledBackend disk = throttled(DiskLimits.NONE.withOperations(100, 10));
        for (int i = 0; i < 200; i++) {
            disk.submit(read(i * (long) BLOCK));
        }
        assertThat(counter.through).hasSize(10);
        clock.advance(SECOND);
        assertThat(counter.through.size()).isBetween(109, 110);
        clock.advance(SECOND);
        assertThat(counter.through).hasSize(200);
        for (int i = 0; i < 200; i++) {
            assertThat(counter.through.get(i).offset()).isEqualTo(i * (long) BLOCK);
        }
    }

    @Test
    void bytes_areLimited_andFlushesPass() {
        ThrottledBackend disk = throttled(DiskLimits.NONE.withBytes(10 * BLOCK, BLOCK));
        for (int i = 0; i < 50; i++) {
            disk.submit(read(0));
        }
        int first = counter.through.size();
        assertThat(first).isBetween(1, 2);
        disk.submit(BlockIo.flush(error -> {}));
        assertThat(counter.through).hasSize(first + 1);
        clock.advance(SECOND);
        assertThat(counter.through.size() - first - 1).isBetween(9, 11);
    }

    @Test
    void close_doesWhatWaits() {
        ThrottledBackend disk = throttled(DiskLimits.NONE.withOperations(1, 1));
        for (int i = 0; i < 5; i++) {
            disk.submit(read(0));
        }
        disk.close();
        assertThat(counter.through).hasSize(5);
        assertThat(counter.closed).isTrue();
    }
}
