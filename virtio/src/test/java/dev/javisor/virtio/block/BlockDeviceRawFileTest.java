package dev.javisor.virtio.block;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.block.DiskErrors;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.ImageBackend;
import dev.javisor.virtio.IoThread;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.VirtioBench;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole way from a driver to a file, with the threads that a machine has. */
class BlockDeviceRawFileTest {
    private static final int SECTORS = 2048;
    private static final int SLOTS = 32;
    private static final int SLOT_BYTES = 4096;

    @TempDir private Path folder;

    private record Slot(long header, long data, long status) {}

    @Test
    void randomWritesAndReads_manyInFlight_fileEndsAsTheDriverThinks() throws IOException {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path file = folder.resolve("disk.img");
        Files.write(file, new byte[SECTORS * 512]);
        byte[] model = new byte[SECTORS * 512];
        IoThread thread = new IoThread("virtio-disk");
        BlockDevice device =
                new BlockDevice(
                        new ImageBackend(
                                DiskFiles.open(
                                        file,
                                        DiskFormat.RAW,
                                        false,
                                        new DiskFiles.References.Refused())),
                        new BlockConfig(1, DiskErrors.STANDARD, _ -> {}));
        VirtioBench bench = new VirtioBench(device, thread);
        assertThat(bench.driver.negotiateAll()).isTrue();
        DriverQueue queue = bench.driver.setUpQueue(0, 256);
        bench.driver.driverOk();
        Slot[] slots = new Slot[SLOTS];
        for (int i = 0; i < SLOTS; i++) {
            slots[i] =
                    new Slot(
                            bench.driver.allocate(16, 16),
                            bench.driver.allocate(SLOT_BYTES, 4096),
                            bench.driver.allocate(1, 1));
        }
        for (int round = 0; round < 100; round++) {
            // Each slot has sectors of its own, so that what is in flight has no order.
            int stride = SECTORS / SLOTS;
            long[] at = new long[SLOTS];
            boolean[] write = new boolean[SLOTS];
            int[] bytes = new int[SLOTS];
            for (int i = 0; i < SLOTS; i++) {
                Slot slot = slots[i];
                bytes[i] = 512 * (1 + random.nextInt(8));
                at[i] = (long) i * stride + random.nextInt(stride - 8);
                write[i] = random.nextBoolean();
                bench.memory.writeInt(slot.header, write[i] ? 1 : 0);
                bench.memory.writeLong(slot.header + 8, at[i]);
                bench.memory.writeByte(slot.status, 0xEE);
                if (write[i]) {
                    byte[] data = new byte[bytes[i]];
                    random.nextBytes(data);
                    bench.memory.write(slot.data, data);
                    System.arraycopy(data, 0, model, (int) at[i] * 512, bytes[i]);
                }
                queue.add(
                        DriverQueue.out(slot.header, 16),
                        new DriverQueue.Part(slot.data, bytes[i], !write[i]),
                        DriverQueue.in(slot.status, 1));
                queue.kick();
            }
            for (int done = 0; done < SLOTS; done++) {
                int target = queue.takenIndex() + 1;
                thread.await(() -> queue.usedReached(target), IoThread.FOREVER);
                assertThat(queue.take()).isNotNull();
            }
            for (int i = 0; i < SLOTS; i++) {
                assertThat(bench.memory.readByte(slots[i].status)).as("seed %d", seed).isZero();
                if (!write[i]) {
                    int from = (int) at[i] * 512;
                    assertThat(bench.memory.read(slots[i].data, bytes[i]))
                            .as("seed %d round %d slot %d", seed, round, i)
                            .isEqualTo(Arrays.copyOfRange(model, from, from + bytes[i]));
                }
            }
        }
        bench.endpoint.close();
        assertThat(Files.readAllBytes(file)).isEqualTo(model);
        assertThat(bench.endpoint.guestFaults()).isZero();
        assertThat(device.hostErrors()).isZero();
    }
}
