package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.linux.Errno;
import dev.javisor.linux.Mapping;
import dev.javisor.linux.OwnedFd;
import dev.javisor.linux.SystemCalls;
import dev.javisor.linux.SystemCalls.BoundIoctl;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/** One vCPU on KVM: its descriptor, its page, and the loop around KVM_RUN. */
final class KvmVcpu implements Vcpu {
    /** {@link #kick} was called. */
    static final int REQUEST_KICK = 1;

    /** The 8259's output rose: look whether this vCPU takes it. */
    static final int REQUEST_EXTERNAL = 2;

    /** The NMI input was pulsed. */
    static final int REQUEST_NMI = 4;

    /** Somebody must be alone for a moment. */
    static final int REQUEST_STEP_ASIDE = 8;

    private static final VarHandle REQUESTS;
    private static final VarHandle IN_GUEST;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            REQUESTS = lookup.findVarHandle(KvmVcpu.class, "requests", int.class);
            IN_GUEST = lookup.findVarHandle(KvmVcpu.class, "inGuest", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final KvmVirtualMachine vm;
    private final int id;
    private final SystemCalls system;
    private final int processId;
    private final RunPage run;
    private final BoundIoctl enterGuest;
    private final SyncedRegisters synced;
    private final VcpuState state;
    private final ExitHandler exits;
    private final ExternalInterrupts external;
    private final Cleanup cleanup;

    @SuppressWarnings("unused") // through REQUESTS
    private volatile int requests;

    /** Guards the three below: a thread is only signalled while it is in {@link #run}. */
    private final Object gate = new Object();

    private @Nullable Thread runner;
    private int runnerId;
    private boolean closed;

    /** Around each KVM_RUN: see {@link Exclusion}. */
    private volatile boolean inGuest;

    private final Exclusion exclusion;
    private final Assistance assistance;
    private final HostDebug debug;
    private final DebugRuns debugRuns;
    private String detail = "";

    private KvmVcpu(KvmVirtualMachine vm, int id, KvmCalls calls, RunPage run, Cleanup cleanup) {
        this.vm = vm;
        this.id = id;
        this.system = calls.system();
        this.processId = system.getpid();
        this.run = run;
        this.cleanup = cleanup;
        this.enterGuest = system.bindIoctl(calls.fd(), KvmAbi.RUN);
        cleanup.add(enterGuest::close);
        this.synced = new SyncedRegisters(run, vm.device().value(Capability.SYNC_REGS));
        this.state = new VcpuState(vm, calls, id, run, synced);
        cleanup.add(state::close);
        this.external = new ExternalInterrupts(run, state);
        this.debug = new HostDebug(calls, vm.device().value(Capability.SET_GUEST_DEBUG2));
        cleanup.add(debug::close);
        this.assistance = new Assistance(vm, vm.assistants(), new AssistView(vm, this, state));
        cleanup.add(assistance::close);
        this.exclusion = vm.exclusion();
        this.debugRuns = new DebugRuns(debug, state, assistance, this::loop, this::takeKick);
        this.exits = new ExitHandler(run, state, assistance, debug, vm.dirtyLog());
    }

    /**
     * @throws dev.javisor.hypervisor.HypervisorException when KVM refuses; nothing is left open
     * @throws dev.javisor.linux.LinuxException when the kernel refuses; nothing is left open
     */
    static KvmVcpu create(KvmVirtualMachine vm, int id) {
        Cleanup cleanup = new Cleanup();
        try {
            SystemCalls system = vm.calls().system();
            int number = vm.calls().callAgain("create vCPU " + id, KvmAbi.CREATE_VCPU, id);
            OwnedFd fd = OwnedFd.take(system, "vCPU " + id, number);
            cleanup.add(fd::close);
            RunPage run =
                    new RunPage(
                            Mapping.shared(
                                    system, "vCPU " + id, number, 0, vm.device().runBytes()));
            cleanup.add(run::close);
            if (vm.dirtyLog().hasRings()) {
                addRing(vm.dirtyLog(), system, id, number, cleanup);
            }
            KvmVcpu vcpu = new KvmVcpu(vm, id, new KvmCalls(system, number), run, cleanup);
            vcpu.state.powerOn();
            return vcpu;
        } catch (RuntimeException e) {
            cleanup.closeAfter(e);
            throw e;
        }
    }

    private static void addRing(
            DirtyLog log, SystemCalls system, int id, int number, Cleanup cleanup) {
        DirtyRing ring =
                new DirtyRing(
                        Mapping.shared(
                                system,
                                "vCPU " + id,
                                number,
                                DirtyRing.FIRST_PAGE * GuestMemory.PAGE_BYTES,
                                DirtyRing.SIZE_BYTES));
        cleanup.add(ring::close);
        log.add(ring);
        cleanup.add(() -> log.remove(ring));
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public ExitReason run(VcpuBus bus) {
        synchronized (gate) {
            runner = Thread.currentThread();
            runnerId = system.gettid();
        }
        try {
            return debug.isOn() ? debugged(bus) : loop(bus);
        } catch (RuntimeException e) {
            detail = "vCPU %d: %s\n%s".formatted(id, e, state.dump());
            return ExitReason.FAULT;
        } finally {
            synchronized (gate) {
                runner = null;
            }
        }
    }

    /** Whether to return before anything is executed. */
    private boolean takeKick() {
        boolean kicked = requests != 0 && serveRequests();
        if (kicked) {
            REQUESTS.getAndBitwiseAnd(this, ~REQUEST_KICK);
        }
        return kicked;
    }

    HostDebug debug() {
        return debug;
    }

    /** Somebody else has executed for this vCPU: what KVM said of its interrupt flag is old. */
    void assisted() {
        synced.needed();
        external.forget();
    }

    private ExitReason debugged(VcpuBus bus) {
        ExitReason reason = debugRuns.run(bus);
        if (!debugRuns.detail().isEmpty()) {
            detail = debugRuns.detail();
        }
        return reason;
    }

    private ExitReason loop(VcpuBus bus) {
        run.setImmediateExit(0);
        while (true) {
            if (requests != 0) {
                // It is set, or will be when request() comes that far: then the next entry ends at
                // once. A fence for each exit without any request would be too much.
                run.setImmediateExit(0);
                if (serveRequests()) {
                    ExitReason reason = complete(bus);
                    if (reason != null) {
                        return reason;
                    }
                    REQUESTS.getAndBitwiseAnd(this, ~REQUEST_KICK);
                    return ExitReason.KICKED;
                }
            }
            external.prepare(
                    vm.externalInterrupt() && !debug.holdsInterrupts(), bus, exits.isIncomplete());
            int result = enter();
            if (result == 0) {
                ExitReason reason = exits.handle(bus);
                if (reason != null) {
                    return ended(reason);
                }
            } else if (result == -Errno.EINTR || result == -Errno.EAGAIN) {
                // A kick, or a processor that waited for INIT. What was incomplete is complete.
                exits.completed();
                // Before requests are looked at, against the order of request().
                run.setImmediateExit(0);
            } else {
                return failed(result);
            }
        }
    }

    /** KVM_RUN, unless somebody must be alone. */
    private int enter() {
        while (true) {
            inGuest = true;
            if (!exclusion.isWanted()) {
                int result = enterGuest.call();
                // Who waits for it only needs to see it some time.
                IN_GUEST.setRelease(this, false);
                synced.left(result);
                return result;
            }
            inGuest = false;
            exclusion.await();
        }
    }

    boolean isInGuest() {
        return inGuest;
    }

    /** Whether to return to the machine. */
    private boolean serveRequests() {
        if ((requests & REQUEST_NMI) != 0) {
            REQUESTS.getAndBitwiseAnd(this, ~REQUEST_NMI);
            state.events().pulseNmi();
        }
        // The interrupt itself is looked at before each entry.
        REQUESTS.getAndBitwiseAnd(this, ~(REQUEST_EXTERNAL | REQUEST_STEP_ASIDE));
        return (requests & REQUEST_KICK) != 0;
    }

    /**
     * Lets KVM finish an instruction whose I/O was just served: the instruction pointer may still
     * be in front of it, and an access may have a second half.
     *
     * @return what the machine must know first, or null
     */
    private @Nullable ExitReason complete(VcpuBus bus) {
        while (exits.isIncomplete()) {
            run.setImmediateExit(1);
            int result = enterGuest.call();
            synced.left(result);
            if (result == 0) {
                ExitReason reason = exits.handle(bus);
                if (reason != null) {
                    return ended(reason);
                }
            } else if (result == -Errno.EINTR) {
                exits.completed();
            } else if (result != -Errno.EAGAIN) {
                return failed(result);
            }
        }
        return null;
    }

    private ExitReason ended(ExitReason reason) {
        if (reason == ExitReason.DEBUG) {
            detail = exits.detail();
            return reason;
        }
        detail = exits.detail() + "\n" + state.dump();
        return reason;
    }

    private ExitReason failed(int result) {
        detail =
                "KVM_RUN: %s, exit %s\n%s"
                        .formatted(
                                Errno.describe(-result),
                                KvmAbi.exitName(run.exitReason()),
                                state.dump());
        return ExitReason.FAULT;
    }

    @Override
    public String exitDetail() {
        return detail;
    }

    @Override
    public void kick() {
        request(REQUEST_KICK);
    }

    /** From any thread. */
    void request(int request) {
        REQUESTS.getAndBitwiseOr(this, request);
        synchronized (gate) {
            if (closed || runner == null) {
                return;
            }
            run.setImmediateExit(1);
            if (runner != Thread.currentThread()) {
                // Cannot fail: the thread is there as long as it is the runner.
                int unusedResult = system.tgkill(processId, runnerId, KickSignal.NUMBER);
            }
        }
    }

    @Override
    public CpuState save() {
        return state.save();
    }

    @Override
    public void restore(CpuState from) {
        external.forget();
        debug.forget();
        state.restore(from);
    }

    @Override
    public void setDebug(GuestDebug asked) {
        state.buffers().flush();
        debug.ask(asked);
    }

    @Override
    public GuestDebug.Stop debugStop() {
        return debug.stop();
    }

    /** After the guest clock was set, while not running. */
    void clockChanged() {
        state.clockChanged();
    }

    @Override
    public long instructions() {
        return -1;
    }

    @Override
    public SortedMap<String, Long> assists() {
        return assistance.counts();
    }

    @Override
    public void close() {
        synchronized (gate) {
            if (closed) {
                return;
            }
            closed = true;
        }
        vm.forget(this);
        cleanup.close();
    }
}
