package dev.javisor.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Dirty pages by ring, with a kernel that is played: what is told, when, and that none is lost. */
class DirtyRingTest {
    private static final int LOW_PAGES = 256;
    private static final int HIGH_PAGES = 512;
    private static final Region LOW = new Region(0, 0, LOW_PAGES << 12);
    private static final Region HIGH = new Region(1L << 32, LOW_PAGES << 12, HIGH_PAGES << 12);
    private static final int ENTRIES = DirtyRing.SIZE_BYTES / 16;
    private static final int DIRTY = 1;
    private static final int TAKEN = 2;

    private final Arena arena = Arena.ofShared();
    private final FakeKvm kernel = new FakeKvm();
    private GuestMemory memory;
    private VirtualMachine vm;
    private Vcpu vcpu;

    /** Where the kernel writes next. */
    private int kernelNext;

    @BeforeEach
    void create() {
        kernel.capabilities.put(Capability.DIRTY_LOG_RING_ACQ_REL, 1 << 20);
        memory =
                new GuestMemory(
                        arena.allocate((LOW_PAGES + HIGH_PAGES) << 12, 4096),
                        List.of(LOW, HIGH),
                        () -> {});
        VirtualMachineConfig config = new VirtualMachineConfig("test", 2, CpuModel.X86_64_V2, 0);
        vm =
                new KvmHypervisor(kernel, null, DirtyTracking.RING)
                        .createVirtualMachine(config, memory, new NoTime());
        vcpu = vm.createVcpu(0);
    }

    @AfterEach
    void close() {
        vcpu.close();
        vm.close();
        assertThat(kernel.open).isEmpty();
        assertThat(kernel.mapped).isEmpty();
        arena.close();
    }

    private MemorySegment ring() {
        return kernel.vcpuRings.values().iterator().next();
    }

    /** The kernel's side; false if the ring is full. */
    private boolean push(int slot, long page) {
        MemorySegment ring = ring();
        long at = kernelNext * 16L;
        int flags = ring.get(ValueLayout.JAVA_INT, at);
        if (flags == DIRTY) {
            return false;
        }
        assertThat(flags).isIn(0, TAKEN);
        ring.set(ValueLayout.JAVA_INT, at + 4, slot);
        ring.set(ValueLayout.JAVA_LONG, at + 8, page);
        ring.set(ValueLayout.JAVA_INT, at, DIRTY);
        kernelNext = (kernelNext + 1) % ENTRIES;
        return true;
    }

    private BitSet fetch(Region region) {
        long[] bits = new long[(int) (region.sizeBytes() >> 18)];
        java.util.Arrays.fill(bits, -1);
        vm.fetchDirty(region, bits);
        return BitSet.valueOf(bits);
    }

    private static BitSet pages(int... pages) {
        BitSet set = new BitSet();
        for (int page : pages) {
            set.set(page);
        }
        return set;
    }

    private long resets() {
        return kernel.requests.stream().filter(r -> r == KvmAbi.RESET_DIRTY_RINGS).count();
    }

    @Test
    void rings_areEnabledBeforeTheFirstVcpu_insteadOfManualClearing() {
        assertThat(kernel.enabled).containsEntry(223, (long) DirtyRing.SIZE_BYTES);
        assertThat(kernel.enabled).doesNotContainKey(168);
        assertThat(kernel.requests.indexOf(KvmAbi.ENABLE_CAP))
                .isLessThan(kernel.requests.indexOf(KvmAbi.CREATE_VCPU));
    }

    @Test
    void pages_ofAllRegions_andOfTheHosts_areMerged() {
        vm.setDirtyTracking(true);
        push(0, 3);
        push(1, 500);
        push(0, 3);
        memory.writeInt(0x7000, 1);
        memory.writeInt(HIGH.guestAddress() + 0x1000, 1);
        assertThat(fetch(LOW)).isEqualTo(pages(3, 7));
        assertThat(resets()).isEqualTo(1);
        assertThat(fetch(HIGH)).isEqualTo(pages(1, 500));
        assertThat(fetch(LOW)).isEqualTo(pages());
        assertThat(fetch(HIGH)).isEqualTo(pages());
        assertThat(resets()).as("nothing to watch again").isEqualTo(1);
        assertThat(kernel.requests).doesNotContain(KvmAbi.GET_DIRTY_LOG);
    }

    @Test
    void pagesWrittenBefore_areClean() {
        push(0, 3);
        vm.setDirtyTracking(true);
        assertThat(fetch(LOW)).isEqualTo(pages());
        push(0, 4);
        vm.setDirtyTracking(false);
        vm.setDirtyTracking(true);
        assertThat(fetch(LOW)).isEqualTo(pages());
    }

    @Test
    void fullRing_isHarvestedByItsVcpu_andNothingIsLost() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        vm.setDirtyTracking(true);
        BitSet expected = new BitSet();
        int[] left = {3 * ENTRIES + 17};
        int[] full = {0};
        kernel.guest =
                page -> {
                    while (left[0] > 0) {
                        int written = random.nextInt(HIGH_PAGES);
                        if (!push(1, written)) {
                            full[0]++;
                            page.set(
                                    ValueLayout.JAVA_INT,
                                    RunLayout.EXIT_REASON,
                                    KvmAbi.EXIT_DIRTY_RING_FULL);
                            return 0;
                        }
                        expected.set(written);
                        left[0]--;
                    }
                    vcpu.kick();
                    return -Errno.EINTR;
                };
        assertThat(vcpu.run(new NoBus())).isEqualTo(ExitReason.KICKED);
        assertThat(full[0]).isEqualTo(3);
        assertThat(resets()).isEqualTo(3);
        assertThat(fetch(HIGH)).as("seed %d", seed).isEqualTo(expected);
    }

    @Test
    void pagesOfAVcpuThatEnds_stay() {
        vm.setDirtyTracking(true);
        push(0, 9);
        vcpu.close();
        assertThat(fetch(LOW)).isEqualTo(pages(9));
    }

    @Test
    void bySize_isForLargeMemory() {
        assertThat(DirtyTracking.BY_SIZE.usesRing(1L << 30)).isFalse();
        assertThat(DirtyTracking.BY_SIZE.usesRing(1L << 40)).isTrue();
        assertThat(DirtyTracking.BITMAP.usesRing(1L << 40)).isFalse();
    }

    @Test
    void hostWithoutRings_hasBitmaps() {
        FakeKvm old = new FakeKvm();
        old.capabilities.putAll(
                Map.of(Capability.DIRTY_LOG_RING_ACQ_REL, 0, Capability.DIRTY_LOG_RING, 0));
        VirtualMachineConfig config = new VirtualMachineConfig("test", 1, CpuModel.X86_64_V2, 0);
        try (VirtualMachine other =
                new KvmHypervisor(old, null, DirtyTracking.RING)
                        .createVirtualMachine(config, memory, new NoTime())) {
            other.setDirtyTracking(true);
            other.fetchDirty(LOW, new long[LOW_PAGES / 64]);
        }
        assertThat(old.requests).contains(KvmAbi.GET_DIRTY_LOG);
        assertThat(old.enabled).containsKey(168);
    }
}
