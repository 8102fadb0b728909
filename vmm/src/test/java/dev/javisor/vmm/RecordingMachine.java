package dev.javisor.vmm;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.Vcpu;
import dev.javisor.hypervisor.VirtualMachine;
import dev.javisor.hypervisor.VirtualMachineConfig;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A virtual machine without vCPUs that writes down what is done to it. */
final class RecordingMachine implements VirtualMachine {
    final List<String> log = Collections.synchronizedList(new ArrayList<>());
    private final GuestMemory memory =
            new GuestMemory(
                    Arena.ofAuto().allocate(1 << 20, 4096),
                    List.of(new GuestMemory.Region(0, 0, 1 << 20)),
                    () -> {});

    /** What the next fetch finds dirty. */
    long dirty;

    boolean refusesDoorbells;

    @Override
    public VirtualMachineConfig config() {
        return new VirtualMachineConfig("recording", 1, CpuModel.X86_64_V2, 1_000_000_000);
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public Vcpu createVcpu(int id) {
        throw new HypervisorException("none");
    }

    @Override
    public void signalMsi(long address, int data) {
        log.add("msi " + data);
    }

    @Override
    public void routeGsi(int gsi, @Nullable MsiMessage message) {
        log.add("route %d %s".formatted(gsi, message == null ? "off" : message.data()));
    }

    @Override
    public void setExternalInterrupt(boolean level) {
        log.add("external " + level);
    }

    @Override
    public void signalNmi() {
        log.add("nmi");
    }

    @Override
    public DoorbellRegistration bindDoorbell(DoorbellAddress address, DoorbellHandler handler) {
        if (refusesDoorbells) {
            throw new HypervisorException("no more doorbells");
        }
        log.add("bind " + address.address());
        return () -> log.add("unbind " + address.address());
    }

    @Override
    public void setDirtyTracking(boolean enabled) {
        log.add("dirty tracking " + enabled);
    }

    @Override
    public void fetchDirty(GuestMemory.Region region, long[] into) {
        into[0] = dirty;
        dirty = 0;
    }

    @Override
    public ClockState clock() {
        return new ClockState(7);
    }

    @Override
    public void setClock(ClockState state) {}

    @Override
    public void close() {
        log.add("closed");
    }
}
