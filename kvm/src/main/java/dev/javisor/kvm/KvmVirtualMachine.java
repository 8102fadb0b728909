package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.LinuxException;
import dev.javisor.linux.OwnedFd;
import dev.javisor.linux.SystemCalls;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine on KVM with the local APICs in the kernel and everything else of the
 * interrupt hardware in the machine ("split irqchip").
 */
final class KvmVirtualMachine implements VirtualMachine {
    /** Three pages that Intel's real-mode emulation needs, where PCs have no RAM. */
    private static final long TSS_ADDRESS = 0xFEFFD000L;

    private static final long IDENTITY_MAP_ADDRESS = 0xFEFFC000L;

    // struct kvm_msi
    private static final int MSI_BYTES = 32;

    private final KvmDevice device;
    private final KvmCalls calls;
    private final GuestMemory memory;
    private final VmClock clock;
    private final MsrList msrs;
    private final GuestCpuid cpuid;
    private final GsiRoutes routes;
    private final DoorbellPoller doorbells;
    private final DirtyLog dirtyLog;
    private final Exclusion exclusion = new Exclusion(this::vcpus);
    private final InstructionAssistant.@Nullable Factory assistants;
    private final VirtualMachineConfig config;
    private final Cleanup cleanup;
    private final List<KvmVcpu> vcpus = new ArrayList<>();

    /** Structures for messages, one for each thread that sends. */
    private final ThreadLocal<MemorySegment> message =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(MSI_BYTES, 8));

    private volatile boolean externalInterrupt;
    private boolean closed;

    private KvmVirtualMachine(
            KvmDevice device,
            KvmCalls calls,
            VirtualMachineConfig config,
            GuestMemory memory,
            InstructionAssistant.@Nullable Factory assistants,
            DirtyLog.How how,
            Cleanup cleanup) {
        this.assistants = assistants;
        this.device = device;
        this.calls = calls;
        this.memory = memory;
        this.cleanup = cleanup;
        this.clock = new VmClock(calls, config.tscHz(), device.has(Capability.TSC_CONTROL));
        this.config =
                new VirtualMachineConfig(
                        config.name(), config.maxVcpus(), config.model(), clock.tscHz());
        this.msrs = new MsrList(device.msrIndices());
        this.cpuid =
                new GuestCpuid(
                        this.config,
                        device.supportedCpuid(),
                        HostProcessor.read(Path.of("/proc/cpuinfo")),
                        device.has(Capability.TSC_DEADLINE_TIMER));
        this.routes = new GsiRoutes(calls);
        MemorySlots slots = new MemorySlots(calls, memory);
        cleanup.add(slots::unmap);
        slots.map(false);
        this.dirtyLog = new DirtyLog(calls, slots, memory, how);
        cleanup.add(dirtyLog::close);
        this.doorbells = new DoorbellPoller(calls, config.name());
        cleanup.add(doorbells::close);
    }

    /**
     * @throws HypervisorException when KVM refuses; nothing is left open
     * @throws LinuxException when the kernel refuses; nothing is left open
     */
    static KvmVirtualMachine create(
            SystemCalls system,
            VirtualMachineConfig config,
            GuestMemory memory,
            InstructionAssistant.@Nullable Factory assistants,
            DirtyTracking tracking) {
        Cleanup cleanup = new Cleanup();
        try {
            KickSignal.install(system);
            KvmDevice device = KvmDevice.open(system);
            cleanup.add(device::close);
            int most = device.value(Capability.MAX_VCPUS);
            if (config.maxVcpus() > most && most > 0) {
                throw new HypervisorException(
                        "%d vCPUs: this KVM can have %d".formatted(config.maxVcpus(), most));
            }
            OwnedFd fd = device.createVm();
            cleanup.add(fd::close);
            KvmCalls calls = new KvmCalls(system, fd.number());
            DirtyLog.How how = howDirty(device, tracking, memory);
            enableCapabilities(device, calls, passesPlatformMsrs(config, device), how);
            return new KvmVirtualMachine(device, calls, config, memory, assistants, how, cleanup);
        } catch (RuntimeException e) {
            cleanup.closeAfter(e);
            throw e;
        }
    }

    /** The host's own model has the host's own registers. */
    private static boolean passesPlatformMsrs(VirtualMachineConfig config, KvmDevice device) {
        return config.model() != CpuModel.HOST
                && device.has(Capability.X86_USER_SPACE_MSR)
                && device.has(Capability.X86_MSR_FILTER);
    }

    private static DirtyLog.How howDirty(
            KvmDevice device, DirtyTracking tracking, GuestMemory memory) {
        boolean rings = device.value(rings(device)) >= DirtyRing.SIZE_BYTES;
        if (rings && tracking.usesRing(memory.sizeBytes())) {
            return DirtyLog.How.RINGS;
        }
        return device.has(Capability.MANUAL_DIRTY_LOG_PROTECT2)
                ? DirtyLog.How.BITMAP_CLEARED_APART
                : DirtyLog.How.BITMAP;
    }

    /** The same on x86; Linux before 6.1 has the older name only. */
    private static Capability rings(KvmDevice device) {
        return device.has(Capability.DIRTY_LOG_RING_ACQ_REL)
                ? Capability.DIRTY_LOG_RING_ACQ_REL
                : Capability.DIRTY_LOG_RING;
    }

    private static void enableCapabilities(
            KvmDevice device, KvmCalls calls, boolean passesPlatformMsrs, DirtyLog.How how) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocateFrom(ValueLayout.JAVA_LONG, IDENTITY_MAP_ADDRESS);
            calls.call("place its page tables", KvmAbi.SET_IDENTITY_MAP_ADDR, address);
            calls.call("place its task state", KvmAbi.SET_TSS_ADDR, TSS_ADDRESS);
            enable(calls, arena, Capability.SPLIT_IRQCHIP, GsiRoutes.PINS);
            if (device.has(Capability.X2APIC_API)) {
                long flags = KvmAbi.X2APIC_32BIT_IDS | KvmAbi.X2APIC_NO_BROADCAST_QUIRK;
                enable(
                        calls,
                        arena,
                        Capability.X2APIC_API,
                        flags & device.value(Capability.X2APIC_API));
            }
            if (device.has(Capability.EXIT_ON_EMULATION_FAILURE)) {
                enable(calls, arena, Capability.EXIT_ON_EMULATION_FAILURE, 1);
            }
            switch (how) {
                case BITMAP -> {}
                case BITMAP_CLEARED_APART ->
                        enable(calls, arena, Capability.MANUAL_DIRTY_LOG_PROTECT2, 1);
                case RINGS -> enable(calls, arena, rings(device), DirtyRing.SIZE_BYTES);
            }
            if (passesPlatformMsrs) {
                enable(calls, arena, Capability.X86_USER_SPACE_MSR, MsrFilter.EXIT_REASON_FILTER);
                MsrFilter.set(calls);
            }
        }
    }

    private static void enable(KvmCalls calls, Arena arena, Capability capability, long argument) {
        // struct kvm_enable_cap
        MemorySegment s = arena.allocate(104, 8);
        s.set(ValueLayout.JAVA_INT, 0, capability.number());
        s.set(ValueLayout.JAVA_LONG, 8, argument);
        calls.call("enable " + capability, KvmAbi.ENABLE_CAP, s);
    }

    /** With the TSC frequency that the guest has. */
    @Override
    public VirtualMachineConfig config() {
        return config;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public synchronized Vcpu createVcpu(int id) {
        if (id < 0 || id >= config.maxVcpus()) {
            throw new HypervisorException(
                    "vCPU id %d out of range 0..%d".formatted(id, config.maxVcpus() - 1));
        }
        if (closed) {
            throw new HypervisorException("the virtual machine is closed");
        }
        try {
            KvmVcpu vcpu = KvmVcpu.create(this, id);
            vcpus.add(vcpu);
            return vcpu;
        } catch (LinuxException e) {
            throw new HypervisorException("KVM: vCPU %d: %s".formatted(id, e.getMessage()), e);
        }
    }

    KvmDevice device() {
        return device;
    }

    KvmCalls calls() {
        return calls;
    }

    boolean hasPlatformMsrs() {
        return passesPlatformMsrs(config, device);
    }

    VmClock vmClock() {
        return clock;
    }

    MsrList msrs() {
        return msrs;
    }

    GuestCpuid cpuid() {
        return cpuid;
    }

    DirtyLog dirtyLog() {
        return dirtyLog;
    }

    Exclusion exclusion() {
        return exclusion;
    }

    DoorbellPoller doorbells() {
        return doorbells;
    }

    InstructionAssistant.@Nullable Factory assistants() {
        return assistants;
    }

    private synchronized List<KvmVcpu> vcpus() {
        return List.copyOf(vcpus);
    }

    synchronized void forget(KvmVcpu vcpu) {
        vcpus.remove(vcpu);
    }

    @Override
    public void signalMsi(long address, int data) {
        MemorySegment s = message.get();
        s.set(ValueLayout.JAVA_INT, 0, (int) address);
        s.set(ValueLayout.JAVA_INT, 4, (int) (address >>> 32));
        s.set(ValueLayout.JAVA_INT, 8, data);
        // What nobody accepts is lost, as on the bus: the result does not matter.
        int unusedResult = calls.attempt(KvmAbi.SIGNAL_MSI, s);
    }

    @Override
    public void routeGsi(int gsi, @Nullable MsiMessage to) {
        routes.route(gsi, to);
    }

    @Override
    public void setExternalInterrupt(boolean level) {
        boolean rises = level && !externalInterrupt;
        externalInterrupt = level;
        if (rises) {
            requestAll(KvmVcpu.REQUEST_EXTERNAL);
        }
    }

    boolean externalInterrupt() {
        return externalInterrupt;
    }

    @Override
    public void signalNmi() {
        requestAll(KvmVcpu.REQUEST_NMI);
    }

    private void requestAll(int request) {
        for (KvmVcpu vcpu : vcpus()) {
            vcpu.request(request);
        }
    }

    @Override
    public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
        try {
            return doorbells.bind(address, handler);
        } catch (LinuxException e) {
            throw new HypervisorException("KVM: doorbell: " + e.getMessage(), e);
        }
    }

    @Override
    public void setDirtyTracking(boolean enabled) {
        dirtyLog.setEnabled(enabled);
    }

    @Override
    public void fetchDirty(Region region, long[] into) {
        dirtyLog.fetch(region, into);
    }

    @Override
    public ClockState clock() {
        return new ClockState(clock.nanos());
    }

    @Override
    public synchronized void setClock(ClockState state) {
        clock.set(state.guestNanos());
        for (KvmVcpu vcpu : vcpus) {
            vcpu.clockChanged();
        }
    }

    @Override
    public void close() {
        List<KvmVcpu> left;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            left = List.copyOf(vcpus);
        }
        for (KvmVcpu vcpu : left) {
            vcpu.close();
        }
        cleanup.close();
    }
}
