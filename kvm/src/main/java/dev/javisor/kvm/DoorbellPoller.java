package dev.javisor.kvm;

import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellHandler;
import dev.javisor.hypervisor.VirtualMachine.DoorbellRegistration;
import dev.javisor.hypervisor.VirtualMachine.Space;
import dev.javisor.linux.Epoll;
import dev.javisor.linux.EventFd;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Doorbells by ioeventfd: a guest's write signals an eventfd inside the kernel and the vCPU goes
 * on; one platform thread waits for all of them and rings. The thread starts with the first bell.
 */
final class DoorbellPoller implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("dev.javisor.kvm");

    // struct kvm_ioeventfd
    private static final int IOEVENTFD_BYTES = 64;
    private static final int DATA_MATCH = 0;
    private static final int ADDRESS = 8;
    private static final int LENGTH = 16;
    private static final int FD = 20;
    private static final int FLAGS = 24;
    private static final int FLAG_DATA_MATCH = 1;
    private static final int FLAG_PIO = 2;
    private static final int FLAG_DEASSIGN = 4;

    private static final long STOP = 0;

    private final KvmCalls vm;
    private final String name;
    private final ConcurrentHashMap<Long, Bell> bells = new ConcurrentHashMap<>();
    private final AtomicLong lastKey = new AtomicLong(STOP);

    // Guarded by this; all three or none.
    private @Nullable Epoll epoll;
    private @Nullable EventFd stop;
    private @Nullable Thread thread;
    private boolean closed;

    DoorbellPoller(KvmCalls vm, String name) {
        this.vm = vm;
        this.name = name;
    }

    /** One bound doorbell. */
    private final class Bell implements DoorbellRegistration {
        private final long key = lastKey.incrementAndGet();
        private final DoorbellAddress address;
        private final DoorbellHandler handler;
        private final EventFd event;

        /** Guarded by this, which is held while the handler runs. */
        private boolean unbound;

        Bell(DoorbellAddress address, DoorbellHandler handler, EventFd event) {
            this.address = address;
            this.handler = handler;
            this.event = event;
        }

        boolean matches(Space space, long at, int sizeBytes, long value) {
            return address.space() == space
                    && address.address() == at
                    && (address.sizeBytes() == 0 || address.sizeBytes() == sizeBytes)
                    && (!address.matchData() || address.data() == value);
        }

        synchronized void ring() {
            if (!unbound && event.drain() > 0) {
                handler.ring();
            }
        }

        /** What rang before is still delivered; nothing is afterwards. */
        @Override
        public void close() {
            synchronized (this) {
                if (unbound) {
                    return;
                }
                bells.remove(key);
                try {
                    assign(address, event, FLAG_DEASSIGN);
                    forget(event);
                    if (event.drain() > 0) {
                        handler.ring();
                    }
                } finally {
                    unbound = true;
                    event.close();
                }
            }
        }
    }

    DoorbellRegistration bind(DoorbellAddress address, DoorbellHandler handler) {
        Epoll poll = start();
        EventFd event = EventFd.create(vm.system());
        try {
            Bell bell = new Bell(address, handler, event);
            bells.put(bell.key, bell);
            boolean watched = false;
            try {
                poll.add(event.number(), bell.key);
                watched = true;
                assign(address, event, 0);
                return bell;
            } catch (RuntimeException e) {
                bells.remove(bell.key);
                if (watched) {
                    poll.remove(event.number());
                }
                throw e;
            }
        } catch (RuntimeException e) {
            event.close();
            throw e;
        }
    }

    /**
     * For a write that did not go through KVM.
     *
     * @return whether it rang
     */
    boolean ring(Space space, long address, int sizeBytes, long value) {
        boolean rung = false;
        for (Bell bell : bells.values()) {
            if (bell.matches(space, address, sizeBytes, value)) {
                bell.event.signal();
                rung = true;
            }
        }
        return rung;
    }

    private void assign(DoorbellAddress address, EventFd event, int extraFlags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment s = arena.allocate(IOEVENTFD_BYTES, 8);
            int flags = extraFlags;
            flags |= address.matchData() ? FLAG_DATA_MATCH : 0;
            flags |= address.space() == Space.PIO ? FLAG_PIO : 0;
            s.set(ValueLayout.JAVA_LONG, DATA_MATCH, address.data());
            s.set(ValueLayout.JAVA_LONG, ADDRESS, address.address());
            s.set(ValueLayout.JAVA_INT, LENGTH, address.sizeBytes());
            s.set(ValueLayout.JAVA_INT, FD, event.number());
            s.set(ValueLayout.JAVA_INT, FLAGS, flags);
            vm.call("bind a doorbell", KvmAbi.IOEVENTFD, s);
        }
    }

    private synchronized void forget(EventFd event) {
        if (epoll != null) {
            epoll.remove(event.number());
        }
    }

    private synchronized Epoll start() {
        if (closed) {
            throw new HypervisorException("the virtual machine is closed");
        }
        if (epoll != null) {
            return epoll;
        }
        SystemCalls system = vm.system();
        Epoll newEpoll = Epoll.create(system);
        try {
            EventFd newStop = EventFd.create(system);
            try {
                newEpoll.add(newStop.number(), STOP);
            } catch (RuntimeException e) {
                newStop.close();
                throw e;
            }
            epoll = newEpoll;
            stop = newStop;
            thread =
                    Thread.ofPlatform()
                            .daemon()
                            .name(name + " doorbells")
                            .start(() -> poll(newEpoll));
            return newEpoll;
        } catch (RuntimeException e) {
            if (epoll == null) {
                newEpoll.close();
            }
            throw e;
        }
    }

    /** The poller's thread. */
    private void poll(Epoll epoll) {
        long[] keys = new long[16];
        while (true) {
            int ready = epoll.await(keys);
            for (int i = 0; i < ready; i++) {
                if (keys[i] == STOP) {
                    return;
                }
                Bell bell = bells.get(keys[i]);
                if (bell != null) {
                    ring(bell);
                }
            }
        }
    }

    /** A handler that fails must not silence the other bells. */
    private static void ring(Bell bell) {
        try {
            bell.ring();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, "doorbell at " + bell.address + " failed", e);
        }
    }

    @Override
    public void close() {
        for (Bell bell : List.copyOf(bells.values())) {
            bell.close();
        }
        Thread ending;
        synchronized (this) {
            closed = true;
            ending = thread;
            if (stop != null) {
                stop.signal();
            }
        }
        if (ending != null) {
            joinUninterruptibly(ending);
        }
        synchronized (this) {
            if (epoll != null) {
                epoll.close();
                epoll = null;
            }
            if (stop != null) {
                stop.close();
                stop = null;
            }
            thread = null;
        }
    }

    private static void joinUninterruptibly(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
