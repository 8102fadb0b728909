package dev.javisor.vmm;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The accelerator's side of the machine as the board sees it, whichever accelerator that is. What
 * was set on the old one (routes, doorbells, levels, dirty tracking) is set on the new one.
 *
 * <pre>
 * SETTLED --hold--> HOLDING --install--> SETTLED on the new machine
 *                   HOLDING --goOn-----> SETTLED on the old machine
 * </pre>
 *
 * <p>Invariants: (1) when {@link #hold} has returned, nobody is within the old machine and nobody
 * gets there; (2) an interrupt that is signalled while HOLDING is delivered to whichever machine
 * comes, and none twice. Interrupts take no lock: a volatile read and two counters.
 */
final class SwitchableMachine implements VirtualMachine {
    private volatile VirtualMachine current;

    // Who is within a machine to interrupt: came is counted before current is read.
    private final LongAdder came = new LongAdder();
    private final LongAdder left = new LongAdder();

    // Guarded by this.
    private final Map<Integer, @Nullable MsiMessage> routes = new HashMap<>();
    private final List<Binding> bindings = new ArrayList<>();

    /** Dirty bitmaps that earlier machines left, by region. */
    private final Map<GuestMemory.Region, long[]> leftDirty = new HashMap<>();

    private boolean dirtyTracking;
    private boolean externalInterrupt;

    SwitchableMachine(VirtualMachine first) {
        current = first;
    }

    /** Holds interrupts back. Only while no vCPU runs. Returns the machine that is to be left. */
    synchronized VirtualMachine hold() {
        VirtualMachine old = current;
        current = new HeldMachine(old);
        // A caller that read the old one has come before: it leaves soon, for nothing there blocks.
        while (left.sum() != came.sum()) {
            Thread.onSpinWait();
        }
        return old;
    }

    /** Goes on with the old machine. */
    synchronized void goOn() {
        HeldMachine held = held();
        settle(held, held.old);
    }

    /**
     * Sets {@code next} up as the old machine was, before vCPUs are restored in it.
     *
     * @throws RuntimeException what it threw; then {@link #abandon} and {@link #goOn}
     */
    synchronized void prepare(VirtualMachine next) {
        if (dirtyTracking) {
            next.setDirtyTracking(true);
        }
        for (Map.Entry<Integer, @Nullable MsiMessage> route : routes.entrySet()) {
            next.routeGsi(route.getKey(), route.getValue());
        }
        for (Binding binding : bindings) {
            binding.next = next.bindDoorbell(binding.address, binding.handler);
        }
    }

    /** Undoes {@link #prepare}. */
    synchronized void abandon() {
        for (Binding binding : bindings) {
            DoorbellRegistration registration = binding.next;
            binding.next = null;
            if (registration != null) {
                registration.close();
            }
        }
    }

    /** Goes on with {@code next}, which is prepared and has its vCPUs. The old one is to close. */
    synchronized void install(VirtualMachine next) {
        HeldMachine held = held();
        for (Binding binding : bindings) {
            binding.registration.close();
            binding.registration = java.util.Objects.requireNonNull(binding.next);
            binding.next = null;
        }
        if (dirtyTracking) {
            keepDirty(held.old);
            held.old.setDirtyTracking(false);
        }
        settle(held, next);
    }

    private HeldMachine held() {
        if (current instanceof HeldMachine held) {
            return held;
        }
        throw new IllegalStateException("not holding");
    }

    private void settle(HeldMachine held, VirtualMachine next) {
        if (next != held.old) {
            next.setExternalInterrupt(externalInterrupt);
        }
        held.releaseTo(next, () -> current = next);
    }

    private void keepDirty(VirtualMachine old) {
        for (GuestMemory.Region region : old.memory().regions()) {
            long[] bits = new long[words(region)];
            old.fetchDirty(region, bits);
            leftDirty.merge(region, bits, SwitchableMachine::union);
        }
    }

    private static int words(GuestMemory.Region region) {
        return Math.toIntExact((region.sizeBytes() / GuestMemory.PAGE_BYTES + 63) / 64);
    }

    private static long[] union(long[] a, long[] b) {
        for (int i = 0; i < a.length; i++) {
            a[i] |= b[i];
        }
        return a;
    }

    // ------------------------------------------------------------------ what devices call

    @Override
    public void signalMsi(long address, int data) {
        came.increment();
        try {
            current.signalMsi(address, data);
        } finally {
            left.increment();
        }
    }

    @Override
    public void signalNmi() {
        came.increment();
        try {
            current.signalNmi();
        } finally {
            left.increment();
        }
    }

    /** Locked, so that the level remembered is the level that was set last. Never a hot path. */
    @Override
    public synchronized void setExternalInterrupt(boolean level) {
        externalInterrupt = level;
        current.setExternalInterrupt(level);
    }

    @Override
    public synchronized void routeGsi(int gsi, @Nullable MsiMessage message) {
        routes.put(gsi, message);
        current.routeGsi(gsi, message);
    }

    @Override
    public synchronized DoorbellRegistration bindDoorbell(
            DoorbellAddress address, DoorbellHandler handler) {
        Binding binding = new Binding(address, handler, current.bindDoorbell(address, handler));
        bindings.add(binding);
        return () -> unbind(binding);
    }

    private synchronized void unbind(Binding binding) {
        if (bindings.remove(binding)) {
            binding.registration.close();
        }
    }

    private static final class Binding {
        private final DoorbellAddress address;
        private final DoorbellHandler handler;
        private DoorbellRegistration registration;

        /** In the machine that is being prepared. */
        private @Nullable DoorbellRegistration next;

        Binding(
                DoorbellAddress address,
                DoorbellHandler handler,
                DoorbellRegistration registration) {
            this.address = address;
            this.handler = handler;
            this.registration = registration;
        }
    }

    // ------------------------------------------------------------------ the rest

    @Override
    public VirtualMachineConfig config() {
        return current.config();
    }

    @Override
    public GuestMemory memory() {
        return current.memory();
    }

    @Override
    public Vcpu createVcpu(int id) {
        return current.createVcpu(id);
    }

    @Override
    public synchronized void setDirtyTracking(boolean enabled) {
        current.setDirtyTracking(enabled);
        dirtyTracking = enabled;
        leftDirty.clear();
    }

    @Override
    public synchronized void fetchDirty(GuestMemory.Region region, long[] into) {
        current.fetchDirty(region, into);
        long[] kept = leftDirty.remove(region);
        if (kept != null) {
            for (int i = 0; i < kept.length; i++) {
                into[i] |= kept[i];
            }
        }
    }

    @Override
    public long tscHz() {
        return current.tscHz();
    }

    @Override
    public ClockState clock() {
        return current.clock();
    }

    @Override
    public void setClock(ClockState state) {
        current.setClock(state);
    }

    @Override
    public void close() {
        current.close();
    }

    /** Stands in while HOLDING: keeps interrupts, asks the old machine for what stands still. */
    private static final class HeldMachine implements VirtualMachine {
        private final VirtualMachine old;

        // Guarded by this.
        private final Queue<Consumer<VirtualMachine>> interrupts = new ArrayDeque<>();
        private @Nullable VirtualMachine successor;

        HeldMachine(VirtualMachine old) {
            this.old = old;
        }

        /** In order: what was held, then what comes later. */
        synchronized void releaseTo(VirtualMachine next, Runnable publish) {
            for (Consumer<VirtualMachine> interrupt : interrupts) {
                interrupt.accept(next);
            }
            interrupts.clear();
            successor = next;
            publish.run();
        }

        private synchronized void keep(Consumer<VirtualMachine> interrupt) {
            VirtualMachine next = successor;
            if (next == null) {
                interrupts.add(interrupt);
            } else {
                // The caller read this machine just before its successor was there.
                interrupt.accept(next);
            }
        }

        @Override
        public void signalMsi(long address, int data) {
            keep(machine -> machine.signalMsi(address, data));
        }

        @Override
        public void signalNmi() {
            keep(VirtualMachine::signalNmi);
        }

        /** The level is set when the machine settles. */
        @Override
        public void setExternalInterrupt(boolean level) {
            keep(machine -> machine.setExternalInterrupt(level));
        }

        @Override
        public void routeGsi(int gsi, @Nullable MsiMessage message) {
            keep(machine -> machine.routeGsi(gsi, message));
        }

        @Override
        public VirtualMachineConfig config() {
            return old.config();
        }

        @Override
        public GuestMemory memory() {
            return old.memory();
        }

        @Override
        public ClockState clock() {
            return old.clock();
        }

        @Override
        public long tscHz() {
            return old.tscHz();
        }

        private static IllegalStateException switching() {
            return new IllegalStateException("the machine is between two accelerators");
        }

        @Override
        public Vcpu createVcpu(int id) {
            throw switching();
        }

        @Override
        public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
            throw switching();
        }

        @Override
        public void setDirtyTracking(boolean enabled) {
            throw switching();
        }

        @Override
        public void fetchDirty(GuestMemory.Region region, long[] into) {
            throw switching();
        }

        @Override
        public void setClock(ClockState state) {
            throw switching();
        }

        @Override
        public void close() {
            throw switching();
        }
    }
}
