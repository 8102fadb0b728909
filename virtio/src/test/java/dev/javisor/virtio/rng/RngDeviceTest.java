package dev.javisor.virtio.rng;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.VirtioBench;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RngDeviceTest {
    private final VirtioBench bench = new VirtioBench(new RngDevice(new Random(42)));

    @Test
    void spec_5_4_6_request_isFilledWithRandomBytes() {
        assertThat(bench.driver.negotiateAll()).isTrue();
        DriverQueue queue = bench.driver.setUpQueue(0, 8);
        bench.driver.driverOk();
        long buffer = bench.driver.allocate(64, 64);
        queue.add(DriverQueue.in(buffer, 24), DriverQueue.in(buffer + 32, 8));
        assertThat(queue.kick()).isTrue();
        bench.loop.run();

        assertThat(queue.take()).isEqualTo(new DriverQueue.Used(0, 32));
        byte[] first = bench.memory.read(buffer, 24);
        assertThat(first).isNotEqualTo(new byte[24]);
        assertThat(bench.memory.read(buffer + 24, 8)).isEqualTo(new byte[8]);
        assertThat(bench.memory.read(buffer + 32, 8)).isNotEqualTo(new byte[8]);
        assertThat(bench.line.level()).isTrue();
        assertThat(bench.driver.isr()).isEqualTo(1);
        assertThat(bench.line.level()).isFalse();
    }

    @Test
    void request_huge_isCapped() {
        bench.driver.negotiateAll();
        DriverQueue queue = bench.driver.setUpQueue(0, 8);
        bench.driver.driverOk();
        queue.add(DriverQueue.in(0x10_0000, 1 << 20));
        queue.kick();
        bench.loop.run();
        assertThat(queue.take()).isEqualTo(new DriverQueue.Used(0, RngDevice.MAX_BYTES));
        assertThat(bench.memory.readLong(0x10_0000 + RngDevice.MAX_BYTES)).isZero();
    }

    @Test
    void request_nothingWritable_comesBackEmpty() {
        bench.driver.negotiateAll();
        DriverQueue queue = bench.driver.setUpQueue(0, 8);
        bench.driver.driverOk();
        queue.add(DriverQueue.out(0x10_0000, 100));
        queue.kick();
        bench.loop.run();
        assertThat(queue.take()).isEqualTo(new DriverQueue.Used(0, 0));
        assertThat(bench.endpoint.guestFaults()).isZero();
    }
}
