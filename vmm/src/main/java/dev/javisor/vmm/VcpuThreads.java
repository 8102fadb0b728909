package dev.javisor.vmm;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * The platform threads of a machine's vCPUs. All run, or all are held, or all end:
 *
 * <pre>
 * start: HELD --release--> RUNNING --hold--> HELD ... --end--> ended
 * </pre>
 *
 * <p>Invariants: (1) while HELD and {@link #awaitHeld} has returned, no vCPU executes; (2) a vCPU
 * is created, run, restored and closed by its own thread only.
 */
final class VcpuThreads {
    /** What the threads report. Called on a vCPU's thread, with all threads asked to hold. */
    interface Reports {
        /** A triple fault. */
        void shutdown(int vcpu);

        /** The vCPU cannot go on. */
        void failed(int vcpu, String detail, @Nullable Throwable cause);
    }

    private enum Order {
        HOLD,
        RUN,
        END
    }

    private final String name;
    private final IntFunction<Vcpu> factory;
    private final VcpuBus bus;
    private final Reports reports;
    private final List<Thread> threads = new ArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // Guarded by the lock.
    private final @Nullable Vcpu[] vcpus;
    private final @Nullable CpuState[] powerOn;
    private final @Nullable CpuState[] next;

    /** Instructions of vCPUs that are gone, or -1. */
    private final long[] retired;

    /** What held threads are to do, each once a round. */
    private @Nullable IntConsumer work;

    private int workRound;
    private int workLeft;
    private @Nullable RuntimeException workFailure;

    private Order order = Order.HOLD;
    private int parked;
    private int alive;
    private @Nullable RuntimeException startFailure;

    VcpuThreads(String name, int count, IntFunction<Vcpu> factory, VcpuBus bus, Reports reports) {
        this.name = name;
        this.factory = factory;
        this.bus = bus;
        this.reports = reports;
        vcpus = new Vcpu[count];
        powerOn = new CpuState[count];
        next = new CpuState[count];
        retired = new long[count];
    }

    /**
     * Creates all vCPUs, each on its own thread, and holds them.
     *
     * @throws RuntimeException what the accelerator threw
     */
    void start() {
        for (int i = 0; i < vcpus.length; i++) {
            int id = i;
            threads.add(
                    Thread.ofPlatform()
                            .daemon()
                            .name(name + " vcpu " + id)
                            .unstarted(() -> life(id)));
        }
        lock.lock();
        try {
            alive = threads.size();
        } finally {
            lock.unlock();
        }
        threads.forEach(Thread::start);
        awaitHeld();
        lock.lock();
        try {
            if (startFailure != null) {
                throw startFailure;
            }
        } finally {
            lock.unlock();
        }
    }

    /** The state of a vCPU right after its creation. */
    CpuState powerOn(int id) {
        lock.lock();
        try {
            CpuState state = powerOn[id];
            if (state == null) {
                throw new IllegalStateException("vCPU " + id + " was never created");
            }
            return state;
        } finally {
            lock.unlock();
        }
    }

    /** Sets the state that a held vCPU continues with. */
    void setNext(int id, CpuState state) {
        lock.lock();
        try {
            next[id] = state;
        } finally {
            lock.unlock();
        }
    }

    /** Lets all run. */
    void release() {
        lock.lock();
        try {
            if (order == Order.HOLD) {
                order = Order.RUN;
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Asks all to stop executing. Does not wait; may be called on a vCPU's thread. */
    void hold() {
        lock.lock();
        try {
            if (order == Order.RUN) {
                order = Order.HOLD;
                kickAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Waits until none executes. Not on a vCPU's thread. */
    void awaitHeld() {
        lock.lock();
        try {
            while (parked < alive) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Ends all threads and waits for them. Not on a vCPU's thread. */
    void end() {
        lock.lock();
        try {
            order = Order.END;
            kickAll();
            changed.signalAll();
            while (alive > 0) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
        for (Thread thread : threads) {
            joinUninterruptibly(thread);
        }
    }

    /** Instructions retired by each vCPU, or -1. */
    List<Long> instructions() {
        lock.lock();
        try {
            List<Long> counts = new ArrayList<>();
            for (int i = 0; i < vcpus.length; i++) {
                Vcpu vcpu = vcpus[i];
                counts.add(sum(retired[i], vcpu == null ? 0 : vcpu.instructions()));
            }
            return counts;
        } finally {
            lock.unlock();
        }
    }

    /** Of counts that may be unknown. */
    private static long sum(long a, long b) {
        return a < 0 || b < 0 ? -1 : a + b;
    }

    /** How often instructions were executed for the vCPUs, by mnemonic. */
    SortedMap<String, Long> assists() {
        SortedMap<String, Long> all = new TreeMap<>();
        lock.lock();
        try {
            for (Vcpu vcpu : vcpus) {
                if (vcpu != null) {
                    vcpu.assists().forEach((name, count) -> all.merge(name, count, Long::sum));
                }
            }
        } finally {
            lock.unlock();
        }
        return all;
    }

    /**
     * Saves the state of all held vCPUs.
     *
     * @throws RuntimeException what the accelerator threw
     */
    CpuState[] save() {
        CpuState[] states = new CpuState[vcpus.length];
        onEach(id -> states[id] = held(id).save());
        return states;
    }

    /**
     * Replaces all held vCPUs by others with these states. The old ones are closed when all new
     * ones are ready; if one of those cannot be had, the old ones stay.
     *
     * @throws RuntimeException what the accelerator threw
     */
    void replace(IntFunction<Vcpu> nextFactory, CpuState[] states) {
        @Nullable Vcpu[] made = new Vcpu[vcpus.length];
        CpuState[] fresh = new CpuState[vcpus.length];
        try {
            onEach(id -> {
                Vcpu vcpu = nextFactory.apply(id);
                made[id] = vcpu;
                fresh[id] = vcpu.save();
                vcpu.restore(states[id]);
            });
        } catch (RuntimeException e) {
            onEach(id -> close(made[id]));
            throw e;
        }
        onEach(id -> {
            Vcpu old = held(id);
            long count = old.instructions();
            lock.lock();
            try {
                vcpus[id] = made[id];
                powerOn[id] = fresh[id];
                retired[id] = sum(retired[id], count);
            } finally {
                lock.unlock();
            }
            old.close();
        });
    }

    private static void close(@Nullable Vcpu vcpu) {
        if (vcpu != null) {
            vcpu.close();
        }
    }

    private Vcpu held(int id) {
        lock.lock();
        try {
            Vcpu vcpu = vcpus[id];
            if (vcpu == null) {
                throw new IllegalStateException("vCPU " + id + " is gone");
            }
            return vcpu;
        } finally {
            lock.unlock();
        }
    }

    /** Runs {@code action} once on each held thread; throws what the first to fail threw. */
    private void onEach(IntConsumer action) {
        lock.lock();
        try {
            if (order != Order.HOLD || parked < vcpus.length) {
                throw new IllegalStateException("vCPUs are not held: " + order + " " + parked);
            }
            work = action;
            workRound++;
            workLeft = vcpus.length;
            workFailure = null;
            changed.signalAll();
            while (workLeft > 0) {
                changed.awaitUninterruptibly();
            }
            work = null;
            if (workFailure != null) {
                throw workFailure;
            }
        } finally {
            lock.unlock();
        }
    }

    private void kickAll() {
        for (Vcpu vcpu : vcpus) {
            if (vcpu != null) {
                vcpu.kick();
            }
        }
    }

    private void life(int id) {
        try {
            Vcpu vcpu = factory.apply(id);
            lock.lock();
            try {
                vcpus[id] = vcpu;
                powerOn[id] = vcpu.save();
            } finally {
                lock.unlock();
            }
            while (awaitTurn(id)) {
                vcpu = held(id);
                switch (vcpu.run(bus)) {
                    case KICKED -> {}
                    case SHUTDOWN -> {
                        hold();
                        reports.shutdown(id);
                    }
                    case DEBUG, FAULT -> {
                        hold();
                        reports.failed(id, vcpu.exitDetail(), null);
                    }
                }
            }
        } catch (RuntimeException | Error e) {
            boolean started;
            lock.lock();
            try {
                started = powerOn[id] != null;
                if (!started) {
                    startFailure =
                            e instanceof RuntimeException r
                                    ? r
                                    : new VmException(String.valueOf(e), e);
                }
            } finally {
                lock.unlock();
            }
            if (started) {
                hold();
                reports.failed(id, String.valueOf(e), e);
            }
        } finally {
            leave(id);
        }
    }

    /** The thread ends, and its vCPU with it. */
    private void leave(int id) {
        Vcpu vcpu;
        lock.lock();
        try {
            vcpu = vcpus[id];
            if (vcpu != null) {
                retired[id] = sum(retired[id], vcpu.instructions());
            }
            vcpus[id] = null;
        } finally {
            lock.unlock();
        }
        try {
            close(vcpu);
        } finally {
            lock.lock();
            try {
                alive--;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    /** Parks while held, and does what held threads are asked to. Whether to run. */
    private boolean awaitTurn(int id) {
        lock.lock();
        try {
            if (order == Order.HOLD) {
                int round = workRound;
                parked++;
                changed.signalAll();
                while (order == Order.HOLD) {
                    if (round != workRound) {
                        round = workRound;
                        doWork(id);
                    } else {
                        changed.awaitUninterruptibly();
                    }
                }
                parked--;
            }
            if (order == Order.END) {
                return false;
            }
            CpuState state = next[id];
            if (state != null) {
                next[id] = null;
                held(id).restore(state);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** With the lock held, but for the work itself. */
    private void doWork(int id) {
        IntConsumer action = work;
        RuntimeException failure = null;
        lock.unlock();
        try {
            if (action != null) {
                action.accept(id);
            }
        } catch (RuntimeException e) {
            failure = e;
        } catch (Error e) {
            failure = new VmException("vCPU %d: %s".formatted(id, e), e);
        } finally {
            lock.lock();
            if (workFailure == null) {
                workFailure = failure;
            }
            workLeft--;
            changed.signalAll();
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
