package dev.javisor.mainlinekvm;

import dev.javisor.mainlinekvm.Suite.TestCase;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.DiskSpec;
import dev.javisor.vmm.Vm;
import dev.javisor.vmm.VmOutcome;
import dev.javisor.vmm.VmSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A running Debian moves to the other accelerator and back, and does not notice. On each processor
 * a program ({@code clocks.c}) reads the clocks all along. What runs on the software CPU is little,
 * and no time has an upper bound: translated twice, it is slow.
 */
final class HandoverCases {
    /** A cpio archive with {@code bin/clocks}, if the host has a C compiler. */
    private static final Path PROGRAMS = Path.of("guest/programs");

    /** By name only: a few minutes each. */
    static final String SUITE = "handover";

    private static final int BLOCK_BYTES = 4096;

    private HandoverCases() {}

    static Suite all() {
        return new Suite(
                SUITE,
                List.of(
                        new TestCase("kvm-soft-kvm", () -> moves(Accelerator.KVM, 1)),
                        new TestCase("kvm-soft-kvm-two-vcpus", () -> moves(Accelerator.KVM, 2)),
                        new TestCase("soft-kvm-soft", () -> moves(Accelerator.SOFT, 1)),
                        new TestCase("soft-kvm-soft-two-vcpus", () -> moves(Accelerator.SOFT, 2))));
    }

    /** Boots on {@code first}, works there, on the other one, and there again. */
    private static void moves(Accelerator first, int cpus)
            throws IOException, InterruptedException {
        if (!Files.exists(PROGRAMS)) {
            throw new SkippedException("the host has no gcc, which compiles the guest's program");
        }
        Accelerator second = first == Accelerator.KVM ? Accelerator.SOFT : Accelerator.KVM;
        Path disk = Files.createTempFile("disk", ".img");
        byte[] content = new byte[3 * BLOCK_BYTES];
        for (int phase = 0; phase < 3; phase++) {
            byte[] text = ("to phase " + phase + '\n').getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(text, 0, content, phase * BLOCK_BYTES, text.length);
        }
        Files.write(disk, content);
        GuestShell shell = new GuestShell();
        // The guest's clock is then KVM's on either, and the TSC is watched beside it.
        VmSpec spec =
                LinuxCases.spec(first, cpus, "clocksource=kvm-clock")
                        .disks(List.of(new DiskSpec(disk, false)))
                        .extraInitrd(Files.readAllBytes(PROGRAMS))
                        .build();
        try (Vm vm = Vm.create(spec, shell)) {
            shell.start(vm);
            shell.awaitPrompt();
            shell.run(vm, "dmesg -n 1");
            for (int i = 0; i < cpus; i++) {
                shell.run(
                        vm,
                        "(taskset %x clocks /tmp/count%d /tmp/stop 2> /tmp/errors &)"
                                .formatted(1 << i, i));
            }
            phase(vm, shell, first, 0, cpus);
            vm.switchTo(second);
            phase(vm, shell, second, 1, cpus);
            vm.switchTo(first);
            phase(vm, shell, first, 2, cpus);
            check(vm.status().switches() == 2, "switches: " + vm.status());
            shell.run(vm, "touch /tmp/stop");
            for (int i = 0; i < cpus; i++) {
                String count = shell.run(vm, "cat /tmp/count" + i);
                check(
                        count.matches("\\d+ tsc 0 monotonic 0 raw 0"),
                        "clocks that stepped back on processor %d: %s".formatted(i, count));
            }
            String source =
                    shell.run(vm, "cat /sys/devices/system/clocksource/*/current_clocksource");
            check(source.equals("kvm-clock"), "clock source: " + source);
            LinuxCases.quiet(shell, vm);
            shell.type(vm, "poweroff\n");
            VmOutcome outcome = vm.await();
            check(outcome instanceof VmOutcome.PoweredOff, "ended by: " + outcome);
        }
        byte[] written = Files.readAllBytes(disk);
        for (int phase = 0; phase < 3; phase++) {
            byte[] text = ("of phase " + phase + '\n').getBytes(StandardCharsets.US_ASCII);
            int at = phase * BLOCK_BYTES;
            check(
                    Arrays.equals(written, at, at + text.length, text, 0, text.length),
                    "what the guest wrote in phase " + phase);
        }
        Files.delete(disk);
    }

    /** Counters go on, a timer fires, the disk reads and writes, and all processors are there. */
    private static void phase(Vm vm, GuestShell shell, Accelerator on, int number, int cpus)
            throws InterruptedException {
        String accelerator = vm.status().accelerator();
        check(
                accelerator.startsWith(on == Accelerator.KVM ? "kvm" : "soft"),
                "runs on " + accelerator);
        for (int i = 0; i < cpus; i++) {
            // Until the counter has moved, after a timer has fired.
            shell.run(
                    vm,
                    """
                    a=$(cat /tmp/count%d); sleep 0.1; until [ "$(cat /tmp/count%d)" != "$a" ]; do
                     [ -s /tmp/errors ] && break; sleep 0.1; done; cat /tmp/errors; [ ! -s /tmp/errors ]
                    """
                            .formatted(i, i)
                            .replace("\n", ""));
        }
        String read =
                shell.run(
                        vm,
                        "echo 3 > /proc/sys/vm/drop_caches;"
                                + " dd if=/dev/vda bs=4096 skip=%d count=1 2>/dev/null | head -n1"
                                        .formatted(number));
        check(read.equals("to phase " + number), "read from the disk: " + read);
        shell.run(
                vm,
                "echo 'of phase %d' | dd of=/dev/vda bs=4096 seek=%d conv=sync,fsync 2>/dev/null"
                        .formatted(number, number));
        String processors = shell.run(vm, "nproc");
        check(processors.equals(String.valueOf(cpus)), "processors: " + processors);
    }

    private static void check(boolean condition, String what) {
        LinuxCases.check(condition, what);
    }
}
