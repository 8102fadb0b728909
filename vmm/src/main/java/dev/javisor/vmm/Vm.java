package dev.javisor.vmm;

import dev.javisor.base.HostTimeSource;
import dev.javisor.base.JavisorException;
import dev.javisor.block.BlockBackend;
import dev.javisor.block.BlockException;
import dev.javisor.boot.BootModule;
import dev.javisor.boot.BootParameters;
import dev.javisor.boot.ByteSource;
import dev.javisor.boot.FileSource;
import dev.javisor.boot.KernelImage;
import dev.javisor.boot.MemoryMap;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.SystemCalls;
import dev.javisor.machine.MachineEvents;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine: its memory, board and vCPUs, and the actions over them ({@link VmAction}).
 *
 * <p>All actions, and what the guest itself asks for, are done one after the other by one thread
 * ({@code NAME control}). When the machine has ended, by whatever cause, everything is released
 * before {@link #await} returns; {@link #close} ends it first.
 */
public final class Vm implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger("dev.javisor.accelerator");
    private static final int RNG_SEED_BYTES = 32;

    /** Less of its memory is never left to a guest. */
    private static final long LEAST_GUEST_BYTES = 16L << 20;

    private final VmSpec spec;
    private final Resources resources = new Resources();
    private final HostTimeSource time;
    private final GuestMemory memory;
    private final KernelImage kernel;
    private final List<BootModule> modules;
    private final SwitchableMachine machine;
    private final VirtualMachineConfig config;
    private final Disks disks;
    private final VmConsole console;

    /** Written by the control thread only, as is its description. */
    private volatile Hypervisor hypervisor;

    private volatile String accelerator;
    private final Q35Board board;
    private final VcpuThreads vcpus;
    private final SerialOutput serialOutput;
    private final PanicWatch panicWatch;
    private final List<String> notes = new ArrayList<>();

    private final ExecutorService control;
    private final CompletableFuture<VmOutcome> outcome = new CompletableFuture<>();

    /** A guest's request is on its way to the control thread: others until then are too late. */
    private final AtomicBoolean requested = new AtomicBoolean();

    private volatile boolean stopRequested;

    /** Written by the control thread only. */
    private volatile VmState state = VmState.CREATED;

    private volatile int resets;
    private volatile int switches;
    private final AssistRate assistRate;
    private volatile long startedNanos;

    /**
     * A machine that is not started. Everything it needs is allocated and opened.
     *
     * @throws JavisorException if the host, a file or the spec does not allow it; nothing stays
     *     open
     */
    public static Vm create(VmSpec spec, VmConsole console) {
        Accelerators.Selected selected =
                Accelerators.choose(spec.accelerator(), spec.translation());
        Vm vm = new Vm(spec, console, selected.hypervisor());
        selected.note().ifPresent(vm.notes::add);
        selected.tell();
        return vm;
    }

    /** As {@link #create(VmSpec, VmConsole)}, on a given accelerator. */
    static Vm create(VmSpec spec, VmConsole console, Hypervisor hypervisor) {
        return new Vm(spec, console, hypervisor);
    }

    private Vm(VmSpec spec, VmConsole console, Hypervisor hypervisor) {
        this.spec = spec;
        this.console = console;
        this.hypervisor = hypervisor;
        accelerator = Accelerators.describe(hypervisor);
        try {
            kernel = resources.add(KernelImage.probe(spec.kernel()));
            modules = openModules();
            time = resources.add(new HostTimeSource(spec.name() + " timer"));
            disks = openDisks();
            memory = resources.add(GuestRam.allocate(spec.memoryBytes(), spec.memory()));
            List<Network> networks = openNetworks();
            panicWatch = new PanicWatch(this::panicEnded);
            serialOutput =
                    resources.add(
                            new SerialOutput(
                                    spec.name() + " serial",
                                    (bytes, offset, length) -> {
                                        panicWatch.output(bytes, offset, length);
                                        console.serialOutput(bytes, offset, length);
                                    }));
            assistRate = new AssistRate(time);
            config =
                    new VirtualMachineConfig(
                            spec.name(),
                            spec.cpus(),
                            spec.cpuModel().orElseGet(() -> bestCpuModel(hypervisor)),
                            Accelerators.commonTscHz());
            machine =
                    resources.add(
                            new SwitchableMachine(
                                    hypervisor.createVirtualMachine(config, memory, time)));
            board =
                    resources.add(
                            new Q35Board(
                                    spec,
                                    machine,
                                    time,
                                    new GuestRequests(),
                                    serialOutput::write,
                                    console,
                                    disks,
                                    networks));
            vcpus =
                    new VcpuThreads(
                            spec.name(),
                            spec.cpus(),
                            this::createVcpu,
                            TraceCategory.EXITS.isOn() ? new TracingBus(board.bus()) : board.bus(),
                            new VcpuReports());
            resources.add(vcpus::end);
            control =
                    Executors.newSingleThreadExecutor(
                            Thread.ofPlatform().daemon().name(spec.name() + " control").factory());
        } catch (RuntimeException | Error e) {
            resources.closeAfter(e);
            throw e;
        }
        TraceCategory.BOOT.log("%s: %s, %s", spec.name(), accelerator, kernel.description());
    }

    /** What nobody chose is worth a line where it is not what one would expect. */
    private CpuModel bestCpuModel(Hypervisor from) {
        CpuModel best = from.bestCpuModel();
        if (best != CpuModel.BEST) {
            String note =
                    "%s on this host has no %s: the guest's CPUs are %s (--cpu chooses)"
                            .formatted(from.name(), CpuModel.BEST.id(), best.id());
            notes.add(note);
            LOG.log(System.Logger.Level.INFO, note);
        }
        return best;
    }

    private List<BootModule> openModules() {
        List<BootModule> opened = new ArrayList<>();
        spec.initrd()
                .ifPresent(path ->
                        opened.add(new BootModule(resources.add(FileSource.open("initrd", path)))));
        if (spec.extraInitrd().length > 0) {
            opened.add(new BootModule(ByteSource.of(spec.extraInitrd())));
        }
        return List.copyOf(opened);
    }

    private Disks openDisks() {
        List<BlockBackend> opened = new ArrayList<>();
        for (DiskSpec disk : spec.disks()) {
            opened.add(resources.add(Disks.open(disk, time)));
        }
        return new Disks(opened, this::stopForDisk);
    }

    private List<Network> openNetworks() {
        List<Network> networks = new ArrayList<>();
        for (NetSpec network : spec.networks()) {
            networks.add(resources.add(Network.open(network, spec.name(), networks.size(), time)));
        }
        return networks;
    }

    public VmSpec spec() {
        return spec;
    }

    public VmState state() {
        return state;
    }

    /**
     * Loads the kernel and lets the guest run.
     *
     * @throws JavisorException if the kernel cannot be loaded; the machine has then ended
     */
    public void start() {
        perform(
                VmAction.START,
                () -> {
                    try {
                        vcpus.start();
                        load();
                    } catch (RuntimeException e) {
                        end(new VmOutcome.Failed(String.valueOf(e.getMessage())));
                        throw e;
                    }
                    startedNanos = time.nanos();
                    state = VmState.RUNNING;
                    vcpus.release();
                    return null;
                });
    }

    /** Stops all vCPUs, and the guest's time, until {@link #resume}. */
    public void pause() {
        perform(
                VmAction.PAUSE,
                () -> {
                    doPause();
                    return null;
                });
    }

    public void resume() {
        perform(
                VmAction.RESUME,
                () -> {
                    board.resume();
                    time.resume();
                    state = VmState.RUNNING;
                    serialOutput.hold();
                    vcpus.release();
                    return null;
                });
    }

    /**
     * Moves the machine to another accelerator; the guest does not notice. A machine that runs goes
     * on at once.
     *
     * @throws VmException if it cannot run there, or not with this state: then it goes on where it
     *     was
     */
    public void switchTo(Accelerator target) {
        switchTo(target, spec.translation());
    }

    /** As {@link #switchTo(Accelerator)}; the software CPU with another way to treat hot code. */
    public void switchTo(Accelerator target, TranslationMode translation) {
        switchTo(Accelerators.select(target, translation));
    }

    void switchTo(Hypervisor target) {
        perform(
                VmAction.SWITCH_TO,
                () -> {
                    boolean running = state == VmState.RUNNING;
                    if (running) {
                        holdVcpus();
                        time.pause();
                    }
                    try {
                        long begin = System.nanoTime();
                        Handover.to(target, hypervisor, config, machine, vcpus, time);
                        TraceCategory.VMM.log(
                                "%s: moved from %s to %s in %.3f ms",
                                spec.name(),
                                hypervisor.name(),
                                target.name(),
                                (System.nanoTime() - begin) / 1e6);
                        hypervisor = target;
                        accelerator = Accelerators.describe(target);
                        switches++;
                    } finally {
                        if (running) {
                            time.resume();
                            serialOutput.hold();
                            vcpus.release();
                        }
                    }
                    return null;
                });
    }

    /**
     * Makes a disk larger; the guest sees it at once.
     *
     * @param disk its name or number, as {@link Disks#index} takes it
     * @throws JavisorException if the disk cannot grow to that size
     */
    public void resizeDisk(String disk, long sizeBytes) {
        perform(
                VmAction.RESIZE_DISK,
                () -> {
                    int index = disks.index(disk);
                    disks.backends().get(index).grow(sizeBytes);
                    board.diskResized(index);
                    return null;
                });
    }

    /**
     * Asks the guest to make do with that much of its memory; the rest goes to the host as fast as
     * the guest's balloon driver can give it up. All of it is the guest's again by asking for as
     * much as it has.
     *
     * @throws VmException if that is more than it has, or too little for any guest
     */
    public void balloon(long guestBytes) {
        perform(
                VmAction.BALLOON,
                () -> {
                    if (guestBytes < LEAST_GUEST_BYTES || guestBytes > memory.sizeBytes()) {
                        throw new VmException(
                                "%s cannot make do with %d MiB: give %d to %d MiB"
                                        .formatted(
                                                spec.name(),
                                                guestBytes >> 20,
                                                LEAST_GUEST_BYTES >> 20,
                                                memory.sizeBytes() >> 20));
                    }
                    board.balloon(guestBytes);
                    return null;
                });
    }

    /** Presses the power button: the guest may react by turning itself off. */
    public void powerButton() {
        perform(
                VmAction.POWER_BUTTON,
                () -> {
                    board.powerButton();
                    return null;
                });
    }

    /** Devices and vCPUs back to power-on, the kernel loaded again. A paused machine stays so. */
    public void reset() {
        perform(
                VmAction.RESET,
                () -> {
                    doReset("host");
                    return null;
                });
    }

    /**
     * Ends the machine now, as if its power were cut. From any thread, any number of times; does
     * not wait for the end.
     */
    public void stop() {
        stopRequested = true;
        serialOutput.abandon();
        vcpus.hold();
        submit(() -> end(new VmOutcome.Stopped()));
    }

    /** Waits until the machine has ended and everything is released. */
    public VmOutcome await() throws InterruptedException {
        try {
            return outcome.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    public VmStatus status() {
        VmState now = state;
        return new VmStatus(
                spec.name(),
                now,
                accelerator,
                kernel.description(),
                memory.sizeBytes(),
                board.guestMemory(),
                now == VmState.CREATED ? 0 : time.nanos() - startedNanos,
                resets,
                switches,
                vcpus.instructions(),
                assistRate.of(vcpus.assists()),
                board.unclaimedAccesses(),
                board.guestFaults(),
                notes);
    }

    /**
     * Types into the first serial port. Waits while the guest does not read; what is left when the
     * machine ends is lost.
     */
    public void serialInput(byte[] bytes, int offset, int length) throws InterruptedException {
        board.serialInput(bytes, offset, length);
    }

    /**
     * Types into the guest's terminal: the virtio console once the guest has written to it, else
     * the first serial port. Waits as {@link #serialInput}.
     */
    public void consoleInput(byte[] bytes, int offset, int length) throws InterruptedException {
        board.consoleInput(bytes, offset, length);
    }

    /** Tells the virtio console the size of the person's terminal. */
    public void resize(int columns, int rows) {
        board.resize(columns, rows);
    }

    /**
     * The host's end of a port.
     *
     * @throws VmException if the spec has no such port
     */
    public GuestPort port(String name) {
        return board.port(name);
    }

    /** Ends the machine if need be, and waits until everything is released. */
    @Override
    public void close() {
        stop();
        outcome.join();
    }

    /** A request of a disk is kept: waits for {@link #resume}. On a thread of the disk. */
    private void stopForDisk(BlockException error) {
        submit(() -> {
            if (state == VmState.RUNNING) {
                doPause();
                console.stopped(String.valueOf(error.getMessage()));
            }
        });
    }

    // The control thread.

    private void doPause() {
        holdVcpus();
        time.pause();
        board.pause();
        state = VmState.PAUSED;
    }

    private void holdVcpus() {
        // A vCPU may wait for room in the serial output: nobody may have to read it now.
        serialOutput.release();
        vcpus.hold();
        vcpus.awaitHeld();
    }

    private void load() {
        byte[] seed = new byte[RNG_SEED_BYTES];
        new SecureRandom().nextBytes(seed);
        board.writeTables(memory);
        vcpus.setNext(
                0,
                kernel.load(
                        memory,
                        new BootParameters(
                                spec.append(),
                                modules,
                                MemoryMap.of(memory),
                                board.rsdpAddress(),
                                seed),
                        vcpus.powerOn(0)));
        for (int i = 1; i < spec.cpus(); i++) {
            vcpus.setNext(i, vcpus.powerOn(i));
        }
        TraceCategory.BOOT.log("%s: loaded, command line: %s", spec.name(), spec.append());
    }

    private void doReset(String source) {
        TraceCategory.VMM.log("%s: reset by %s", spec.name(), source);
        holdVcpus();
        board.reset();
        panicWatch.forget();
        requested.set(false);
        load();
        resets++;
        if (state == VmState.RUNNING) {
            serialOutput.hold();
            vcpus.release();
        }
    }

    /** Releases everything, then tells the outcome. */
    private void end(VmOutcome how) {
        if (state == VmState.ENDED) {
            return;
        }
        TraceCategory.VMM.log("%s: ends: %s", spec.name(), how);
        state = VmState.ENDED;
        VmOutcome told = how;
        try {
            holdVcpus();
            if (!(how instanceof VmOutcome.Stopped)) {
                board.drain(() -> stopRequested);
            }
            resources.close();
        } catch (RuntimeException e) {
            told = new VmOutcome.Failed("releasing the machine: " + e.getMessage());
        }
        control.shutdown();
        outcome.complete(told);
    }

    /** The guest said it panicked and will do no more. On the serial output's thread. */
    private void panicEnded() {
        submit(() -> end(new VmOutcome.Panicked(panicWatch.message().orElse("kernel panic"))));
    }

    /** Runs an action on the control thread and waits for it. */
    private <T extends @Nullable Object> void perform(VmAction action, Callable<T> work) {
        Future<T> done;
        try {
            done =
                    control.submit(() -> {
                        action.require(spec.name(), state);
                        return work.call();
                    });
        } catch (RejectedExecutionException e) {
            action.require(spec.name(), VmState.ENDED);
            return;
        }
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    done.get();
                    return;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new VmException(action.id() + " failed: " + e.getCause(), e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Hands work to the control thread, unless the machine has ended. */
    private void submit(Runnable work) {
        try {
            control.execute(() -> {
                try {
                    work.run();
                } catch (RuntimeException e) {
                    end(new VmOutcome.Failed(String.valueOf(e.getMessage())));
                }
            });
        } catch (RejectedExecutionException e) {
            TraceCategory.VMM.log("%s: has ended, too late", spec.name());
        }
    }

    /** What the guest asks for. Called under a device's lock, mostly on a vCPU's thread. */
    private final class GuestRequests implements MachineEvents {
        @Override
        public void resetRequested(String source) {
            request(() -> {
                // Linux resets itself after a panic: its words may still be on their way.
                serialOutput.awaitDelivered();
                if (panicWatch.message().isPresent()) {
                    end(new VmOutcome.Panicked(panicWatch.message().orElseThrow()));
                } else if (spec.endOnReset()) {
                    end(new VmOutcome.Reset());
                } else if (state != VmState.ENDED) {
                    doReset(source);
                }
            });
        }

        @Override
        public void powerOffRequested() {
            request(() -> end(new VmOutcome.PoweredOff()));
        }

        @Override
        public void debugExitRequested(int status) {
            request(() -> end(new VmOutcome.DebugExit(status)));
        }

        private void request(Runnable work) {
            if (requested.compareAndSet(false, true)) {
                // The guest goes no further than this.
                vcpus.hold();
                submit(work);
            }
        }
    }

    /** On the vCPU's own thread, which first takes its place on the host. */
    private Vcpu createVcpu(int id) {
        if (!spec.scheduling().isStandard()) {
            spec.scheduling().apply(SystemCalls.host(), id);
        }
        return machine.createVcpu(id);
    }

    private final class VcpuReports implements VcpuThreads.Reports {
        private final GuestRequests requests = new GuestRequests();

        @Override
        public void shutdown(int vcpu) {
            requests.resetRequested("triple fault of vCPU " + vcpu);
        }

        @Override
        public void failed(int vcpu, String detail, @Nullable Throwable cause) {
            if (cause != null) {
                TraceCategory.VMM
                        .logger()
                        .log(System.Logger.Level.ERROR, "vCPU " + vcpu + " failed", cause);
            }
            submit(() -> end(new VmOutcome.Failed("vCPU %d: %s".formatted(vcpu, detail))));
        }
    }
}
