package dev.javisor.kvm;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Availability.Reason;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.linux.Errno;
import dev.javisor.linux.LinuxException;
import dev.javisor.linux.OwnedFd;
import dev.javisor.linux.SystemCalls;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Linux's KVM. */
public final class KvmHypervisor implements Hypervisor {
    private static final String USE_SOFTWARE = "or use the software CPU (--accel soft)";

    private final SystemCalls system;
    private final InstructionAssistant.@Nullable Factory assistants;
    private final DirtyTracking tracking;

    /** Without help: an instruction that KVM cannot emulate ends the virtual machine. */
    public KvmHypervisor() {
        this(SystemCalls.host(), null);
    }

    /**
     * @param assistants execute what KVM cannot
     */
    public KvmHypervisor(InstructionAssistant.Factory assistants) {
        this(SystemCalls.host(), assistants);
    }

    /**
     * @param system the kernel, or what plays it
     * @param assistants execute what KVM cannot; null for none
     */
    public KvmHypervisor(SystemCalls system, InstructionAssistant.@Nullable Factory assistants) {
        this(system, assistants, DirtyTracking.BY_SIZE);
    }

    /**
     * @param tracking how written pages are told, where the host leaves a choice
     */
    public KvmHypervisor(InstructionAssistant.Factory assistants, DirtyTracking tracking) {
        this(SystemCalls.host(), assistants, tracking);
    }

    KvmHypervisor(
            SystemCalls system,
            InstructionAssistant.@Nullable Factory assistants,
            DirtyTracking tracking) {
        this.system = system;
        this.assistants = assistants;
        this.tracking = tracking;
    }

    @Override
    public String name() {
        return "kvm";
    }

    @Override
    public Availability probe() {
        if (!System.getProperty("os.name", "").equals("Linux")) {
            return unavailable(
                    Reason.WRONG_OPERATING_SYSTEM,
                    "KVM is a part of Linux",
                    "use the software CPU (--accel soft)");
        }
        if (!System.getProperty("os.arch", "").equals("amd64")) {
            return unavailable(
                    Reason.WRONG_ARCHITECTURE,
                    "x86-64 guests on KVM need an x86-64 host",
                    "use the software CPU (--accel soft)");
        }
        try (KvmDevice device = KvmDevice.open(system)) {
            return tryOut(device);
        } catch (LinuxException e) {
            return cannotOpen(e);
        } catch (HypervisorException e) {
            return unavailable(
                    Reason.MISSING_CAPABILITY,
                    String.valueOf(e.getMessage()),
                    "use a newer kernel, " + USE_SOFTWARE);
        }
    }

    /**
     * Extensions that are made use of where they are there, by the name of their KVM_CAP constant;
     * 0 for what is not there. Empty where the device cannot be opened or lacks what is needed.
     */
    public SortedMap<String, Integer> capabilities() {
        SortedMap<String, Integer> all = new TreeMap<>();
        if (!System.getProperty("os.name", "").equals("Linux")) {
            return all;
        }
        try (KvmDevice device = KvmDevice.open(system)) {
            for (Capability capability : Capability.values()) {
                all.put(capability.name(), device.value(capability));
            }
        } catch (LinuxException | HypervisorException e) {
            return new TreeMap<>();
        }
        return all;
    }

    /** Another hypervisor that holds the processor shows only when a VM is made. */
    private static Availability tryOut(KvmDevice device) {
        try {
            device.createVm().close();
            return new Availability.Available("KVM of this Linux");
        } catch (HypervisorException e) {
            return unavailable(
                    Reason.BUSY,
                    String.valueOf(e.getMessage()),
                    "end other hypervisors (VirtualBox, VMware), " + USE_SOFTWARE);
        }
    }

    private static Availability cannotOpen(LinuxException e) {
        String message = String.valueOf(e.getMessage());
        return switch (e.errno()) {
            case Errno.ENOENT, Errno.ENODEV, Errno.ENXIO ->
                    unavailable(
                            Reason.NO_DEVICE_NODE,
                            message,
                            "load kvm_intel or kvm_amd and switch virtualization on in the"
                                    + " firmware, "
                                    + USE_SOFTWARE);
            case Errno.EACCES, Errno.EPERM ->
                    unavailable(
                            Reason.NO_PERMISSION,
                            message,
                            "join the group that owns "
                                    + KvmDevice.PATH
                                    + " (usermod -aG kvm USER), "
                                    + USE_SOFTWARE);
            default -> unavailable(Reason.BUSY, message, "try again, " + USE_SOFTWARE);
        };
    }

    private static Availability unavailable(Reason reason, String message, String remedy) {
        return new Availability.Unavailable(reason, message, remedy);
    }

    /** The host's own frequency, where the processor cannot scale it. */
    @Override
    public long fixedTscHz() {
        try (KvmDevice device = KvmDevice.open(system);
                OwnedFd vm = device.createVm()) {
            boolean scales = device.has(Capability.TSC_CONTROL);
            return scales ? 0 : new VmClock(new KvmCalls(system, vm.number()), 0, false).tscHz();
        } catch (LinuxException | HypervisorException e) {
            return 0;
        }
    }

    @Override
    public CpuModel bestCpuModel() {
        try (KvmDevice device = KvmDevice.open(system)) {
            return GuestCpuid.best(
                    device.supportedCpuid(),
                    HostProcessor.read(Path.of("/proc/cpuinfo")),
                    device.has(Capability.TSC_DEADLINE_TIMER));
        } catch (LinuxException | HypervisorException e) {
            // What is wrong is said when the virtual machine is made.
            return CpuModel.BEST;
        }
    }

    @Override
    public VirtualMachine createVirtualMachine(
            VirtualMachineConfig config, GuestMemory memory, TimeSource time) {
        try {
            return KvmVirtualMachine.create(system, config, memory, assistants, tracking);
        } catch (LinuxException e) {
            throw new HypervisorException("KVM: " + e.getMessage(), e);
        }
    }
}
