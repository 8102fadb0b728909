package dev.javisor.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The wrappers on the real kernel. */
class SystemCallsTest {
    private final SystemCalls system = SystemCalls.host();

    @Test
    void open_ofNothing_saysSo() {
        assertThat(system.open("/no/such/file", SystemCalls.O_RDONLY)).isEqualTo(-Errno.ENOENT);
        assertThatThrownBy(() -> OwnedFd.open(system, "/no/such/file", SystemCalls.O_RDONLY))
                .isInstanceOf(LinuxException.class)
                .hasMessage("open /no/such/file: no such file or directory");
    }

    @Test
    void ownedFd_closesOnce() {
        OwnedFd fd = OwnedFd.open(system, "/dev/null", SystemCalls.O_RDWR);
        fd.close();
        assertThat(system.close(fd.number())).isEqualTo(-Errno.EBADF);
        fd.close();
    }

    @Test
    void ioctl_ofTheWrongKind_isRefusedByTheKernel() {
        try (OwnedFd fd = OwnedFd.open(system, "/dev/null", SystemCalls.O_RDWR)) {
            assertThat(system.ioctl(fd.number(), 0xAE00, 0)).isEqualTo(-Errno.ENOTTY);
        }
    }

    @Test
    void ioctl_structureTooShort_neverReachesTheKernel() {
        try (OwnedFd fd = OwnedFd.open(system, "/dev/null", SystemCalls.O_RDWR);
                var arena = java.lang.foreign.Arena.ofConfined()) {
            long request = 2L << 30 | 144L << 16 | 0xAE81; // KVM_GET_REGS
            assertThatThrownBy(() -> system.ioctl(fd.number(), request, arena.allocate(143)))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("144");
        }
    }

    @Test
    void eventFd_countsAndDrains() {
        try (EventFd event = EventFd.create(system)) {
            assertThat(event.drain()).isZero();
            event.signal();
            event.signal();
            assertThat(event.drain()).isEqualTo(2);
            assertThat(event.drain()).isZero();
        }
    }

    @Test
    void epoll_tellsWhichOfSeveral() {
        try (Epoll epoll = Epoll.create(system);
                EventFd one = EventFd.create(system);
                EventFd two = EventFd.create(system)) {
            epoll.add(one.number(), 0x1122334455667788L);
            epoll.add(two.number(), 2);
            long[] keys = new long[4];
            one.signal();
            assertThat(epoll.await(keys)).isEqualTo(1);
            assertThat(keys[0]).isEqualTo(0x1122334455667788L);
            epoll.remove(one.number());
            two.signal();
            assertThat(epoll.await(keys)).isEqualTo(1);
            assertThat(keys[0]).isEqualTo(2);
        }
    }

    @Test
    void timerFd_expires() {
        try (Epoll epoll = Epoll.create(system);
                TimerFd timer = TimerFd.create(system)) {
            epoll.add(timer.number(), 7);
            timer.arm(1_000_000, 0);
            long[] keys = new long[1];
            assertThat(epoll.await(keys)).isEqualTo(1);
            assertThat(timer.drain()).isEqualTo(1);
            timer.arm(1_000_000_000, 0);
            timer.disarm();
            assertThat(timer.drain()).isZero();
        }
    }

    @Test
    void memory_isSharedBetweenItsMappings() {
        try (OwnedFd fd = OwnedFd.memory(system, "test", 8192, HostPages.SMALL);
                Mapping one = Mapping.shared(system, "test", fd.number(), 0, 8192);
                Mapping two = Mapping.shared(system, "test", fd.number(), 4096, 4096)) {
            view(one).set(java.lang.foreign.ValueLayout.JAVA_INT, 4096, 42);
            assertThat(view(two).get(java.lang.foreign.ValueLayout.JAVA_INT, 0)).isEqualTo(42);
        }
    }

    @SuppressWarnings("restricted") // the mapping is open and that long
    private static java.lang.foreign.MemorySegment view(Mapping mapping) {
        return java.lang.foreign.MemorySegment.ofAddress(mapping.address())
                .reinterpret(mapping.sizeBytes());
    }

    @Test
    void mapping_ofABadDescriptor_saysSo() {
        assertThatThrownBy(() -> Mapping.shared(system, "nothing", -1, 0, 4096))
                .hasMessage("mmap of nothing: bad file descriptor");
    }

    /** What takes a vCPU out of the kernel: a signal to one thread, whose handler does nothing. */
    @Test
    void signalToAThread_endsItsCall() throws InterruptedException {
        int signal = 40;
        assertThat(system.handleByNothing(signal)).isZero();
        try (Epoll epoll = Epoll.create(system);
                EventFd end = EventFd.create(system)) {
            epoll.add(end.number(), 1);
            AtomicInteger id = new AtomicInteger();
            AtomicInteger interrupted = new AtomicInteger();
            CountDownLatch started = new CountDownLatch(1);
            Thread waiting =
                    Thread.ofPlatform()
                            .start(() -> {
                                id.set(system.gettid());
                                started.countDown();
                                while (epoll.await(new long[1]) == 0) {
                                    interrupted.incrementAndGet();
                                }
                            });
            started.await();
            // Until one arrives inside the call; those before it have no effect.
            while (interrupted.get() == 0) {
                assertThat(system.tgkill(system.getpid(), id.get(), signal)).isZero();
                Thread.onSpinWait();
            }
            end.signal();
            waiting.join();
        }
    }

    @Test
    void tgkill_ofAThreadThatIsNot_isRefused() {
        assertThat(system.tgkill(system.getpid(), Integer.MAX_VALUE, 40)).isEqualTo(-Errno.ESRCH);
    }

    @Test
    void thread_canBePinnedAndMadeNice() throws InterruptedException {
        int[] results = new int[4];
        Thread thread =
                Thread.ofPlatform()
                        .start(() -> {
                            int id = system.gettid();
                            results[0] = system.setAffinity(id, new long[] {1, 0});
                            results[1] = system.setScheduler(id, SystemCalls.SCHED_BATCH, 0);
                            results[2] = system.setPriority(SystemCalls.PRIO_PROCESS, id, 5);
                            results[3] = system.setAffinity(id, new long[] {0});
                        });
        thread.join();
        assertThat(results).containsExactly(0, 0, 0, -Errno.EINVAL);
    }

    @Test
    void prctl_setsTheTimersSlack() {
        assertThat(system.prctl(SystemCalls.PR_SET_TIMERSLACK, 50_000)).isZero();
        assertThat(system.prctl(-1, 0)).isEqualTo(-Errno.EINVAL);
    }
}
