package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The default guest on one CPU, seen from within; and programs that run on host and guest alike.
 */
class OneCpuIT {
    private static final List<String> PROGRAMS =
            List.of("x87", "transcendental", "sse", "strings", "integer", "avx");

    /** Two at a time, so that the guest's kernel switches between their registers. */
    private static final String PAIR = "%1$s 1 > %2$s/1 & %1$s 2 > %2$s/2; wait; cat %2$s/1 %2$s/2";

    private static final int INPUT_BYTES = 1 << 20;

    @TempDir static Path directory;
    private static final byte[] INPUT = new byte[INPUT_BYTES];
    private static Javisor.Run run = new Javisor.Run(-1, new byte[0], "", java.time.Duration.ZERO);
    private static Sections sections = Sections.parse(new byte[0]);

    @BeforeAll
    static void boot() throws Exception {
        HostTools.need("gcc", "mke2fs");
        Path programs = Files.createDirectory(directory.resolve("programs"));
        for (String program : PROGRAMS) {
            compile(program, programs);
        }
        HostTools.resource("busybox.sh", programs.resolve("busybox.sh"));
        Path disk = directory.resolve("programs.img");
        HostTools.must(
                "mke2fs", "-q", "-t", "ext4", "-d", programs.toString(), disk.toString(), "32M");
        HostTools.busybox(directory.resolve("busybox"));
        new Random(11).nextBytes(INPUT);

        run =
                Javisor.of(
                                "run",
                                "--timeout",
                                "280s",
                                "--disk",
                                disk + ",readonly",
                                "--",
                                "sh",
                                "-c",
                                script(),
                                "javisor")
                        .input(INPUT)
                        .run();
        System.out.printf("one CPU, all of it: %.1f s%n", run.time().toMillis() / 1000.0);
        assertThat(run.err()).isEmpty();
        sections = Sections.parse(run.out());
        System.out.print(sections.text("times"));
    }

    private static String script() {
        return Sections.SHELL
                + """
                section stdin sha256sum
                section uname uname -a
                section cpuinfo cat /proc/cpuinfo
                section pci ls /sys/bus/pci/devices
                section interrupts cat /proc/interrupts
                section booted cat /proc/uptime
                mount -t ext4 -o ro,noload /dev/vda /mnt
                mkdir /tmp/work
                mark() { read -r now rest < /proc/uptime; times="$times$1 in the guest until $now s
                "; }
                times=
                mark boot
                for program in %s; do
                    section $program /mnt/$program
                    mark $program
                done
                avx() { %s; }
                section avx-pair avx
                mark avx-pair
                section busybox sh /mnt/busybox.sh /bin/busybox /tmp/work
                mark busybox
                section readonly dd if=/dev/zero of=/dev/vda bs=4096 count=1
                section times printf %%s "$times"
                section dmesg dmesg
                exit 42
                """
                        .formatted(
                                String.join(" ", PROGRAMS),
                                PAIR.formatted("/mnt/avx", "/tmp/work"));
    }

    private static void compile(String program, Path to) throws IOException, InterruptedException {
        Path source = directory.resolve(program + ".c");
        HostTools.resource(program + ".c", source);
        HostTools.must(
                "gcc",
                "-static",
                "-O2",
                program.equals("avx") ? "-march=x86-64-v3" : "-march=x86-64-v2",
                "-o",
                to.resolve(program).toString(),
                source.toString());
    }

    @Test
    void command_itsStatus_isOurs() {
        assertThat(run.status()).isEqualTo(42);
    }

    @Test
    void command_aMebibyteOfInput_arrivesWhole() throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(INPUT);
        assertThat(sections.text("stdin")).startsWith(HexFormat.of().formatHex(digest));
    }

    @Test
    void guest_isDebiansStockCloudKernel() {
        assertThat(sections.text("uname"))
                .matches("(?s)Linux javisor .*-cloud-amd64 .*Debian.*x86_64 GNU/Linux\n");
    }

    @Test
    void cpu_default_isV3AndNoMore() {
        String flags =
                sections.text("cpuinfo")
                        .lines()
                        .filter(line -> line.startsWith("flags"))
                        .findFirst()
                        .orElseThrow();
        assertThat(List.of(flags.split("\\s+")))
                .contains("cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2", "nx")
                .contains("avx", "avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe", "xsave")
                .contains("hypervisor", "smep", "smap", "x2apic", "tsc_deadline_timer")
                .doesNotContain("avx512f", "gfni", "vmx", "svm");
        assertThat(sections.text("cpuinfo")).containsOnlyOnce("processor\t:");
    }

    @Test
    void pci_hostBridgeDisksAndConsole_areThere() {
        assertThat(sections.text("pci").lines())
                .contains("0000:00:00.0", "0000:00:1f.0")
                .hasSizeGreaterThanOrEqualTo(5);
    }

    @Test
    void interrupts_timerSerialAndMessageSignalled_arrive() {
        String interrupts = sections.text("interrupts");
        assertThat(interrupts).contains("IO-APIC").contains("PCI-MSI").contains("virtio0-");
        assertThat(count(interrupts, "LOC:")).isPositive();
        assertThat(count(interrupts, "virtio0-output")).isPositive();
        assertThat(count(interrupts, "ERR:")).isZero();
    }

    private static long count(String interrupts, String row) {
        return interrupts
                .lines()
                .filter(line -> line.contains(row))
                .mapToLong(line -> Long.parseLong(line.strip().split("\\s+")[1]))
                .sum();
    }

    @Test
    void kernel_hasNothingToComplainOf() {
        String log = sections.text("dmesg");
        assertThat(log).contains("Run /init as init process");
        assertThat(KernelLog.complaints(log)).isEmpty();
    }

    @Test
    void disk_readOnly_refusesToBeWritten() {
        assertThat(sections.get("readonly").status()).isNotZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"x87", "transcendental", "sse", "strings", "integer"})
    void program_compiledByTheHost_printsTheSame(String program) throws Exception {
        same(program, HostTools.run(directory.resolve("programs").resolve(program).toString()));
    }

    @Test
    void avx_onHostAndGuest_printsTheSame() throws Exception {
        String cpuinfo = Files.readString(Path.of("/proc/cpuinfo"));
        for (String flag : List.of("avx2", "fma", "f16c", "bmi2")) {
            assumeThat(cpuinfo)
                    .as("the host's CPU has " + flag)
                    .containsPattern(" " + flag + "\\b");
        }
        String program = directory.resolve("programs/avx").toString();
        same("avx", HostTools.run(program));
        Path work = Files.createDirectory(directory.resolve("pair"));
        same("avx-pair", HostTools.run("sh", "-c", PAIR.formatted(program, work)));
    }

    @Test
    void busybox_manyApplets_printTheSame() throws Exception {
        String busybox = directory.resolve("busybox").toString();
        Path work = Files.createDirectory(directory.resolve("work"));
        String script = directory.resolve("programs/busybox.sh").toString();
        HostTools.Output host = HostTools.run(busybox, "sh", script, busybox, work.toString());
        assertThat(host.text()).contains("comes back").doesNotContain("not found");
        same("busybox", host);
    }

    private static void same(String name, HostTools.Output host) {
        HostTools.Output guest = sections.get(name);
        // The first difference says more than two long texts.
        String[] ours = guest.text().split("\n", -1);
        String[] theirs = host.text().split("\n", -1);
        for (int i = 0; i < Math.min(ours.length, theirs.length); i++) {
            assertThat(ours[i]).as("line %d of %s", i + 1, name).isEqualTo(theirs[i]);
        }
        assertThat(guest.bytes()).isEqualTo(host.bytes());
        assertThat(host.bytes()).isNotEmpty();
        assertThat(guest.status()).isEqualTo(host.status()).isZero();
    }
}
