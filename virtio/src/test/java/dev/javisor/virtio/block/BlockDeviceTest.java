package dev.javisor.virtio.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.DiskErrors;
import dev.javisor.block.ErrorPolicy;
import dev.javisor.virtio.DescriptorChain;
import dev.javisor.virtio.VirtioState;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.VirtioBench;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockDeviceTest {
    private static final int DISK_BYTES = 64 * 1024;
    private static final int OK = 0;
    private static final int IOERR = 1;
    private static final int UNSUPP = 2;
    private static final int UNTOUCHED = 0xEE;

    private final MemoryDisk disk = new MemoryDisk(DISK_BYTES, false);
    private final List<String> stops = new ArrayList<>();
    private final VirtioBench bench = new VirtioBench(device(disk, 1));

    private static BlockDevice device(MemoryDisk disk, int queues) {
        return new BlockDevice(disk, new BlockConfig(queues, DiskErrors.STANDARD, _ -> {}));
    }

    private VirtioBench stopping(ErrorPolicy reads, ErrorPolicy writes) {
        DiskErrors errors = new DiskErrors(reads, writes);
        return new VirtioBench(
                new BlockDevice(
                        disk, new BlockConfig(1, errors, error -> stops.add(error.getMessage()))));
    }

    private DriverQueue boot(VirtioBench on, long features) {
        assertThat(on.driver.negotiate(features)).isTrue();
        DriverQueue queue = on.driver.setUpQueue(0, 64);
        on.driver.driverOk();
        on.loop.run();
        return queue;
    }

    private DriverQueue boot() {
        return boot(bench, -1);
    }

    /** A request as it lies in guest memory. */
    private record Request(long header, long data, int dataBytes, long status) {}

    private Request request(VirtioBench on, int type, long sector, int dataBytes) {
        long header = on.driver.allocate(16, 16);
        on.memory.writeInt(header, type);
        on.memory.writeLong(header + 8, sector);
        long data = on.driver.allocate(Math.max(dataBytes, 1), 16);
        long status = on.driver.allocate(1, 1);
        on.memory.writeByte(status, UNTOUCHED);
        return new Request(header, data, dataBytes, status);
    }

    private void submit(VirtioBench on, DriverQueue queue, Request r, boolean write) {
        DriverQueue.Part head = DriverQueue.out(r.header, 16);
        DriverQueue.Part tail = DriverQueue.in(r.status, 1);
        if (r.dataBytes == 0) {
            queue.add(head, tail);
        } else {
            queue.add(head, new DriverQueue.Part(r.data, r.dataBytes, write), tail);
        }
        queue.kick();
        on.loop.run();
    }

    private int status(Request r) {
        return bench.memory.readByte(r.status);
    }

    private Request run(DriverQueue queue, int type, long sector, int dataBytes, boolean write) {
        Request r = request(bench, type, sector, dataBytes);
        submit(bench, queue, r, write);
        assertThat(queue.take()).isNotNull();
        return r;
    }

    @Test
    void spec_5_2_4_configuration_describesTheDisk() {
        assertThat(bench.driver.device(0, 4)).isEqualTo(DISK_BYTES / 512);
        assertThat(bench.driver.device(4, 4)).isZero();
        assertThat(bench.driver.device(12, 4)).as("seg_max").isEqualTo(254);
        assertThat(bench.driver.device(20, 4)).as("blk_size").isEqualTo(512);
        assertThat(bench.driver.device(32, 1)).as("writeback").isEqualTo(1);
        assertThat(bench.driver.device(32, 4) & 0xFF).isEqualTo(1);
        assertThat(bench.driver.offered() & BlockLayout.F_RO).isZero();
        assertThat(bench.driver.structureBytes(4)).isEqualTo(60);
        assertThat(bench.driver.device(60, 4)).as("beyond the end").isZero();
    }

    @Test
    void spec_5_2_6_read_fillsTheBufferAndTheStatus() {
        new Random(1).nextBytes(disk.bytes);
        DriverQueue queue = boot();
        Request r = request(bench, 0, 3, 1024);
        submit(bench, queue, r, true);
        assertThat(queue.take()).isEqualTo(new DriverQueue.Used(0, 1025));
        assertThat(status(r)).isEqualTo(OK);
        assertThat(bench.memory.read(r.data, 1024))
                .isEqualTo(Arrays.copyOfRange(disk.bytes, 1536, 2560));
    }

    @Test
    void spec_5_2_6_write_reachesTheDisk() {
        DriverQueue queue = boot();
        Request r = request(bench, 1, 127, 512);
        byte[] data = new byte[512];
        new Random(2).nextBytes(data);
        bench.memory.write(r.data, data);
        submit(bench, queue, r, false);
        assertThat(queue.take()).isEqualTo(new DriverQueue.Used(0, 1));
        assertThat(status(r)).isEqualTo(OK);
        assertThat(Arrays.copyOfRange(disk.bytes, DISK_BYTES - 512, DISK_BYTES)).isEqualTo(data);
    }

    @Test
    void spec_2_7_4_framing_isUpToTheDriver() {
        new Random(3).nextBytes(disk.bytes);
        DriverQueue queue = boot();
        queue.setIndirect(true);
        Request r = request(bench, 0, 1, 512);
        // Header in pieces; data and status in one buffer, and in odd ones.
        long area = bench.driver.allocate(513, 1);
        queue.add(
                DriverQueue.out(r.header, 3),
                DriverQueue.out(r.header + 3, 10),
                DriverQueue.out(r.header + 13, 3),
                DriverQueue.in(area, 100),
                DriverQueue.in(area + 100, 413));
        queue.kick();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
        assertThat(bench.memory.read(area, 512))
                .isEqualTo(Arrays.copyOfRange(disk.bytes, 512, 1024));
        assertThat(bench.memory.readByte(area + 512)).isZero();
    }

    @Test
    void manyInFlight_completedInAnyOrder_eachGetsItsOwn() {
        for (int i = 0; i < DISK_BYTES; i++) {
            disk.bytes[i] = (byte) (i / 512);
        }
        DriverQueue queue = boot();
        disk.deferred = true;
        List<Request> requests = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            Request r = request(bench, 0, i, 512);
            requests.add(r);
            submit(bench, queue, r, true);
        }
        assertThat(disk.waiting()).isEqualTo(20);
        assertThat(queue.take()).isNull();
        for (int i = 0; i < 10; i++) {
            disk.completeNewest();
            disk.completeOldest();
        }
        bench.loop.run();
        int taken = 0;
        while (queue.take() != null) {
            taken++;
        }
        assertThat(taken).isEqualTo(20);
        for (int i = 0; i < 20; i++) {
            assertThat(status(requests.get(i))).isEqualTo(OK);
            assertThat(bench.memory.readByte(requests.get(i).data)).isEqualTo(i);
        }
    }

    @Test
    void queueFull_ofRequestsInFlight_goesOnWhenTheyComplete() {
        DriverQueue queue = boot();
        disk.deferred = true;
        queue.setIndirect(true);
        for (int i = 0; i < 64; i++) {
            submit(bench, queue, request(bench, 0, i, 512), true);
        }
        assertThat(disk.waiting()).isEqualTo(64);
        disk.deferred = false;
        while (disk.waiting() > 0) {
            disk.completeOldest();
        }
        bench.loop.run();
        int taken = 0;
        while (queue.take() != null) {
            taken++;
        }
        assertThat(taken).isEqualTo(64);
        assertThat(status(run(queue, 0, 0, 512, true))).isEqualTo(OK);
    }

    @Test
    void flush_afterWrites_isPassedOn() {
        DriverQueue queue = boot();
        run(queue, 1, 0, 512, false);
        assertThat(status(run(queue, 4, 0, 0, false))).isEqualTo(OK);
        assertThat(disk.log).containsExactly("WRITE@0+512", "FLUSH@0+0");
    }

    @Test
    void spec_5_2_5_2_withoutFlushFeature_writesAreDurable() {
        long without = ~(BlockLayout.F_FLUSH | BlockLayout.F_CONFIG_WCE);
        DriverQueue queue = boot(bench, without);
        run(queue, 1, 0, 512, false);
        assertThat(disk.log).containsExactly("WRITE@0+512", "FLUSH@0+0");
    }

    @Test
    void spec_5_2_5_writeback_offByTheDriver_writesAreDurable() {
        DriverQueue queue = boot();
        bench.driver.setDevice(32, 1, 0);
        assertThat(bench.driver.device(32, 1)).isZero();
        run(queue, 1, 0, 512, false);
        run(queue, 13, 0, 0, false);
        assertThat(disk.log).startsWith("WRITE@0+512", "FLUSH@0+0");
    }

    @Test
    void getId_givesTheNamePaddedWithZeroes() {
        DriverQueue queue = boot();
        Request r = run(queue, 8, 0, 20, true);
        assertThat(status(r)).isEqualTo(OK);
        assertThat(
                        new String(
                                bench.memory.read(r.data, 20),
                                java.nio.charset.StandardCharsets.US_ASCII))
                .isEqualTo("memory-disk\0\0\0\0\0\0\0\0\0");
    }

    private Request range(DriverQueue queue, int type, long sector, int sectors, int flags) {
        Request r = request(bench, type, 0, 16);
        bench.memory.writeLong(r.data, sector);
        bench.memory.writeInt(r.data + 8, sectors);
        bench.memory.writeInt(r.data + 12, flags);
        submit(bench, queue, r, false);
        assertThat(queue.take()).isNotNull();
        return r;
    }

    @Test
    void spec_5_2_6_2_ranges_areCheckedAndPassedOn() {
        DriverQueue queue = boot();
        assertThat(status(range(queue, 13, 2, 4, 0))).isEqualTo(OK);
        assertThat(status(range(queue, 13, 2, 4, 1))).isEqualTo(OK);
        assertThat(status(range(queue, 11, 8, 8, 0))).isEqualTo(OK);
        assertThat(disk.log)
                .containsExactly(
                        "WRITE_ZEROES@1024+2048", "WRITE_ZEROES@1024+2048", "DISCARD@4096+4096");
        assertThat(status(range(queue, 11, 0, 8, 1))).as("unmap").isEqualTo(UNSUPP);
        assertThat(status(range(queue, 13, 0, 8, 2))).as("reserved").isEqualTo(UNSUPP);
        assertThat(status(range(queue, 13, 120, 9, 0))).as("past the end").isEqualTo(IOERR);
        assertThat(status(range(queue, 13, 0, -1, 0))).as("huge").isEqualTo(IOERR);
        assertThat(status(run(queue, 13, 0, 32, false))).as("two ranges").isEqualTo(IOERR);
        assertThat(disk.log).hasSize(3);
    }

    @Test
    void transfers_beyondTheDisk_areErrors() {
        DriverQueue queue = boot();
        assertThat(status(run(queue, 0, 128, 512, true))).isEqualTo(IOERR);
        assertThat(status(run(queue, 0, 127, 1024, true))).isEqualTo(IOERR);
        assertThat(status(run(queue, 0, -1, 512, true))).isEqualTo(IOERR);
        assertThat(status(run(queue, 0, Long.MAX_VALUE >>> 8, 512, true))).isEqualTo(IOERR);
        assertThat(status(run(queue, 1, 0, 511, false))).isEqualTo(IOERR);
        assertThat(status(run(queue, 77, 0, 0, false))).isEqualTo(UNSUPP);
        assertThat(disk.log).isEmpty();
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    @Test
    void backendFailure_isAnErrorToTheGuest() {
        DriverQueue queue = boot();
        disk.failing = true;
        assertThat(status(run(queue, 0, 0, 512, true))).isEqualTo(IOERR);
        assertThat(status(run(queue, 1, 0, 512, false))).isEqualTo(IOERR);
        assertThat(status(run(queue, 4, 0, 0, false))).isEqualTo(IOERR);
        disk.failing = false;
        assertThat(status(run(queue, 0, 0, 512, true))).isEqualTo(OK);
    }

    @Test
    void spec_5_2_4_multiQueue_eachQueueCompletesItsOwn() {
        new Random(4).nextBytes(disk.bytes);
        VirtioBench many = new VirtioBench(device(disk, 3));
        assertThat(many.driver.offered() & BlockLayout.F_MQ).isNotZero();
        assertThat(many.driver.device(34, 2)).as("num_queues").isEqualTo(3);
        assertThat(many.driver.negotiate(-1)).isTrue();
        // A driver need not use all of them.
        DriverQueue first = many.driver.setUpQueue(0, 64);
        DriverQueue third = many.driver.setUpQueue(2, 4);
        many.driver.driverOk();
        many.loop.run();
        disk.deferred = true;
        third.setIndirect(true);
        Request a = request(many, 0, 0, 512);
        submit(many, first, a, true);
        List<Request> others = new ArrayList<>();
        for (int i = 1; i <= 4; i++) {
            others.add(request(many, 0, i, 512));
            submit(many, third, others.getLast(), true);
        }
        assertThat(disk.waiting()).isEqualTo(5);
        disk.completeNewest();
        many.loop.run();
        assertThat(first.take()).isNull();
        assertThat(third.take()).isNotNull();
        // The one that was full takes more.
        submit(many, third, request(many, 0, 9, 512), true);
        assertThat(disk.waiting()).isEqualTo(5);
        while (disk.waiting() > 0) {
            disk.completeOldest();
        }
        many.loop.run();
        assertThat(first.take()).isNotNull();
        assertThat(many.memory.read(a.data, 512)).isEqualTo(Arrays.copyOf(disk.bytes, 512));
        for (int i = 0; i < 4; i++) {
            assertThat(third.take()).isNotNull();
            assertThat(many.memory.readByte(others.get(i).status)).isEqualTo(OK);
        }
    }

    @Test
    void spec_2_5_grow_changesCapacityAndGeneration_andInterrupts() {
        BlockDevice device = (BlockDevice) bench.endpoint.device();
        DriverQueue queue = boot();
        int before = bench.driver.common(0x15, 1);
        assertThat(status(run(queue, 0, DISK_BYTES / 512, 512, true))).isEqualTo(IOERR);
        disk.grow(2 * DISK_BYTES);
        device.resized();
        assertThat(bench.driver.common(0x15, 1)).as("generation").isNotEqualTo(before);
        assertThat(bench.driver.device(0, 4)).isEqualTo(2 * DISK_BYTES / 512);
        assertThat(bench.driver.isr() & 2).as("configuration interrupt").isEqualTo(2);
        assertThat(status(run(queue, 0, DISK_BYTES / 512, 512, true))).isEqualTo(OK);
    }

    @Test
    void errorPolicy_stop_keepsTheRequestUntilTheMachineGoesOn() {
        VirtioBench on = stopping(ErrorPolicy.STOP, ErrorPolicy.STOP);
        DriverQueue queue = boot(on, -1);
        disk.failing = true;
        Request read = request(on, 0, 0, 512);
        Request write = request(on, 1, 1, 512);
        submit(on, queue, read, true);
        submit(on, queue, write, false);
        assertThat(stops).hasSize(2);
        assertThat(queue.take()).as("the guest sees nothing").isNull();
        pause(on);
        // Nothing is mended: they are kept once more.
        resume(on);
        assertThat(queue.take()).isNull();
        assertThat(stops).hasSize(4);
        pause(on);
        disk.failing = false;
        resume(on);
        assertThat(queue.take()).isNotNull();
        assertThat(queue.take()).isNotNull();
        assertThat(on.memory.readByte(read.status)).isEqualTo(OK);
        assertThat(on.memory.readByte(write.status)).isEqualTo(OK);
        assertThat(disk.log)
                .containsExactly(
                        "READ@0+512",
                        "WRITE@512+512",
                        "READ@0+512",
                        "WRITE@512+512",
                        "READ@0+512",
                        "WRITE@512+512");
    }

    @Test
    void errorPolicy_enospc_stopsOnlyForAFullHost() {
        VirtioBench on = stopping(ErrorPolicy.REPORT, ErrorPolicy.ENOSPC);
        DriverQueue queue = boot(on, -1);
        disk.failing = true;
        Request broken = request(on, 1, 0, 512);
        submit(on, queue, broken, false);
        assertThat(queue.take()).isNotNull();
        assertThat(on.memory.readByte(broken.status)).isEqualTo(IOERR);
        disk.full = true;
        submit(on, queue, request(on, 1, 0, 512), false);
        assertThat(queue.take()).isNull();
        assertThat(stops).containsExactly("memory-disk is full");
    }

    @Test
    void errorPolicy_durableWrite_isRetriedFromTheWrite() {
        VirtioBench on = stopping(ErrorPolicy.STOP, ErrorPolicy.STOP);
        DriverQueue queue = boot(on, ~(BlockLayout.F_FLUSH | BlockLayout.F_CONFIG_WCE));
        disk.deferred = true;
        submit(on, queue, request(on, 1, 0, 512), false);
        disk.completeOldest();
        disk.failing = true;
        disk.completeOldest();
        on.loop.run();
        disk.failing = false;
        disk.deferred = false;
        pause(on);
        resume(on);
        assertThat(queue.take()).isNotNull();
        assertThat(disk.log)
                .containsExactly("WRITE@0+512", "FLUSH@0+0", "WRITE@0+512", "FLUSH@0+0");
    }

    @Test
    void errorPolicy_keptRequests_areForgottenByAReset() {
        VirtioBench on = stopping(ErrorPolicy.STOP, ErrorPolicy.STOP);
        DriverQueue queue = boot(on, -1);
        disk.failing = true;
        submit(on, queue, request(on, 1, 0, 512), false);
        on.driver.setCommon(0x14, 1, 0);
        on.loop.run();
        assertThat(on.driver.status()).isZero();
        disk.failing = false;
        Request next = request(on, 0, 0, 512);
        submit(on, boot(on, -1), next, true);
        assertThat(on.memory.readByte(next.status)).isEqualTo(OK);
        assertThat(disk.log).containsExactly("WRITE@0+512", "READ@0+512");
    }

    @Test
    void save_keptRequests_areTriedWhereTheStateIsRestored() {
        VirtioBench on = stopping(ErrorPolicy.STOP, ErrorPolicy.STOP);
        DriverQueue queue = boot(on, -1);
        disk.failing = true;
        Request write = request(on, 1, 3, 512);
        submit(on, queue, write, false);
        pause(on);
        VirtioState saved = on.endpoint.save();
        on.driver.setCommon(0x14, 1, 0);
        on.loop.run();
        disk.failing = false;
        on.endpoint.restore(saved);
        resume(on);
        assertThat(queue.take()).isNotNull();
        assertThat(on.memory.readByte(write.status)).isEqualTo(OK);
        assertThat(disk.log).containsExactly("WRITE@1536+512", "WRITE@1536+512");
        assertThatThrownBy(() ->
                        on.endpoint
                                .device()
                                .restore(new BlockState(true, List.of(new BlockState.Kept(0, 64)))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static void pause(VirtioBench on) {
        on.endpoint.pause();
        on.loop.run();
    }

    private static void resume(VirtioBench on) {
        on.endpoint.resume();
        on.loop.run();
    }

    @Test
    void readOnly_writes_areErrors() {
        MemoryDisk locked = new MemoryDisk(DISK_BYTES, true);
        VirtioBench other = new VirtioBench(device(locked, 1));
        assertThat(other.driver.offered() & BlockLayout.F_RO).isNotZero();
        assertThat(other.driver.offered() & BlockLayout.F_DISCARD).isZero();
        DriverQueue queue = boot(other, -1);
        Request r = request(other, 1, 0, 512);
        submit(other, queue, r, false);
        assertThat(queue.take()).isNotNull();
        assertThat(other.memory.readByte(r.status)).isEqualTo(IOERR);
        assertThat(locked.log).isEmpty();
    }

    @Test
    void request_withoutStatusOrHeader_isAGuestFault() {
        for (boolean header : new boolean[] {true, false}) {
            VirtioBench other = new VirtioBench(device(new MemoryDisk(DISK_BYTES, false), 1));
            DriverQueue queue = boot(other, -1);
            long at = other.driver.allocate(32, 16);
            queue.add(header ? DriverQueue.out(at, 16) : DriverQueue.in(at, 16));
            queue.kick();
            other.loop.run();
            assertThat(other.driver.status() & 64).isNotZero();
            assertThat(other.endpoint.guestFaults()).isEqualTo(1);
        }
    }

    @Test
    void reset_requestsInFlight_waitsForThem() {
        DriverQueue queue = boot();
        disk.deferred = true;
        submit(bench, queue, request(bench, 0, 0, 512), true);
        bench.driver.setCommon(0x14, 1, 0);
        bench.loop.run();
        assertThat(bench.driver.status()).as("the buffer is still ours").isNotZero();
        disk.completeOldest();
        bench.loop.run();
        assertThat(bench.driver.status()).isZero();
        disk.deferred = false;
        assertThat(status(run(boot(), 0, 0, 512, true))).isEqualTo(OK);
    }

    @Test
    void randomRequests_neverThrowAndNeverTouchBeyondTheDisk() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        int faults = 0;
        for (int round = 0; round < 200; round++) {
            DriverQueue queue = boot();
            disk.failing = random.nextInt(4) == 0;
            for (int i = 0; i < 30; i++) {
                long header = bench.driver.allocate(16, 16);
                bench.memory.writeInt(header, random.nextInt(15));
                bench.memory.writeLong(
                        header + 8,
                        random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(140));
                List<DriverQueue.Part> parts = new ArrayList<>();
                parts.add(DriverQueue.out(header, random.nextInt(8) == 0 ? 7 : 16));
                boolean writable = false;
                for (int n = random.nextInt(3); n >= 0; n--) {
                    writable |= random.nextBoolean();
                    parts.add(
                            new DriverQueue.Part(
                                    0x30_0000 + random.nextInt(0x8_0000),
                                    random.nextInt(4) * 512 + random.nextInt(2),
                                    writable));
                }
                queue.add(parts.toArray(DriverQueue.Part[]::new));
                queue.kick();
                bench.loop.run();
                queue.take();
                if ((bench.driver.status() & 64) != 0) {
                    assertThat(bench.endpoint.lastFault())
                            .as("seed %d", seed)
                            .doesNotContain("internal failure");
                    faults++;
                    break;
                }
            }
            bench.driver.setCommon(0x14, 1, 0);
            bench.loop.run();
            assertThat(bench.driver.status()).as("seed %d", seed).isZero();
            bench.driver.rewind();
        }
        assertThat(faults).as("seed %d: some rounds were meant to be bad", seed).isPositive();
        assertThat(DescriptorChain.MAX_DESCRIPTORS).isEqualTo(1024);
    }

    @Test
    void close_closesTheBackend() {
        bench.endpoint.close();
        assertThat(disk.closed).isTrue();
    }
}
