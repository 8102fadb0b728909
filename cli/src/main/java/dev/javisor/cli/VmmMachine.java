package dev.javisor.cli;

import dev.javisor.block.DiskFiles;
import dev.javisor.guestkit.GuestOverlay;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.DiskSpec;
import dev.javisor.vmm.Vm;
import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import dev.javisor.vmm.VmSpec;
import java.util.ArrayList;
import java.util.List;

/** The real machine. */
final class VmmMachine implements Machine {
    private final Vm vm;

    private VmmMachine(Vm vm) {
        this.vm = vm;
    }

    static Machine create(RunSettings settings, GuestFiles guest, VmConsole console) {
        List<DiskSpec> disks = new ArrayList<>();
        for (DiskOption disk : settings.disks()) {
            disks.add(
                    new DiskSpec(
                            disk.source(),
                            disk.format(),
                            disk.readOnly(),
                            disk.followBacking()
                                    ? new DiskFiles.References.Followed()
                                    : new DiskFiles.References.Refused(),
                            disk.serial(),
                            disk.limits(),
                            disk.errors()));
        }
        boolean command = !settings.command().isEmpty();
        VmSpec.Builder spec =
                VmSpec.builder(guest.kernel())
                        .accelerator(settings.accelerator())
                        .translation(settings.translation())
                        .cpus(settings.cpus())
                        .scheduling(settings.scheduling())
                        .memoryBytes(settings.memoryBytes())
                        .memory(settings.memory())
                        .extraInitrd(guest.overlay())
                        .append(guest.commandLine())
                        .disks(disks)
                        .networks(settings.networks())
                        .debugExit(settings.debugExit())
                        // A person who reboots wants to see it; a command that is gone is gone.
                        .endOnReset(command)
                        .ports(command ? GuestOverlay.PORTS : List.of());
        settings.cpuModel().ifPresent(spec::cpuModel);
        guest.initrd().ifPresent(spec::initrd);
        return new VmmMachine(Vm.create(spec.build(), console));
    }

    @Override
    public void start() {
        vm.start();
    }

    @Override
    public VmOutcome await() throws InterruptedException {
        return vm.await();
    }

    @Override
    public void powerButton() {
        vm.powerButton();
    }

    @Override
    public void resume() {
        vm.resume();
    }

    @Override
    public void balloon(long guestBytes) {
        vm.balloon(guestBytes);
    }

    @Override
    public void resizeDisk(String disk, long sizeBytes) {
        vm.resizeDisk(disk, sizeBytes);
    }

    @Override
    public void reset() {
        vm.reset();
    }

    @Override
    public String switchAccelerator() {
        boolean hardware = vm.status().accelerator().startsWith("kvm");
        vm.switchTo(hardware ? Accelerator.SOFT : Accelerator.KVM);
        return vm.status().accelerator();
    }

    @Override
    public void switchTo(SwitchOption option) {
        option.translation()
                .ifPresentOrElse(
                        translation -> vm.switchTo(option.target(), translation),
                        () -> vm.switchTo(option.target()));
    }

    @Override
    public void stop() {
        vm.stop();
    }

    @Override
    public String status() {
        return vm.status().text();
    }

    @Override
    public void consoleInput(byte[] bytes) throws InterruptedException {
        vm.consoleInput(bytes, 0, bytes.length);
    }

    @Override
    public void resize(int columns, int rows) {
        vm.resize(columns, rows);
    }

    @Override
    public void portInput(String name, byte[] bytes, int length) throws InterruptedException {
        vm.port(name).write(bytes, 0, length);
    }

    @Override
    public void closePort(String name) {
        vm.port(name).close();
    }

    @Override
    public void close() {
        vm.close();
    }
}
