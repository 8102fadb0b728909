package dev.javisor.vmm;

import dev.javisor.base.TimeSource;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.Hypervisor;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** An accelerator whose guest is a Java program, called again and again while the vCPU runs. */
final class FakeHypervisor implements Hypervisor {
    /** The guest. */
    @FunctionalInterface
    interface Guest {
        /**
         * One step on the vCPU's thread.
         *
         * @return why the vCPU exits, or empty to go on
         */
        Optional<Vcpu.ExitReason> step(VcpuBus bus, FakeVcpu vcpu);
    }

    /** What the guest answers when it goes on. */
    static final Optional<Vcpu.ExitReason> GO_ON = Optional.empty();

    private final Guest guest;
    final Map<Integer, FakeVcpu> vcpus = new ConcurrentHashMap<>();
    volatile boolean machineClosed;

    /** Another machine is made, but no vCPUs. */
    volatile boolean refusesVcpus;

    /** A vCPU that takes over no state but what it was made with. */
    volatile boolean refusesStates;

    /** What a guest gets whose CPU nobody chose. */
    CpuModel bestCpuModel = CpuModel.BEST;

    volatile @Nullable VirtualMachineConfig config;
    private volatile @Nullable TimeSource time;

    FakeHypervisor(Guest guest) {
        this.guest = guest;
    }

    FakeVcpu vcpu(int id) {
        return Objects.requireNonNull(vcpus.get(id));
    }

    /** The guest's time. */
    long nanos() {
        return Objects.requireNonNull(time).nanos();
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public Availability probe() {
        return new Availability.Available("a Java program");
    }

    @Override
    public VirtualMachine createVirtualMachine(
            VirtualMachineConfig asked, GuestMemory memory, TimeSource source) {
        config = asked;
        time = source;
        return new FakeMachine(asked, memory);
    }

    @Override
    public CpuModel bestCpuModel() {
        return bestCpuModel;
    }

    CpuModel model() {
        return Objects.requireNonNull(config).model();
    }

    final class FakeVcpu implements Vcpu {
        private final int id;
        private volatile boolean kicked;
        volatile CpuState state = powerOn();
        volatile int restores;
        volatile long steps;
        volatile boolean closed;
        volatile GuestDebug debug = GuestDebug.NONE;

        FakeVcpu(int id) {
            this.id = id;
        }

        @Override
        public int id() {
            return id;
        }

        @Override
        public ExitReason run(VcpuBus bus) {
            while (!kicked) {
                steps++;
                Optional<ExitReason> exit = guest.step(bus, this);
                if (exit.isPresent()) {
                    return exit.get();
                }
                LockSupport.parkNanos(10_000);
            }
            kicked = false;
            return ExitReason.KICKED;
        }

        @Override
        public String exitDetail() {
            return "detail of " + id;
        }

        @Override
        public void kick() {
            kicked = true;
        }

        @Override
        public CpuState save() {
            return state;
        }

        @Override
        public void restore(CpuState newState) {
            if (refusesStates) {
                throw new IllegalArgumentException("CPU state: CR4");
            }
            state = newState;
            restores++;
        }

        @Override
        public void setDebug(GuestDebug newDebug) {
            debug = newDebug;
        }

        @Override
        public GuestDebug.Stop debugStop() {
            return GuestDebug.Stop.NONE;
        }

        @Override
        public long instructions() {
            return steps;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final class FakeMachine implements VirtualMachine {
        private final VirtualMachineConfig config;
        private final GuestMemory memory;

        FakeMachine(VirtualMachineConfig config, GuestMemory memory) {
            this.config = config;
            this.memory = memory;
        }

        @Override
        public VirtualMachineConfig config() {
            return config;
        }

        @Override
        public GuestMemory memory() {
            return memory;
        }

        @Override
        public Vcpu createVcpu(int id) {
            if (refusesVcpus) {
                throw new HypervisorException("no vCPUs left");
            }
            FakeVcpu vcpu = new FakeVcpu(id);
            vcpus.put(id, vcpu);
            return vcpu;
        }

        @Override
        public void signalMsi(long address, int data) {}

        @Override
        public void routeGsi(int gsi, @Nullable MsiMessage message) {}

        @Override
        public void setExternalInterrupt(boolean level) {}

        @Override
        public void signalNmi() {}

        @Override
        public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
            return () -> {};
        }

        @Override
        public void setDirtyTracking(boolean enabled) {}

        @Override
        public void fetchDirty(GuestMemory.Region region, long[] into) {}

        @Override
        public ClockState clock() {
            return new ClockState(0);
        }

        @Override
        public void setClock(ClockState state) {}

        @Override
        public void close() {
            machineClosed = true;
        }
    }

    private static CpuState powerOn() {
        CpuState.Segment data = new CpuState.Segment(0, 0, 0xFFFF, 0x93);
        return new CpuState(
                new long[16],
                0xFFF0,
                2,
                new CpuState.Segments(data, data, data, data, data, data, data, data),
                new CpuState.DescriptorTable(0, 0xFFFF),
                new CpuState.DescriptorTable(0, 0xFFFF),
                0x6000_0010,
                0,
                0,
                0,
                0,
                0,
                1,
                new long[8],
                new TreeMap<>(),
                new byte[576],
                new byte[1024],
                new CpuState.Events(-1, -1, -1, false, false, false, -1),
                CpuState.Activity.RUNNING,
                0);
    }
}
