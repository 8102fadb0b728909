package dev.javisor.mainlinekvm;

import dev.javisor.hypervisor.CpuModel;
import dev.javisor.mainlinekvm.Suite.TestCase;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.AcceleratorReport;
import dev.javisor.vmm.DiskSpec;
import dev.javisor.vmm.TranslationMode;
import dev.javisor.vmm.Vm;
import dev.javisor.vmm.VmOutcome;
import dev.javisor.vmm.VmSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Debian's stock kernel with the default guest's initramfs, on a whole machine of ours. */
final class LinuxCases {
    private static final Path KERNEL = Path.of("guest/kernel");
    private static final Path INITRAMFS = Path.of("guest/initramfs");

    private static final int DISK_BYTES = 4 << 20;
    private static final long MEMORY_BYTES = 192L << 20;

    /**
     * What a kernel says when something went wrong, or when its time did. The emulated machine's
     * TSC is not stable, so that a guest's with several processors is not either: kvmclock is there
     * for that.
     */
    private static final String COMPLAINTS =
            "backward|stall|lockup|hung|BUG|WARNING|Call Trace|Oops|unchecked MSR"
                    + "|spurious|nobody cared|timed out";

    private LinuxCases() {}

    static Suite kvm() {
        return new Suite(
                "linux-kvm",
                List.of(
                        new TestCase("auto-takes-kvm", LinuxCases::auto),
                        new TestCase("one-vcpu", () -> works(Accelerator.KVM, 1)),
                        new TestCase("two-vcpus", () -> works(Accelerator.KVM, 2))));
    }

    /**
     * A processor without XSAVE: QEMU's emulated one (7.2) does not let KVM intercept XSETBV, so
     * that KVM would not know the guest's XCR0.
     */
    private static final CpuModel MODEL = CpuModel.X86_64_V2;

    /**
     * @param options for the kernel's command line, or empty
     */
    static VmSpec.Builder spec(Accelerator accelerator, int cpus, String options) {
        return VmSpec.builder(KERNEL)
                .initrd(INITRAMFS)
                .accelerator(accelerator)
                .translation(TranslationMode.ON)
                .cpuModel(MODEL)
                .cpus(cpus)
                .memoryBytes(MEMORY_BYTES)
                .append("console=ttyS0 panic=-1 cryptomgr.notests " + options);
    }

    /** As this KVM executes guests on the (emulated) processor. */
    private static void auto() {
        AcceleratorReport report = AcceleratorReport.kvm();
        check(report.isNative(), "measured: " + report);
        try (Vm vm = Vm.create(spec(Accelerator.AUTO, 1, "").build(), new GuestShell())) {
            String chosen = vm.status().accelerator();
            check(chosen.startsWith("kvm"), "auto takes " + chosen);
        }
    }

    /** To the shell; processors, console and disk work; {@code poweroff} ends it. */
    private static void works(Accelerator accelerator, int cpus)
            throws IOException, InterruptedException {
        Path disk = Files.createTempFile("disk", ".img");
        byte[] content = new byte[DISK_BYTES];
        byte[] line = "from the host\n".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(line, 0, content, 4096, line.length);
        Files.write(disk, content);
        GuestShell shell = new GuestShell();
        VmSpec spec = spec(accelerator, cpus, "").disks(List.of(new DiskSpec(disk, false))).build();
        try (Vm vm = Vm.create(spec, shell)) {
            shell.start(vm);
            shell.awaitPrompt();
            // The kernel's messages come on the same console.
            shell.run(vm, "dmesg -n 1");
            String processors = shell.run(vm, "nproc");
            if (!processors.equals(String.valueOf(cpus))) {
                throw new AssertionError(
                        "processors: %s%n%s".formatted(processors, shell.run(vm, "dmesg")));
            }
            String processor =
                    shell.run(vm, "cat /sys/devices/system/clocksource/*/current_clocksource");
            check(processor.equals("kvm-clock") || processor.equals("tsc"), processor);
            if (cpus > 1) {
                String load = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i";
                String both =
                        shell.run(
                                vm,
                                "(taskset 1 sh -c '%s' & taskset 2 sh -c '%s'; wait)"
                                        .formatted(load, load));
                check(both.equals("20000\n20000"), both);
            }
            String read =
                    shell.run(vm, "dd if=/dev/vda bs=4096 skip=1 count=1 2>/dev/null | head -n1");
            check(read.equals("from the host"), "read from the disk: " + read);
            shell.run(
                    vm,
                    "yes 'from the guest' | head -c 2097152 > /tmp/data"
                            + " && dd if=/tmp/data of=/dev/vda bs=4096 conv=fsync");
            String time = shell.run(vm, "a=$(date +%s); sleep 1; echo $(($(date +%s)-a))");
            check(time.matches("[1-9]"), "seconds of 'sleep 1': " + time);
            quiet(shell, vm);
            shell.type(vm, "poweroff\n");
            VmOutcome outcome = vm.await();
            check(outcome instanceof VmOutcome.PoweredOff, "ended by: " + outcome);
        }
        byte[] written = Files.readAllBytes(disk);
        byte[] expected =
                "from the guest\n".repeat(512 * 4096 / 15 + 1).getBytes(StandardCharsets.US_ASCII);
        int bytes = 512 * 4096;
        check(Arrays.equals(written, 0, bytes, expected, 0, bytes), "what the guest wrote");
        Files.delete(disk);
    }

    /** The kernel has nothing to complain about. */
    static void quiet(GuestShell shell, Vm vm) throws InterruptedException {
        String complaints = shell.run(vm, "dmesg | grep -E '%s' || true".formatted(COMPLAINTS));
        if (!complaints.isEmpty()) {
            throw new AssertionError(
                    "the guest's kernel complains:\n%s\nand says in all:\n%s"
                            .formatted(complaints, shell.run(vm, "dmesg")));
        }
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }
}
