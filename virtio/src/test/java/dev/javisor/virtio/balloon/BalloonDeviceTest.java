package dev.javisor.virtio.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.virtio.VirtioDeviceState;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.DriverQueue.Part;
import dev.javisor.virtio.driver.DriverQueue.Used;
import dev.javisor.virtio.driver.VirtioBench;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BalloonDeviceTest {
    private static final int RAM_BYTES = 4 << 20;
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int STATISTICS = 2;
    private static final long NEEDS_RESET = 64;

    private record Given(long offset, long sizeBytes) {}

    private final List<Given> given = new ArrayList<>();
    private final GuestMemory memory = memory(true);
    private final BalloonDevice device = new BalloonDevice(memory);
    private final VirtioBench bench = new VirtioBench(device, memory);

    private GuestMemory memory(boolean discardable) {
        MemorySegment ram = Arena.ofAuto().allocate(RAM_BYTES, GuestMemory.PAGE_BYTES);
        return new GuestMemory(
                ram,
                List.of(new Region(0, 0, RAM_BYTES)),
                () -> {},
                discardable
                        ? (offset, sizeBytes) -> {
                            given.add(new Given(offset, sizeBytes));
                            ram.asSlice(offset, sizeBytes).fill((byte) 0);
                            return true;
                        }
                        : null);
    }

    private DriverQueue start(int queue) {
        return start(queue, -1);
    }

    private DriverQueue start(int queue, long features) {
        assertThat(bench.driver.negotiate(features)).isTrue();
        DriverQueue made = bench.driver.setUpQueue(queue, 16);
        bench.driver.driverOk();
        bench.loop.run();
        return made;
    }

    /** A list of page numbers in guest memory. */
    private Part pages(int... numbers) {
        long at = bench.driver.allocate(4 * numbers.length, 4);
        for (int i = 0; i < numbers.length; i++) {
            memory.writeInt(at + 4L * i, numbers[i]);
        }
        return DriverQueue.out(at, 4 * numbers.length);
    }

    private void submit(DriverQueue queue, Part... parts) {
        queue.add(parts);
        queue.kick();
        bench.loop.run();
    }

    @Test
    void spec_5_5_inflatedPages_goBackToTheHost() {
        DriverQueue queue = start(INFLATE);
        memory.writeLong(0x10_0000, 42);
        submit(queue, pages(0x100, 0x101, 0x102), pages(0x180, 0x17F, 0x17E, 0x200));
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        assertThat(given)
                .containsExactly(
                        new Given(0x10_0000, 0x3000),
                        new Given(0x17_E000, 0x3000),
                        new Given(0x20_0000, 0x1000));
        assertThat(device.discardedBytes()).isEqualTo(7 * 4096);
        assertThat(memory.readLong(0x10_0000)).isZero();
        assertThat(bench.line.level()).isTrue();
    }

    @Test
    void discardedPages_areReportedAsWritten() {
        List<Given> written = new ArrayList<>();
        DriverQueue queue = start(INFLATE);
        Part list = pages(0x100);
        memory.addWriteObserver((address, size) -> written.add(new Given(address, size)));
        submit(queue, list);
        assertThat(written).contains(new Given(0x10_0000, 4096));
    }

    @Test
    void inflate_samePageTwice_isHarmless() {
        DriverQueue queue = start(INFLATE);
        submit(queue, pages(0x100, 0x100));
        submit(queue, pages(0x100));
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        assertThat(queue.take()).isEqualTo(new Used(1, 0));
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {0x400, 0x7FFFFFFF, -1})
    void inflate_outsideRam_isAGuestFault(int page) {
        DriverQueue queue = start(INFLATE);
        submit(queue, pages(0x100, page));
        assertThat(queue.take()).isNull();
        assertThat(bench.endpoint.guestFaults()).isEqualTo(1);
        assertThat(bench.driver.status() & NEEDS_RESET).isNotZero();
        assertThat(given).allMatch(g -> g.offset() == 0x10_0000 && g.sizeBytes() == 4096);
    }

    @ParameterizedTest
    @CsvSource({"262148, a huge list", "3, half a number"})
    void inflate_misshapenList_isAGuestFault(int sizeBytes, String what) {
        DriverQueue queue = start(INFLATE);
        submit(queue, DriverQueue.out(0x20_0000, sizeBytes));
        assertThat(bench.endpoint.guestFaults()).as(what).isEqualTo(1);
        assertThat(given).isEmpty();
    }

    @Test
    void deflate_takesAnything() {
        DriverQueue queue = start(DEFLATE);
        submit(queue, pages(0x100, -1));
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        assertThat(given).isEmpty();
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    /** The specification says 4, Linux takes 3, and 2 if it wants no statistics. */
    @ParameterizedTest
    @CsvSource({"4, -1", "3, -1", "2, -3"})
    void reportedPages_goBackToTheHost(int queueIndex, long features) {
        DriverQueue queue = start(queueIndex, features);
        memory.writeLong(0x20_0000, 42);
        submit(queue, DriverQueue.in(0x20_0000, 0x10_0000), DriverQueue.in(0x10_0000, 0x8000));
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        assertThat(given)
                .containsExactly(new Given(0x20_0000, 0x10_0000), new Given(0x10_0000, 0x8000));
        assertThat(memory.readLong(0x20_0000)).isZero();
    }

    @Test
    void spec_5_5_6_7_reportedPages_withPoison_stay() {
        DriverQueue queue = start(4);
        bench.driver.setDevice(BalloonLayout.POISON_VAL, 4, 0xAA);
        submit(queue, DriverQueue.in(0x20_0000, 0x1000));
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        assertThat(given).isEmpty();
    }

    @Test
    void reportedPages_withoutTheFeature_stay() {
        DriverQueue queue = start(4, ~BalloonLayout.F_PAGE_REPORTING);
        submit(queue, DriverQueue.in(0x20_0000, 0x1000));
        assertThat(given).isEmpty();
    }

    @Test
    void features_memoryThatStays_isNotAskedFor() {
        assertThat(device.features() & BalloonLayout.F_PAGE_REPORTING).isNotZero();
        var fixed = new BalloonDevice(memory(false));
        assertThat(fixed.features() & BalloonLayout.F_PAGE_REPORTING).isZero();
    }

    @Test
    void target_changed_isToldToTheDriver() {
        start(INFLATE);
        assertThat(bench.driver.device(BalloonLayout.NUM_PAGES, 4)).isZero();
        device.setTarget(RAM_BYTES - 0x30_0000);
        assertThat(bench.driver.isr()).isEqualTo(2);
        assertThat(bench.driver.device(BalloonLayout.NUM_PAGES, 4)).isEqualTo(0x300);
        assertThat(bench.driver.device(BalloonLayout.NUM_PAGES + 1, 1)).isEqualTo(3);
        bench.driver.setDevice(BalloonLayout.ACTUAL, 4, 0x200);
        assertThat(device.balloonBytes()).isEqualTo(0x20_0000);
        bench.driver.setDevice(BalloonLayout.ACTUAL, 4, -1);
        assertThat(device.balloonBytes()).isEqualTo(RAM_BYTES);
        device.setTarget(Long.MAX_VALUE);
        assertThat(bench.driver.device(BalloonLayout.NUM_PAGES, 4)).isZero();
    }

    private Part statistics(long free, long total) {
        long at = bench.driver.allocate(3 * BalloonLayout.STAT_BYTES, 8);
        stat(at, BalloonLayout.S_MEMFREE, free);
        stat(at + 10, 999, 7);
        stat(at + 20, BalloonLayout.S_MEMTOT, total);
        return DriverQueue.out(at, 3 * BalloonLayout.STAT_BYTES);
    }

    private void stat(long at, int tag, long value) {
        memory.writeShort(at, tag);
        memory.writeLong(at + 2, value);
    }

    @Test
    void spec_5_5_6_3_statistics_areTakenAndAskedFor() {
        DriverQueue queue = start(STATISTICS);
        submit(queue, statistics(1000, 5000));
        assertThat(device.statistics())
                .contains(new BalloonStatistics(5000, 1000, -1, -1, -1, -1, -1, -1));
        assertThat(queue.take()).isNull();

        device.askForStatistics();
        bench.loop.run();
        assertThat(queue.take()).isEqualTo(new Used(0, 0));
        submit(queue, statistics(900, 5000));
        assertThat(device.statistics()).map(BalloonStatistics::freeBytes).contains(900L);

        device.askForStatistics();
        device.askForStatistics();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
        device.askForStatistics();
        bench.loop.run();
        assertThat(queue.take()).isNull();
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    @Test
    void state_savedAndRestored_isTheSame() {
        start(INFLATE);
        device.setTarget(0x10_0000);
        bench.driver.setDevice(BalloonLayout.ACTUAL, 4, 7);
        VirtioDeviceState state = device.save();
        assertThat(state).isEqualTo(new BalloonState(0x300, 7, 0));
        var other = new BalloonDevice(memory);
        other.restore(state);
        assertThat(other.save()).isEqualTo(state);
    }

    @Test
    void reset_driverGone_keepsTheTarget() {
        start(INFLATE);
        device.setTarget(0x10_0000);
        bench.driver.setDevice(BalloonLayout.ACTUAL, 4, 7);
        bench.endpoint.reset();
        assertThat(device.save()).isEqualTo(new BalloonState(0x300, 0, 0));
    }

    /** Whatever a driver writes, the device answers with a fault at most. */
    @Test
    void anyChains_neverBreakTheDevice() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 2000; round++) {
            bench.driver.rewind();
            DriverQueue queue = start(random.nextInt(5));
            for (int i = random.nextInt(4); i >= 0; i--) {
                int readable = random.nextInt(3);
                Part[] parts = new Part[readable + 1 + random.nextInt(2)];
                for (int p = 0; p < parts.length; p++) {
                    // Away from the rings, which start at 64 KiB.
                    long at = 0x20_0000 + random.nextInt(0x10_0000);
                    int size = random.nextInt(random.nextBoolean() ? 64 : 0x10_0000);
                    parts[p] = new Part(at, size, p >= readable);
                    memory.writeInt(at & ~3L, random.nextInt(0x500));
                }
                queue.add(parts);
            }
            queue.ring();
            bench.loop.run();
            device.askForStatistics();
            device.setTarget(random.nextInt(RAM_BYTES));
            bench.loop.run();
            String fault = bench.endpoint.lastFault();
            assertThat(fault == null || !fault.startsWith("internal"))
                    .as("seed %d round %d: %s", seed, round, fault)
                    .isTrue();
            bench.endpoint.reset();
        }
    }
}
