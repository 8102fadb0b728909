package dev.javisor.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellHandler;
import dev.javisor.machine.PciFunctionState;
import dev.javisor.virtio.driver.DriverQueue;
import dev.javisor.virtio.driver.GuestDriver;
import dev.javisor.virtio.driver.VirtioBench;
import dev.javisor.virtio.rng.RngDevice;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The transport with the simplest device behind it. */
class VirtioPciTransportTest {
    private final VirtioBench bench = new VirtioBench(new RngDevice(new Random(7)));
    private final GuestDriver driver = bench.driver;

    private void request(DriverQueue queue) {
        queue.add(DriverQueue.in(driver.allocate(16, 16), 16));
        queue.kick();
        bench.loop.run();
    }

    @Test
    void spec_4_1_2_identity_isModern() {
        assertThat(driver.readConfig(0, 4)).isEqualTo(0x1044_1AF4);
        assertThat(driver.readConfig(8, 1)).as("revision").isEqualTo(1);
        assertThat(driver.readConfig(0x2C, 2)).isEqualTo(0x1AF4);
        assertThat(driver.readConfig(0x3D, 1)).as("INTA#").isEqualTo(1);
    }

    @Test
    void spec_4_1_4_capabilities_areAllThere() {
        assertThat(driver.capabilities.keySet()).contains(1, 2, 3, 5, 0x111);
        assertThat(driver.hasStructure(4)).as("entropy has no configuration").isFalse();
        assertThat(driver.structureBytes(1)).isGreaterThanOrEqualTo(56);
        assertThat(driver.notifyMultiplier).isEqualTo(4);
        assertThat(driver.readConfig(driver.capabilities.getOrDefault(2, 0) + 2, 1)).isEqualTo(20);
    }

    @Test
    void spec_4_1_4_3_common_resetValues() {
        assertThat(driver.status()).isZero();
        assertThat(driver.common(0x12, 2)).isEqualTo(1);
        assertThat(driver.common(0x10, 2)).isEqualTo(0xFFFF);
        assertThat(driver.common(0x18, 2)).isEqualTo(8);
        assertThat(driver.common(0x1A, 2)).isEqualTo(0xFFFF);
        assertThat(driver.common(0x1C, 2)).isZero();
        assertThat(driver.offered())
                .isEqualTo(
                        VirtioFeatures.VERSION_1
                                | VirtioFeatures.RING_EVENT_IDX
                                | VirtioFeatures.RING_INDIRECT_DESC);
        driver.setCommon(0, 4, 2);
        assertThat(driver.common(4, 4)).isZero();
        driver.setCommon(0x16, 2, 1);
        assertThat(driver.common(0x18, 2)).as("no such queue").isZero();
        assertThat(driver.common(0x16, 2)).isEqualTo(1);
    }

    @Test
    void featuresOk_withoutVersion1_isRefused() {
        assertThat(driver.negotiate(~VirtioFeatures.VERSION_1)).isFalse();
    }

    @Test
    void featuresOk_unofferedFeature_isRefused() {
        driver.setCommon(0x14, 1, 0);
        driver.addStatus(GuestDriver.ACKNOWLEDGE);
        driver.addStatus(GuestDriver.DRIVER);
        driver.setFeatures(VirtioFeatures.VERSION_1 | 1L << 40);
        driver.addStatus(GuestDriver.FEATURES_OK);
        assertThat(driver.status() & GuestDriver.FEATURES_OK).isZero();
    }

    @Test
    void queueRegisters_afterEnable_areUnwritable() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        long before = bench.endpoint.guestFaults();
        for (int pass = 0; pass < 2; pass++) {
            driver.setCommon(0x18, 2, 4);
            driver.setCommon(0x20, 4, 0xDEAD_0000L);
            driver.setCommon(0x2C, 4, 0xFF);
            driver.setCommon(0x30, 8, 0x5000);
            driver.setCommon(0x1C, 2, 0);
            assertThat(driver.common(0x18, 2)).isEqualTo(8);
            assertThat(driver.common(0x20, 4)).isEqualTo((int) queue.descriptors);
            assertThat(driver.common(0x2C, 4)).isZero();
            assertThat(driver.common(0x30, 4)).isEqualTo((int) queue.used);
            assertThat(driver.common(0x1C, 2)).isEqualTo(1);
            driver.driverOk();
        }
        assertThat(bench.endpoint.guestFaults()).isGreaterThan(before + 8);
        bench.loop.run();
        request(queue);
        assertThat(queue.take()).isNotNull();
    }

    @Test
    void queueRegisters_beforeFeaturesOk_areUnwritable() {
        driver.addStatus(GuestDriver.ACKNOWLEDGE);
        driver.addStatus(GuestDriver.DRIVER);
        driver.setUpQueue(0, 4);
        assertThat(driver.common(0x18, 2)).isEqualTo(8);
        assertThat(driver.common(0x1C, 2)).isZero();
    }

    @Test
    void queueSize_illegal_isRefused() {
        driver.negotiateAll();
        for (int size : new int[] {0, 3, 16, 0xFFFF}) {
            driver.setCommon(0x18, 2, size);
            assertThat(driver.common(0x18, 2)).isEqualTo(8);
        }
        driver.setCommon(0x18, 2, 2);
        assertThat(driver.common(0x18, 2)).isEqualTo(2);
    }

    @Test
    void spec_4_1_4_5_intx_isrReadsClearsAndReleasesTheLine() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        driver.driverOk();
        request(queue);
        assertThat(bench.line.level()).isTrue();
        assertThat(driver.isr()).isEqualTo(1);
        assertThat(driver.isr()).isZero();
        assertThat(bench.line.level()).isFalse();
        assertThat(bench.messages).isEmpty();
    }

    @Test
    void spec_4_1_5_1_2_msix_vectorsDeliverAndBadOnesReadBackNone() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        bench.useMsix();
        bench.vector(0, 2);
        assertThat(driver.common(0x1A, 2)).as("there are two").isEqualTo(0xFFFF);
        bench.vector(0, 1);
        assertThat(driver.common(0x1A, 2)).isEqualTo(1);
        driver.driverOk();
        request(queue);
        assertThat(bench.messages).containsExactly(1);
        assertThat(bench.line.risingEdges()).isZero();
        assertThat(driver.isr()).isZero();
    }

    @Test
    void guestFault_badRing_asksForResetAndTheDeviceWorksAfterwards() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        bench.useMsix();
        bench.vector(0, 1);
        driver.driverOk();
        queue.offer(200);
        queue.ring();
        bench.loop.run();
        assertThat(driver.status() & VirtioStatus.NEEDS_RESET).isNotZero();
        assertThat(bench.endpoint.guestFaults()).isEqualTo(1);
        assertThat(bench.endpoint.lastFault()).contains("head beyond the descriptor table");
        assertThat(bench.messages).as("configuration change").containsExactly(0);
        queue.ring();
        bench.loop.run();

        driver.setCommon(0x14, 1, 0);
        assertThat(driver.status()).isZero();
        assertThat(driver.common(0x10, 2)).as("vectors clear").isEqualTo(0xFFFF);
        assertThat(driver.negotiateAll()).isTrue();
        DriverQueue fresh = driver.setUpQueue(0, 8);
        driver.driverOk();
        request(fresh);
        assertThat(fresh.take()).isNotNull();
    }

    @Test
    void driverOk_ringOutsideRam_asksForReset() {
        driver.negotiateAll();
        driver.setCommon(0x20, 4, 0x7000_0000);
        driver.setCommon(0x1C, 2, 1);
        driver.driverOk();
        bench.loop.run();
        assertThat(driver.status() & VirtioStatus.NEEDS_RESET).isNotZero();
    }

    @Test
    void notify_beforeDriverOk_isIgnored() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        queue.add(DriverQueue.in(driver.allocate(16, 16), 16));
        queue.ring();
        bench.loop.run();
        assertThat(queue.take()).isNull();
        // What waits then is served at the start, ring or not.
        driver.driverOk();
        bench.loop.run();
        assertThat(queue.take()).isNotNull();
    }

    @Test
    void spec_4_1_4_9_pciCfgWindow_readsAndWritesTheBar() {
        int cap = driver.capabilities.getOrDefault(5, 0);
        driver.writeConfig(cap + 4, 1, 0);
        driver.writeConfig(cap + 8, 4, 0x12);
        driver.writeConfig(cap + 12, 4, 2);
        assertThat(driver.readConfig(cap + 16, 2)).isEqualTo(1);
        driver.writeConfig(cap + 8, 4, 0x14);
        driver.writeConfig(cap + 12, 4, 1);
        driver.writeConfig(cap + 16, 1, GuestDriver.ACKNOWLEDGE);
        assertThat(driver.status()).isEqualTo(GuestDriver.ACKNOWLEDGE);
        for (int[] bad : new int[][] {{1, 0, 4}, {0, -4, 4}, {0, 0x3FFE, 4}, {0, 0, 3}}) {
            driver.writeConfig(cap + 4, 1, bad[0]);
            driver.writeConfig(cap + 8, 4, bad[1]);
            driver.writeConfig(cap + 12, 4, bad[2]);
            driver.writeConfig(cap + 16, 4, -1);
            driver.readConfig(cap + 16, 4);
        }
        assertThat(driver.status()).isEqualTo(GuestDriver.ACKNOWLEDGE);
    }

    @Test
    void doorbells_barMoves_areBoundWhereItIs() {
        Map<DoorbellAddress, DoorbellHandler> bound = new LinkedHashMap<>();
        VirtioBench other = new VirtioBench(new RngDevice(new Random(8)));
        VirtioEndpoint endpoint =
                new VirtioEndpoint(new RngDevice(new Random(9)), other.memory, other.loop);
        VirtioPciTransport transport =
                new VirtioPciTransport(
                        endpoint,
                        (a, d) -> {},
                        (address, handler) -> {
                            bound.put(address, handler);
                            return () -> bound.remove(address);
                        });
        assertThat(transport.doorbells()).isEmpty();
        GuestDriver second = new GuestDriver(other.memory, other.bus, other.pci.attach(transport));
        second.writeConfig(0x10, 4, 0xD000_0000);
        assertThat(bound).hasSize(1);
        DoorbellAddress first = transport.doorbells().getFirst();
        assertThat(first.address()).isEqualTo(0xD000_3000L);
        assertThat(bound).containsKey(first);
        second.writeConfig(0x10, 4, 0xD010_0000);
        assertThat(bound.keySet()).containsExactly(transport.doorbells().getFirst());
        second.writeConfig(4, 2, 0);
        assertThat(bound).isEmpty();

        second.writeConfig(4, 2, 6);
        GuestDriver again =
                new GuestDriver(
                        other.memory, other.bus, new dev.javisor.machine.PciAddress(0, 2, 0));
        again.negotiateAll();
        DriverQueue queue = again.setUpQueue(0, 8);
        again.driverOk();
        other.loop.run();
        queue.add(DriverQueue.in(again.allocate(16, 16), 16));
        bound.values().forEach(DoorbellHandler::ring);
        other.loop.run();
        assertThat(queue.take()).isNotNull();
        transport.close();
        assertThat(bound).isEmpty();
    }

    @Test
    void saveRestore_live_goesOnWhereItWas() {
        driver.negotiateAll();
        DriverQueue queue = driver.setUpQueue(0, 8);
        bench.useMsix();
        bench.vector(0, 1);
        driver.driverOk();
        request(queue);
        queue.take();
        bench.endpoint.pause();
        queue.add(DriverQueue.in(driver.allocate(16, 16), 16));
        queue.ring();
        bench.loop.run();
        assertThat(queue.take()).as("paused").isNull();
        VirtioState state = bench.endpoint.save();
        VirtioPciTransportState transportState = bench.transport.save();
        PciFunctionState function = bench.pci.save(bench.transport);
        bench.endpoint.resume();
        bench.pci.reset();
        assertThat(driver.status()).isZero();

        bench.endpoint.pause();
        bench.pci.restore(bench.transport, function);
        bench.endpoint.restore(state);
        bench.transport.restore(transportState);
        bench.messages.clear();
        bench.endpoint.resume();
        bench.loop.run();
        assertThat(driver.status()).isEqualTo(15);
        request(queue);
        assertThat(queue.take()).isNotNull();
        assertThat(bench.messages).contains(1);
        assertThat(bench.endpoint.guestFaults()).isZero();
    }

    @Test
    void restore_foreignState_isRefused() {
        bench.endpoint.pause();
        VirtioState state = bench.endpoint.save();
        VirtioState wrong = new VirtioState(4, 0, 0, 0, 0, 0, state.queues(), state.device());
        assertThatThrownBy(() -> bench.endpoint.restore(wrong))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void randomAccesses_everywhere_neverThrowAndLeaveAWorkingDevice() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        long bar = driver.structure(1);
        for (int round = 0; round < 300; round++) {
            for (int i = 0; i < 200; i++) {
                int size = 1 << random.nextInt(4);
                long offset = (random.nextInt(4) << 12 | random.nextInt(64)) & -size;
                if (random.nextInt(3) == 0) {
                    bench.bus.readMemory(bar + offset, size);
                } else {
                    long value = random.nextBoolean() ? random.nextInt(16) : random.nextLong();
                    bench.bus.writeMemory(bar + offset, size, value & (-1L >>> (64 - 8 * size)));
                }
                if (random.nextInt(5) == 0) {
                    bench.loop.run();
                }
            }
            driver.setCommon(0x14, 1, 0);
            bench.loop.run();
            assertThat(driver.status()).as("seed %d", seed).isZero();
        }
        assertThat(bench.endpoint.lastFault())
                .as("seed %d", seed)
                .doesNotContain("internal failure");
        assertThat(driver.negotiateAll()).as("seed %d", seed).isTrue();
        DriverQueue queue = driver.setUpQueue(0, 8);
        driver.driverOk();
        request(queue);
        assertThat(queue.take()).as("seed %d", seed).isNotNull();
    }
}
