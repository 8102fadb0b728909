package dev.javisor.kvm;

import dev.javisor.linux.Errno;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A kernel with a KVM, played: it keeps descriptors, mappings and state structures as the real one
 * does, lets the test say what KVM_RUN does, and lets any call fail.
 */
class FakeKvm implements SystemCalls {
    /** What KVM_RUN does: fills the page, answers 0 or a negated error number. */
    @FunctionalInterface
    interface Guest {
        int run(MemorySegment page);
    }

    final TreeSet<Integer> open = new TreeSet<>();
    final Map<Long, Arena> mapped = new HashMap<>();
    final Map<Long, MemorySegment> pages = new HashMap<>();
    final Map<Integer, MemorySegment> vcpuPages = new HashMap<>();

    /** Capabilities that were enabled, with their argument. */
    final Map<Integer, Long> enabled = new HashMap<>();

    final Map<Integer, MemorySegment> vcpuRings = new HashMap<>();
    final Map<Capability, Integer> capabilities = new HashMap<>();
    final List<String> kicks = new ArrayList<>();
    final List<Long> requests = new ArrayList<>();
    final Map<Integer, Map<Integer, Long>> msrs = new HashMap<>();
    private final Map<Integer, Map<Long, byte[]>> structures = new HashMap<>();
    private final Map<Long, byte[]> lastSet = new HashMap<>();
    private final LinkedBlockingQueue<long[]> ready = new LinkedBlockingQueue<>();
    private final Map<Integer, Long> watched = new TreeMap<>();
    private final Map<Integer, Long> counters = new HashMap<>();

    /** Makes no VM, vCPU, page: plays nothing at all. */
    int openResult;

    int apiVersion = KvmAbi.API_VERSION;
    Guest guest = page -> -Errno.EINTR;

    /** Calls so far, and which of them fails with what; 0 for none. */
    int calls;

    int failAt;
    int failWith = Errno.ENOMEM;
    String failed = "";
    private int lastFd = 2;

    FakeKvm() {
        capabilities.put(Capability.MAX_VCPUS, 255);
        capabilities.put(Capability.XSAVE2, 4096);
        capabilities.put(Capability.SYNC_REGS, 7);
    }

    private synchronized boolean fails(String call) {
        calls++;
        if (calls == failAt) {
            failed = call;
            return true;
        }
        return false;
    }

    private int newFd() {
        open.add(++lastFd);
        return lastFd;
    }

    @Override
    public synchronized int open(String path, int flags) {
        if (openResult != 0) {
            return openResult;
        }
        return fails("open") ? -failWith : newFd();
    }

    /** A descriptor is gone even if close(2) complains. */
    @Override
    public synchronized int close(int fd) {
        if (!open.remove(fd)) {
            throw new AssertionError("closed twice: " + fd);
        }
        watched.remove(fd);
        return fails("close") ? -Errno.EINTR : 0;
    }

    @Override
    public synchronized int ioctl(int fd, long request, long argument) {
        mustBeOpen(fd);
        if (fails("ioctl %#x".formatted(request))) {
            return -failWith;
        }
        requests.add(request);
        if (request == KvmAbi.GET_API_VERSION) {
            return apiVersion;
        } else if (request == KvmAbi.CHECK_EXTENSION) {
            for (Capability capability : Capability.values()) {
                if (capability.number() == argument) {
                    return capabilities.getOrDefault(capability, 1);
                }
            }
            return 0;
        } else if (request == KvmAbi.CREATE_VM || request == KvmAbi.CREATE_VCPU) {
            return newFd();
        } else if (request == KvmAbi.GET_VCPU_MMAP_SIZE) {
            return 12288;
        } else if (request == KvmAbi.GET_TSC_KHZ) {
            return 2_000_000;
        }
        return 0;
    }

    private void mustBeOpen(int fd) {
        if (!open.contains(fd)) {
            throw new AssertionError("not open: " + fd);
        }
    }

    @Override
    public synchronized int ioctl(int fd, long request, MemorySegment argument) {
        mustBeOpen(fd);
        if (fails("ioctl %#x".formatted(request))) {
            return -failWith;
        }
        requests.add(request);
        if (request == KvmAbi.GET_SUPPORTED_CPUID) {
            supportedCpuid(argument);
        } else if (request == KvmAbi.GET_MSR_INDEX_LIST) {
            int[] list = {0x10, 0x174, 0x277, 0x6E0, 0xC0000081};
            argument.set(ValueLayout.JAVA_INT, 0, list.length);
            MemorySegment.copy(list, 0, argument, ValueLayout.JAVA_INT, 4, list.length);
        } else if (request == KvmAbi.GET_MSRS || request == KvmAbi.SET_MSRS) {
            return msrs(fd, argument, request == KvmAbi.SET_MSRS);
        } else if (request == KvmAbi.GET_CLOCK) {
            argument.set(ValueLayout.JAVA_LONG, 0, 1_000_000);
            argument.set(ValueLayout.JAVA_INT, 8, KvmAbi.CLOCK_HOST_TSC);
            argument.set(ValueLayout.JAVA_LONG, 24, 5_000_000);
        } else if (request == KvmAbi.ENABLE_CAP) {
            enabled.put(
                    argument.get(ValueLayout.JAVA_INT, 0), argument.get(ValueLayout.JAVA_LONG, 8));
        } else if (isStateOf(request)) {
            state(fd, request, argument);
        }
        return 0;
    }

    /** GET and SET of the same structure are neighbours: the odd number reads. */
    private static boolean isStateOf(long request) {
        long number = request & 0xFF;
        return number >= 0x81
                        && number <= 0xA7
                        && number != 0xA3
                        && number != 0xA5
                        && (request >>> 30) != 0
                        && (request >>> 16 & 0x3FFF) > 8
                || request == KvmAbi.SET_XSAVE
                || request == KvmAbi.GET_MP_STATE
                || request == KvmAbi.SET_MP_STATE;
    }

    private void state(int fd, long request, MemorySegment argument) {
        int size = (int) (request >>> 16 & 0x3FFF);
        boolean reads = (request >>> 30 & 2) != 0;
        // The reading request's number plus one is the writing one's.
        long key = reads ? request & 0xFF : (request & 0xFF) - 1;
        Map<Long, byte[]> of = structures.computeIfAbsent(fd, unused -> new HashMap<>());
        if (reads) {
            byte[] bytes = of.getOrDefault(key, initial(request, size));
            MemorySegment.copy(bytes, 0, argument, ValueLayout.JAVA_BYTE, 0, size);
        } else {
            byte[] bytes = argument.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE);
            of.put(key, bytes);
            lastSet.put(request, bytes);
        }
    }

    /** What was last written by a request that sets a structure, on any vCPU. */
    synchronized MemorySegment lastSet(long request) {
        return MemorySegment.ofArray(Objects.requireNonNull(lastSet.get(request)));
    }

    /** Changes what a request that gets a structure of the only vCPU will tell. */
    synchronized void poke(long request, int offset, long value) {
        int fd = vcpuPages.keySet().iterator().next();
        int size = (int) (request >>> 16 & 0x3FFF);
        byte[] bytes =
                structures
                        .computeIfAbsent(fd, unused -> new HashMap<>())
                        .computeIfAbsent(request & 0xFF, unused -> initial(request, size));
        MemorySegment s = MemorySegment.ofArray(bytes);
        if (size == 4) {
            s.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (int) value);
        } else {
            s.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
        }
    }

    private static byte[] initial(long request, int size) {
        byte[] bytes = new byte[size];
        MemorySegment s = MemorySegment.ofArray(bytes);
        if (request == KvmAbi.GET_REGS) {
            s.set(ValueLayout.JAVA_LONG_UNALIGNED, RegsLayout.RFLAGS, 2);
        }
        return bytes;
    }

    private static void supportedCpuid(MemorySegment table) {
        List<CpuidEntry> all = new ArrayList<>();
        for (int leaf : new int[] {1, 7, 0x40000001, 0x80000001, 0x80000007, 0x80000021}) {
            all.add(new CpuidEntry(leaf, 0, leaf == 7, -1, -1, -1, -1));
        }
        all.add(new CpuidEntry(0xD, 1, true, -1, 0, 0, 0));
        all.add(new CpuidEntry(0x80000008, 0, false, 0x3030, -1, 0, 0));
        CpuidEntry.write(table, all);
    }

    private int msrs(int fd, MemorySegment table, boolean write) {
        int count = table.get(ValueLayout.JAVA_INT, 0);
        Map<Integer, Long> values = msrs.computeIfAbsent(fd, unused -> new HashMap<>());
        for (int i = 0; i < count; i++) {
            int index = table.get(ValueLayout.JAVA_INT, 8 + 16L * i);
            if (index == 0x6E0 && !write) {
                return i; // a register that this vCPU does not have
            }
            if (write) {
                values.put(index, table.get(ValueLayout.JAVA_LONG, 16 + 16L * i));
            } else {
                table.set(ValueLayout.JAVA_LONG, 16 + 16L * i, values.getOrDefault(index, 0L));
            }
        }
        return count;
    }

    @Override
    public BoundIoctl bindIoctl(int fd, long request) {
        return new BoundIoctl() {
            @Override
            public int call() {
                MemorySegment page = Objects.requireNonNull(vcpuPages.get(fd));
                synchronize(fd, page, true);
                int result = guest.run(page);
                synchronize(fd, page, false);
                return result;
            }

            @Override
            public void close() {}
        };
    }

    /** KVM_CAP_SYNC_REGS: registers, system registers and events travel in the page. */
    private synchronized void synchronize(int fd, MemorySegment page, boolean entry) {
        int which = entry ? RunLayout.DIRTY_REGISTERS : RunLayout.VALID_REGISTERS;
        long bits = page.get(ValueLayout.JAVA_LONG, which);
        if (bits == 0) {
            return;
        }
        long[] get = {KvmAbi.GET_REGS, KvmAbi.GET_SREGS, KvmAbi.GET_VCPU_EVENTS};
        long[] set = {KvmAbi.SET_REGS, KvmAbi.SET_SREGS, KvmAbi.SET_VCPU_EVENTS};
        int[] at = {RunLayout.SYNC_REGS, RunLayout.SYNC_SREGS, RunLayout.SYNC_EVENTS};
        for (int i = 0; i < 3; i++) {
            if ((bits & 1L << i) != 0) {
                int size = (int) (get[i] >>> 16 & 0x3FFF);
                state(fd, entry ? set[i] : get[i], page.asSlice(at[i], size));
            }
        }
        if (entry) {
            page.set(ValueLayout.JAVA_LONG, which, 0);
        }
    }

    @SuppressWarnings("MustBeClosedChecker") // closed by munmap
    @Override
    public synchronized long mmap(long sizeBytes, int protection, int flags, int fd, long offset) {
        if (fails("mmap")) {
            return -failWith;
        }
        Arena arena = Arena.ofShared();
        MemorySegment page = arena.allocate(sizeBytes, 4096);
        mapped.put(page.address(), arena);
        (offset == 0 ? vcpuPages : vcpuRings).put(fd, page);
        return page.address();
    }

    @Override
    public synchronized int munmap(long address, long sizeBytes) {
        Arena arena = mapped.remove(address);
        if (arena == null) {
            throw new AssertionError("not mapped: " + address);
        }
        arena.close();
        return 0;
    }

    @Override
    public synchronized int eventfd(int initial, int flags) {
        return fails("eventfd") ? -failWith : newFd();
    }

    @Override
    public synchronized int epollCreate(int flags) {
        return fails("epoll_create1") ? -failWith : newFd();
    }

    @Override
    public synchronized int epollControl(int epoll, int operation, int fd, int events, long data) {
        mustBeOpen(epoll);
        mustBeOpen(fd);
        if (fails("epoll_ctl")) {
            return -failWith;
        }
        if (operation == EPOLL_CTL_ADD) {
            watched.put(fd, data);
        } else {
            watched.remove(fd);
        }
        return 0;
    }

    @Override
    public int epollWait(int epoll, long[] into, int timeoutMs) {
        try {
            into[0] = ready.take()[0];
            return 1;
        } catch (InterruptedException e) {
            return -Errno.EINTR;
        }
    }

    @Override
    public synchronized long readCounter(int fd) {
        Long count = counters.remove(fd);
        return count == null ? -Errno.EAGAIN : count;
    }

    @Override
    public synchronized long writeCounter(int fd, long value) {
        mustBeOpen(fd);
        counters.merge(fd, value, Long::sum);
        Long key = watched.get(fd);
        if (key != null) {
            ready.add(new long[] {key});
        }
        return 8;
    }

    @Override
    public long read(int fd, MemorySegment into) {
        return -Errno.EINVAL;
    }

    @Override
    public long write(int fd, MemorySegment from) {
        return -Errno.EINVAL;
    }

    @Override
    public int socket(int domain, int type, int protocol) {
        return -Errno.EINVAL;
    }

    @Override
    public int getpid() {
        return 100;
    }

    @Override
    public int gettid() {
        return 101;
    }

    @Override
    public synchronized int tgkill(int processId, int threadId, int signal) {
        kicks.add(processId + " " + threadId + " " + signal);
        return 0;
    }

    @Override
    public int handleByNothing(int signal) {
        return fails("sigaction") ? -failWith : 0;
    }

    @Override
    public int madvise(long address, long sizeBytes, int advice) {
        return -Errno.ENOSYS;
    }

    @Override
    public int memfdCreate(String name, int flags) {
        return -Errno.ENOSYS;
    }

    @Override
    public int ftruncate(int fd, long sizeBytes) {
        return -Errno.ENOSYS;
    }

    @Override
    public int sealSize(int fd) {
        return -Errno.ENOSYS;
    }

    @Override
    public int mlock(long address, long sizeBytes) {
        return -Errno.ENOSYS;
    }

    @Override
    public int munlock(long address, long sizeBytes) {
        return -Errno.ENOSYS;
    }

    @Override
    public int timerfdCreate(int clock, int flags) {
        return -Errno.ENOSYS;
    }

    @Override
    public int timerfdSet(int fd, long initialNanos, long intervalNanos) {
        return -Errno.ENOSYS;
    }

    @Override
    public int prctl(int option, long argument) {
        return -Errno.ENOSYS;
    }

    @Override
    public int setAffinity(int threadId, long[] cpus) {
        return -Errno.ENOSYS;
    }

    @Override
    public int setScheduler(int threadId, int policy, int priority) {
        return -Errno.ENOSYS;
    }

    @Override
    public int setPriority(int which, int id, int nice) {
        return -Errno.ENOSYS;
    }
}
