package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.cli.Finding.Level;
import dev.javisor.hypervisor.Availability;
import dev.javisor.hypervisor.Availability.Reason;
import dev.javisor.vmm.AcceleratorReport;
import dev.javisor.vmm.AcceleratorSpeed;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code javisor doctor} on hosts that are directories. */
class DoctorTest {
    private static final AcceleratorReport SOFT =
            new AcceleratorReport(
                    "soft",
                    new Availability.Available("x86-64 in Java"),
                    Optional.of(new AcceleratorSpeed(900, 20)),
                    new TreeMap<>());

    @TempDir Path root;
    private HostChecks checks;

    /** As root is: whoever the tests run as. */
    private boolean mayUse = true;

    @BeforeEach
    void makeHost() {
        checks =
                new HostChecks(
                        new HostRoot(root) {
                            @Override
                            boolean isUsable(String absolute) {
                                return mayUse && exists(absolute);
                            }
                        });
    }

    private void file(String path, String text) throws IOException {
        Path file = root.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void cpu(String flags) throws IOException {
        file(
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu %s\n\nprocessor\t: 1\n"
                        .formatted(flags));
    }

    private static AcceleratorReport kvm(double iterationNanos) {
        return new AcceleratorReport(
                "kvm",
                new Availability.Available("KVM"),
                Optional.of(new AcceleratorSpeed(2345, iterationNanos)),
                new TreeMap<>(Map.of("IRQFD", 1, "XSAVE2", 0)));
    }

    private static AcceleratorReport noKvm() {
        return new AcceleratorReport(
                "kvm",
                new Availability.Unavailable(Reason.NO_DEVICE_NODE, "no node", "load it"),
                Optional.empty(),
                new TreeMap<>());
    }

    @Test
    void processor_intelWithNestedPaging_isGood() throws IOException {
        cpu("vmx ept");
        Finding finding = checks.processor();
        assertThat(finding.level()).isEqualTo(Level.OK);
        assertThat(finding.text()).isEqualTo("A Processor, VT-x with EPT");
        assertThat(finding.values())
                .containsEntry("extension", "VT-x")
                .containsEntry("nestedPaging", true)
                .containsEntry("inVirtualMachine", false);
    }

    @Test
    void processor_virtualMachineWithoutExtension_namesNestedVirtualization() throws IOException {
        cpu("hypervisor npt_is_another_word");
        Finding finding = checks.processor();
        assertThat(finding.level()).isEqualTo(Level.NOTE);
        assertThat(finding.values()).containsEntry("extension", "none");
        assertThat(finding.remedy().orElseThrow()).contains("nested virtualization");
    }

    @Test
    void processor_amdWithAvic_saysSo() throws IOException {
        cpu("svm npt");
        file("sys/module/kvm_amd/parameters/avic", "Y\n");
        assertThat(checks.processor().values())
                .containsEntry("extension", "AMD-V")
                .containsEntry("interruptVirtualization", true);
    }

    @Test
    void device_missingOnIntel_namesTheModule() throws IOException {
        cpu("vmx");
        Finding finding = checks.device();
        assertThat(finding.level()).isEqualTo(Level.WARN);
        assertThat(finding.values()).containsEntry("exists", false);
        assertThat(finding.remedy().orElseThrow()).contains("modprobe kvm_intel");
    }

    @Test
    void device_ofAnotherGroup_namesTheGroupToJoin() throws IOException {
        file("dev/kvm", "");
        Files.setPosixFilePermissions(
                root.resolve("dev/kvm"),
                java.nio.file.attribute.PosixFilePermissions.fromString("rw-rw----"));
        mayUse = false;
        Finding finding = checks.device();
        assertThat(finding.level()).isEqualTo(Level.WARN);
        assertThat(finding.remedy().orElseThrow())
                .isEqualTo(
                        "sudo usermod -aG %s $USER, then log in again"
                                .formatted(finding.values().get("group")));
    }

    @Test
    void device_usable_isGood() throws IOException {
        file("dev/kvm", "");
        assertThat(checks.device().level()).isEqualTo(Level.OK);
    }

    @Test
    void module_ofKindWithoutHardware_isAWarning() throws IOException {
        file("sys/module/kvm_pvm/parameters/x", "0");
        Finding finding = checks.module();
        assertThat(finding.level()).isEqualTo(Level.WARN);
        assertThat(finding.text()).contains("emulated");
        assertThat(finding.values()).containsEntry("modules", "kvm_pvm");
    }

    @Test
    void nested_eitherSpelling_isSeen() throws IOException {
        assertThat(checks.nested().values()).containsEntry("nested", false);
        file("sys/module/kvm_intel/parameters/nested", "1\n");
        assertThat(checks.nested().values()).containsEntry("nested", true);
    }

    @Test
    void hugePages_modeInBrackets_isRead() throws IOException {
        file("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        file("proc/meminfo", "MemTotal: 8000000 kB\nHugePages_Total:      12\n");
        Finding finding = checks.hugePages();
        assertThat(finding.level()).isEqualTo(Level.OK);
        assertThat(finding.values())
                .containsEntry("transparent", "madvise")
                .containsEntry("reserved", 12L);
    }

    @Test
    void controlGroups_bothVersions_areToldApart() throws IOException {
        assertThat(checks.controlGroups().values()).containsEntry("version", 0);
        file("sys/fs/cgroup/memory/tasks", "");
        assertThat(checks.controlGroups().values()).containsEntry("version", 1);
        file("sys/fs/cgroup/cgroup.controllers", "cpu memory");
        assertThat(checks.controlGroups().values()).containsEntry("version", 2);
    }

    @Test
    void memory_little_advisesLess() throws IOException {
        file("proc/meminfo", "MemTotal:  1000000 kB\nMemAvailable:  300000 kB\n");
        Finding finding = checks.memory();
        assertThat(finding.level()).isEqualTo(Level.WARN);
        assertThat(finding.values()).containsEntry("availableBytes", 300000L * 1024);
    }

    @Test
    void all_emptyHost_neverFails() {
        mayUse = false;
        assertThat(checks.all()).hasSizeGreaterThan(8).noneMatch(f -> f.level() == Level.FAIL);
    }

    @Test
    void verdict_nativeKvm_isKvm() {
        DoctorReport report = DoctorReport.of(checks.all(), kvm(0.5), SOFT);
        assertThat(report.accelerator()).isEqualTo("kvm");
        assertThat(report.text()).contains("natively").contains("not: xsave2");
    }

    @Test
    void verdict_emulatingKvm_isSoftWithAWarning() {
        DoctorReport report = DoctorReport.of(checks.all(), kvm(1200), SOFT);
        assertThat(report.accelerator()).isEqualTo("soft");
        assertThat(report.canRun()).isTrue();
        assertThat(report.text())
                .contains("warn  kvm: only emulates guest kernels: exit and back 2.3 us")
                .endsWith("--accel kvm uses it all the same.\n");
    }

    private String run(AcceleratorReport soft, int status, String... arguments) {
        StringWriter out = new StringWriter();
        CommandLine line =
                new CommandLine(
                                new DoctorCommand(
                                        new HostRoot(root), DoctorTest::noKvm, () -> soft))
                        .setOut(new PrintWriter(out));
        assertThat(line.execute(arguments)).isEqualTo(status);
        return out.toString();
    }

    @Test
    void json_hostWithoutKvm_isWholeAndEndsWith0() {
        JsonNode json = JsonMapper.shared().readTree(run(SOFT, ExitCodes.OK, "--json"));
        assertThat(json.get("canRun").asBoolean()).isTrue();
        assertThat(json.get("accelerator").asString()).isEqualTo("soft");
        JsonNode kvm =
                json.get("findings")
                        .valueStream()
                        .filter(finding -> finding.get("id").asString().equals("kvm"))
                        .findFirst()
                        .orElseThrow();
        assertThat(kvm.get("level").asString()).isEqualTo("warn");
        assertThat(kvm.get("remedy").asString()).isEqualTo("load it");
        assertThat(kvm.get("values").get("available").asBoolean(true)).isFalse();
    }

    @Test
    void status_nothingCanRun_isAFailure() {
        AcceleratorReport none =
                new AcceleratorReport(
                        "soft",
                        new Availability.Unavailable(Reason.WRONG_ARCHITECTURE, "big endian", "no"),
                        Optional.empty(),
                        new TreeMap<>());
        assertThat(run(none, ExitCodes.VM_FAILED)).contains("No guest can run here.");
    }
}
