package dev.javisor.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.javisor.linux.HostMemory.Config;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class HostMemoryTest {
    private static final long MIB = 1 << 20;

    @BeforeAll
    static void linux() {
        assumeTrue(HostMemory.isSupported());
    }

    private static HostMemory lazy(long sizeBytes) {
        return HostMemory.map(Config.lazy(sizeBytes, HostPages.SMALL));
    }

    private static Config shared(long sizeBytes) {
        return new Config(sizeBytes, HostPages.SMALL, true, false, false);
    }

    /** The host's kernel, but one call fails; counts what is open and mapped. */
    private static final class FailingKernel {
        final TreeSet<Integer> open = new TreeSet<>();
        final TreeMap<Long, Long> mapped = new TreeMap<>();
        final List<String> calls = new ArrayList<>();
        int failAt;

        final SystemCalls calls() {
            return (SystemCalls)
                    Proxy.newProxyInstance(
                            SystemCalls.class.getClassLoader(),
                            new Class<?>[] {SystemCalls.class},
                            (_, method, arguments) -> {
                                calls.add(method.getName());
                                boolean release = method.getName().matches("close|munmap");
                                if (calls.size() == failAt && !release) {
                                    return method.getReturnType() == long.class
                                            ? (Object) (long) -Errno.ENOMEM
                                            : (Object) (-Errno.ENOMEM);
                                }
                                return host(method, arguments);
                            });
        }

        private Object host(java.lang.reflect.Method method, Object[] arguments) throws Throwable {
            try {
                Object result = method.invoke(SystemCalls.host(), arguments);
                switch (method.getName()) {
                    case "memfdCreate" -> open.add((Integer) result);
                    case "close" -> assertThat(open.remove((Integer) arguments[0])).isTrue();
                    case "mmap" -> {
                        if ((Long) result >= 0) {
                            mapped.put((Long) result, (Long) arguments[0]);
                        }
                    }
                    case "munmap" ->
                            assertThat(mapped.remove((Long) arguments[0])).isEqualTo(arguments[1]);
                    default -> {}
                }
                return result;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }
    }

    @Test
    void map_oneGibibyte_isZeroedAndWritableAtBothEnds() {
        try (HostMemory memory = HostMemory.map(Config.lazy(1L << 30, HostPages.TRANSPARENT))) {
            MemorySegment segment = memory.segment();
            assertThat(segment.byteSize()).isEqualTo(1L << 30);
            assertThat(segment.get(ValueLayout.JAVA_LONG, (1L << 30) - 8)).isZero();
            segment.set(ValueLayout.JAVA_LONG, 0, 42);
            segment.set(ValueLayout.JAVA_LONG, (1L << 30) - 8, 43);
            assertThat(segment.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        }
    }

    @Test
    void segment_afterClose_refusesAccess() {
        HostMemory memory = lazy(4096);
        MemorySegment segment = memory.segment();
        memory.close();
        memory.close();
        assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0))
                .isInstanceOf(IllegalStateException.class);
        assertThat(memory.discard(0, 4096)).isFalse();
    }

    @Test
    void map_moreThanTheAddressSpace_saysWhatFailed() {
        assertThatThrownBy(() -> lazy(1L << 60))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(12))
                .hasMessage("mmap of 1152921504606846976 bytes: cannot allocate memory");
    }

    @Test
    void segment_offTheOwningThread_isAccessible() throws InterruptedException {
        try (HostMemory memory = lazy(4096)) {
            Thread writer =
                    Thread.ofPlatform()
                            .start(() -> memory.segment().set(ValueLayout.JAVA_BYTE, 7, (byte) 9));
            writer.join();
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 7)).isEqualTo((byte) 9);
        }
    }

    /** Bytes of the mapping that are in the host's memory. */
    private static long residentBytes(HostMemory memory) throws IOException {
        long sum = 0;
        boolean inside = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                long from = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16);
                inside =
                        from >= memory.segment().address()
                                && from < memory.segment().address() + memory.segment().byteSize();
            } else if (inside && line.startsWith("Rss:")) {
                sum += Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return sum;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void discard_touchedPages_areTheHostsAgainAndReadAsZero(boolean shared) throws IOException {
        Config config = new Config(8 * MIB, HostPages.SMALL, shared, false, false);
        try (HostMemory memory = HostMemory.map(config)) {
            memory.segment().fill((byte) 0x5A);
            assertThat(residentBytes(memory)).isEqualTo(8 * MIB);
            assertThat(memory.discard(MIB, 4 * MIB)).isTrue();
            assertThat(residentBytes(memory)).isEqualTo(4 * MIB);
            assertThat(memory.segment().get(ValueLayout.JAVA_LONG, MIB)).isZero();
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, MIB - 1)).isEqualTo((byte) 0x5A);
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 5 * MIB)).isEqualTo((byte) 0x5A);
        }
    }

    @Test
    void discard_partsOfPages_stay() {
        try (HostMemory memory = lazy(3 * 4096)) {
            memory.segment().fill((byte) 1);
            assertThat(memory.discard(1, 4096)).isFalse();
            assertThat(memory.discard(1, 2 * 4096)).isTrue();
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) 1);
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 4096)).isZero();
            assertThat(memory.segment().get(ValueLayout.JAVA_BYTE, 8192)).isEqualTo((byte) 1);
            assertThatThrownBy(() -> memory.discard(0, 3 * 4096 + 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    /** What a former owner left is wiped by the kernel, wherever the new memory lies. */
    @Test
    void map_afterAnother_isZero() {
        for (int round = 0; round < 8; round++) {
            try (HostMemory memory = lazy(4 * MIB)) {
                assertThat(memory.segment().mismatch(MemorySegment.ofArray(new byte[4 << 20])))
                        .isEqualTo(-1);
                memory.segment().fill((byte) 0xEE);
            }
        }
    }

    @Test
    void shared_file_cannotChangeItsSize() {
        var kernel = new FailingKernel();
        SystemCalls system = kernel.calls();
        try (HostMemory memory = HostMemory.map(system, shared(MIB))) {
            int fd = kernel.open.first();
            assertThat(system.ftruncate(fd, 4096)).isEqualTo(-Errno.EPERM);
            assertThat(system.ftruncate(fd, 2 * MIB)).isEqualTo(-Errno.EPERM);
            try (Mapping other = Mapping.shared(system, "other", fd, 0, MIB)) {
                memory.segment().set(ValueLayout.JAVA_LONG, 8, 77);
                assertThat(other.sizeBytes()).isEqualTo(MIB);
            }
        }
        assertThat(kernel.open).isEmpty();
        assertThat(kernel.mapped).isEmpty();
    }

    @Test
    void map_preallocatedAndLocked_isThereAndNotDiscarded() throws IOException {
        try (HostMemory memory =
                HostMemory.map(new Config(2 * MIB, HostPages.SMALL, false, true, true))) {
            assertThat(residentBytes(memory)).isEqualTo(2 * MIB);
            assertThat(memory.isDiscardable()).isFalse();
            assertThat(memory.discard(0, 2 * MIB)).isFalse();
            assertThat(residentBytes(memory)).isEqualTo(2 * MIB);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void map_anyCallFails_leavesNothing(boolean shared) {
        Config config = new Config(64 << 10, HostPages.TRANSPARENT, shared, true, true);
        int refused = 0;
        for (int at = 1; ; at++) {
            var kernel = new FailingKernel();
            kernel.failAt = at;
            try (HostMemory memory = HostMemory.map(kernel.calls(), config)) {
                // Advice may fail; then the memory works.
                memory.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            } catch (LinuxException e) {
                assertThat(e).hasMessageEndingWith("cannot allocate memory");
                refused++;
            }
            assertThat(kernel.open).as("open, call %d failed", at).isEmpty();
            assertThat(kernel.mapped).as("mapped, call %d failed", at).isEmpty();
            if (kernel.calls.size() < at) {
                break;
            }
        }
        // mmap, populate, mlock; for a file also its creation, size and seals.
        assertThat(refused).isEqualTo(shared ? 6 : 3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void map_hugePagesThatNobodyReserved_isRefusedAtOnce(boolean shared) throws IOException {
        Path free = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        assumeTrue(Files.exists(free) && Files.readString(free).strip().equals("0"));
        var kernel = new FailingKernel();
        assertThatThrownBy(() ->
                        HostMemory.map(
                                kernel.calls(),
                                new Config(3 * MIB, HostPages.HUGE_2M, shared, false, false)))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOMEM))
                .hasMessageContaining("4194304 bytes");
        assertThat(kernel.open).isEmpty();
        assertThat(kernel.mapped).isEmpty();
    }
}
