package dev.javisor.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.virtio.Virtqueue.Poll;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Rings written byte by byte, so that they can be as wrong as a guest's. */
class VirtqueueTest {
    private static final int SIZE = 8;
    private static final long DESC = 0x1000;
    private static final long AVAIL = 0x2000;
    private static final long USED = 0x3000;
    private static final long TABLE = 0x4000;
    private static final long DATA = 0x8000;
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final long ALL =
            VirtioFeatures.RING_INDIRECT_DESC
                    | VirtioFeatures.RING_EVENT_IDX
                    | VirtioFeatures.VERSION_1;

    private final GuestMemory memory = TestMemory.of(0x20000);
    private final DescriptorChain chain = new DescriptorChain();
    private int interrupts;
    private int available;

    private Virtqueue queue(long features) {
        return make(new QueueState(SIZE, true, DESC, AVAIL, USED, 0, 0), features);
    }

    private Virtqueue make(QueueState state, long features) {
        Virtqueue made = from(state, features);
        if (made == null) {
            throw new AssertionError("not a queue: " + state);
        }
        return made;
    }

    private @Nullable Virtqueue from(QueueState state, long features) {
        return Virtqueue.from(state, memory, features, () -> interrupts++);
    }

    private void descriptor(long table, int index, long address, int length, int flags, int next) {
        long at = table + 16L * index;
        memory.writeLong(at, address);
        memory.writeInt(at + 8, length);
        memory.writeShort(at + 12, flags);
        memory.writeShort(at + 14, next);
    }

    private void offer(int head) {
        memory.writeShort(AVAIL + 4 + 2L * (available % SIZE), head);
        available = (available + 1) & 0xFFFF;
        memory.writeShort(AVAIL + 2, available);
    }

    private String faultOf(Virtqueue queue) {
        assertThat(queue.poll(chain)).isEqualTo(Poll.FAULT);
        assertThat(queue.poll(chain)).as("stays dead").isEqualTo(Poll.FAULT);
        assertThat(queue.hasAvailable()).isFalse();
        return String.valueOf(queue.fault());
    }

    @Test
    void spec_2_7_13_chain_isTakenWithItsParts() {
        Virtqueue queue = queue(ALL);
        memory.write(DATA, new byte[] {1, 2, 3, 4, 5});
        descriptor(DESC, 2, DATA, 3, NEXT, 5);
        descriptor(DESC, 5, DATA + 3, 2, NEXT, 1);
        descriptor(DESC, 1, DATA + 0x100, 4, NEXT | WRITE, 0);
        descriptor(DESC, 0, DATA + 0x200, 4, WRITE, 0);
        assertThat(queue.poll(chain)).isEqualTo(Poll.EMPTY);
        offer(2);
        assertThat(queue.hasAvailable()).isTrue();
        assertThat(queue.poll(chain)).isEqualTo(Poll.CHAIN);
        assertThat(chain.head()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(5);
        assertThat(chain.writableBytes()).isEqualTo(8);

        byte[] read = new byte[10];
        assertThat(chain.read(1, read, 0, 10)).isEqualTo(4);
        assertThat(read).startsWith(2, 3, 4, 5, 0);
        assertThat(chain.write(2, new byte[] {7, 8, 9, 10}, 0, 4)).isEqualTo(4);
        assertThat(memory.readInt(DATA + 0x100)).isEqualTo(0x0807_0000);
        assertThat(memory.readInt(DATA + 0x200)).isEqualTo(0x0A09);
        assertThat(chain.write(6, new byte[4], 0, 4)).as("only as much as fits").isEqualTo(2);
        chain.writeByte(7, 0x55);
        assertThat(memory.readByte(DATA + 0x203)).isEqualTo(0x55);
    }

    @Test
    void slices_acrossParts_coverExactlyTheRange() {
        Virtqueue queue = queue(ALL);
        memory.write(DATA, new byte[] {1, 2, 3, 4, 5, 6});
        descriptor(DESC, 0, DATA, 2, NEXT, 1);
        descriptor(DESC, 1, DATA + 2, 2, NEXT, 2);
        descriptor(DESC, 2, DATA + 4, 2, 0, 0);
        offer(0);
        queue.poll(chain);
        MemorySegment[] slices = chain.readableSlices(1, 4);
        assertThat(slices).hasSize(3);
        assertThat(slices[0].toArray(ValueLayout.JAVA_BYTE)).containsExactly(2);
        assertThat(slices[1].toArray(ValueLayout.JAVA_BYTE)).containsExactly(3, 4);
        assertThat(slices[2].toArray(ValueLayout.JAVA_BYTE)).containsExactly(5);
        assertThat(chain.writableSlices(0, 4)).isEmpty();
    }

    @Test
    void spec_2_7_8_push_publishesElementThenIndexAndReportsTheWrite() {
        List<Long> written = new ArrayList<>();
        memory.addWriteObserver((address, bytes) -> written.add(address));
        Virtqueue queue = queue(ALL);
        descriptor(DESC, 3, DATA, 16, WRITE, 0);
        offer(3);
        queue.poll(chain);
        written.clear();
        queue.push(chain, 9);
        assertThat(memory.readInt(USED + 4)).isEqualTo(3);
        assertThat(memory.readInt(USED + 8)).isEqualTo(9);
        assertThat(memory.readShort(USED + 2)).isEqualTo(1);
        assertThat(written).contains(USED, USED + 4);
        assertThatThrownBy(() -> queue.push(chain, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void spec_2_7_5_3_indirect_isFollowedAlsoAfterDirectOnes() {
        Virtqueue queue = queue(ALL);
        descriptor(DESC, 0, DATA, 1, NEXT, 1);
        descriptor(DESC, 1, TABLE, 32, INDIRECT, 0);
        descriptor(TABLE, 0, DATA + 1, 2, NEXT, 1);
        descriptor(TABLE, 1, DATA + 3, 4, WRITE, 0);
        offer(0);
        assertThat(queue.poll(chain)).isEqualTo(Poll.CHAIN);
        assertThat(chain.readableBytes()).isEqualTo(3);
        assertThat(chain.writableBytes()).isEqualTo(4);
    }

    @Test
    void spec_2_7_5_3_1_indirectMisuse_isAFault() {
        descriptor(DESC, 0, TABLE, 16, INDIRECT, 0);
        descriptor(TABLE, 0, DATA, 1, 0, 0);
        offer(0);
        assertThat(faultOf(queue(VirtioFeatures.VERSION_1))).contains("without the feature");
        descriptor(DESC, 0, TABLE, 16, INDIRECT | NEXT, 1);
        assertThat(faultOf(queue(ALL))).contains("with a next one");
        for (int length : new int[] {0, 8, 17, -16, 16 * 1025}) {
            descriptor(DESC, 0, TABLE, length, INDIRECT, 0);
            assertThat(faultOf(queue(ALL))).contains("length of an indirect table");
        }
        descriptor(DESC, 0, 0x1FFF8, 16, INDIRECT, 0);
        assertThat(faultOf(queue(ALL))).contains("table outside RAM");
        descriptor(DESC, 0, TABLE, 16, INDIRECT, 0);
        descriptor(TABLE, 0, TABLE, 16, INDIRECT, 0);
        assertThat(faultOf(queue(ALL))).contains("within an indirect table");
        descriptor(TABLE, 0, DATA, 1, NEXT, 1);
        assertThat(faultOf(queue(ALL))).contains("beyond the indirect table");
        descriptor(TABLE, 0, DATA, 1, NEXT, 0);
        assertThat(faultOf(queue(ALL))).contains("longer than its indirect table");
    }

    @Test
    void chain_loop_isAFault() {
        descriptor(DESC, 0, DATA, 1, NEXT, 1);
        descriptor(DESC, 1, DATA, 1, NEXT, 0);
        offer(0);
        assertThat(faultOf(queue(ALL))).contains("longer than the queue");
    }

    @Test
    void chain_badIndices_areFaults() {
        offer(SIZE);
        assertThat(faultOf(queue(ALL))).contains("head beyond");
        available = 0;
        descriptor(DESC, 0, DATA, 1, NEXT, SIZE);
        offer(0);
        assertThat(faultOf(queue(ALL))).contains("next beyond");
    }

    @Test
    void available_runsAhead_isAFault() {
        memory.writeShort(AVAIL + 2, SIZE + 1);
        assertThat(faultOf(queue(ALL))).contains("runs ahead");
    }

    @Test
    void head_twiceInFlight_isAFault() {
        Virtqueue queue = queue(ALL);
        descriptor(DESC, 0, DATA, 1, 0, 0);
        offer(0);
        offer(0);
        assertThat(queue.poll(chain)).isEqualTo(Poll.CHAIN);
        assertThat(faultOf(queue)).contains("already in flight");
    }

    @Test
    void buffer_outsideRam_isAFault() {
        for (long address : new long[] {0x20000, 0x1FFFF, -1, Long.MIN_VALUE, 0xFEE0_0000L}) {
            descriptor(DESC, 0, address, 2, 0, 0);
            available = 0;
            offer(0);
            assertThat(faultOf(queue(ALL))).contains("outside RAM");
        }
        descriptor(DESC, 0, DATA, -1, WRITE, 0);
        assertThat(faultOf(queue(ALL))).contains("outside RAM");
    }

    @Test
    void spec_2_7_4_2_readableAfterWritable_isAFault() {
        descriptor(DESC, 0, DATA, 1, WRITE | NEXT, 1);
        descriptor(DESC, 1, DATA, 1, 0, 0);
        offer(0);
        assertThat(faultOf(queue(ALL))).contains("readable buffer after");
    }

    @Test
    void from_misshapenQueue_isNull() {
        QueueState[] bad = {
            new QueueState(0, true, DESC, AVAIL, USED, 0, 0),
            new QueueState(12, true, DESC, AVAIL, USED, 0, 0),
            new QueueState(65536, true, DESC, AVAIL, USED, 0, 0),
            new QueueState(SIZE, true, DESC + 8, AVAIL, USED, 0, 0),
            new QueueState(SIZE, true, DESC, AVAIL + 1, USED, 0, 0),
            new QueueState(SIZE, true, DESC, AVAIL, USED + 2, 0, 0),
            new QueueState(SIZE, true, 0x1FFF0, AVAIL, USED, 0, 0),
            new QueueState(SIZE, true, DESC, 0x1FFFE, USED, 0, 0),
            new QueueState(SIZE, true, DESC, AVAIL, 0x1FFFC, 0, 0),
            new QueueState(SIZE, true, -16, AVAIL, USED, 0, 0),
        };
        for (QueueState state : bad) {
            assertThat(from(state, ALL)).as(state.toString()).isNull();
        }
    }

    private void useOne(Virtqueue queue) {
        offer(0);
        assertThat(queue.poll(chain)).isEqualTo(Poll.CHAIN);
        queue.push(chain, 0);
    }

    @Test
    void spec_2_7_7_flags_suppressInterrupts() {
        Virtqueue queue = queue(VirtioFeatures.VERSION_1);
        descriptor(DESC, 0, DATA, 1, 0, 0);
        queue.notifyDriver();
        assertThat(interrupts).as("nothing used").isZero();
        useOne(queue);
        queue.notifyDriver();
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(1);
        memory.writeShort(AVAIL, 1);
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(1);
    }

    @Test
    void spec_2_7_7_2_eventIndex_interruptsWhenPassed() {
        Virtqueue queue = queue(ALL);
        long usedEvent = AVAIL + 4 + 2L * SIZE;
        descriptor(DESC, 0, DATA, 1, 0, 0);
        memory.writeShort(usedEvent, 2);
        useOne(queue);
        queue.notifyDriver();
        int base = interrupts;
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).as("index 2 reached, event 2 not passed").isEqualTo(base);
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(base + 1);
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(base + 1);
    }

    @Test
    void eventIndex_acrossTheWrap_staysRight() {
        Virtqueue queue = make(new QueueState(SIZE, true, DESC, AVAIL, USED, 0xFFFE, 0xFFFE), ALL);
        available = 0xFFFE;
        memory.writeShort(AVAIL + 2, available);
        descriptor(DESC, 0, DATA, 1, 0, 0);
        useOne(queue);
        queue.notifyDriver();
        int base = interrupts;
        memory.writeShort(AVAIL + 4 + 2L * SIZE, 0);
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(base);
        useOne(queue);
        queue.notifyDriver();
        assertThat(interrupts).isEqualTo(base + 1);
        assertThat(memory.readShort(USED + 2)).isEqualTo(1);
    }

    @Test
    void spec_2_7_10_notifications_followFlagsOrEventIndex() {
        Virtqueue flags = queue(VirtioFeatures.VERSION_1);
        flags.disableNotifications();
        assertThat(memory.readShort(USED)).isEqualTo(1);
        assertThat(flags.enableNotifications()).isFalse();
        assertThat(memory.readShort(USED)).isZero();

        Virtqueue event = queue(ALL);
        descriptor(DESC, 0, DATA, 1, 0, 0);
        event.disableNotifications();
        assertThat(memory.readShort(USED)).isZero();
        offer(0);
        assertThat(event.enableNotifications()).as("one slipped in").isTrue();
        event.poll(chain);
        assertThat(event.enableNotifications()).isFalse();
        assertThat(memory.readShort(USED + 4 + 8L * SIZE)).isEqualTo(1);
    }

    @Test
    void unpoll_latest_comesAgain() {
        Virtqueue queue = queue(ALL);
        descriptor(DESC, 4, DATA, 1, 0, 0);
        offer(4);
        queue.poll(chain);
        queue.unpoll(chain);
        assertThat(queue.poll(chain)).isEqualTo(Poll.CHAIN);
        assertThat(chain.head()).isEqualTo(4);
        queue.push(chain, 0);
        assertThat(queue.save()).isEqualTo(new QueueState(SIZE, true, DESC, AVAIL, USED, 1, 1));
    }

    @Test
    void randomRings_neverThrowAndNeverLeaveRam() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 3_000; round++) {
            byte[] junk = new byte[0x400];
            random.nextBytes(junk);
            memory.write(AVAIL, junk);
            for (int i = 0; i < 64; i++) {
                long table = i < SIZE ? DESC : TABLE;
                descriptor(
                        table,
                        i % 56,
                        random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(0x21000),
                        random.nextInt(6) == 0 ? random.nextInt() : random.nextInt(0x200),
                        random.nextInt(8),
                        random.nextInt(10));
            }
            for (int i = 0; i < SIZE; i++) {
                memory.writeShort(AVAIL + 4 + 2L * i, random.nextInt(SIZE + 1));
                if (random.nextInt(3) == 0) {
                    descriptor(DESC, i, TABLE, 16 * random.nextInt(30), INDIRECT, 0);
                }
            }
            memory.writeShort(AVAIL + 2, random.nextInt(SIZE + 2));
            Virtqueue queue = queue(random.nextBoolean() ? ALL : VirtioFeatures.VERSION_1);
            int taken = 0;
            try {
                while (queue.poll(chain) == Poll.CHAIN) {
                    long all = chain.readableBytes() + chain.writableBytes();
                    assertThat(all).isLessThanOrEqualTo(1024L * 0x20000);
                    for (MemorySegment slice : chain.writableSlices(0, chain.writableBytes())) {
                        assertThat(slice.byteSize()).isBetween(1L, 0x20000L);
                    }
                    chain.read(0, junk, 0, junk.length);
                    queue.push(chain, 1);
                    taken++;
                }
                queue.notifyDriver();
                queue.enableNotifications();
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + " round " + round, e);
            }
            assertThat(taken).as("seed %d", seed).isLessThanOrEqualTo(SIZE + 1);
            assertThat(interrupts).isGreaterThanOrEqualTo(0);
        }
    }
}
