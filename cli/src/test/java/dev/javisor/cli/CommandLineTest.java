package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.vmm.TranslationMode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CommandLineTest {
    @TempDir Path temporary;

    private final List<RunSettings> created = new ArrayList<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        StandardStreams streams =
                new StandardStreams(new ByteArrayInputStream(new byte[0]), out, err);
        Launch launch =
                new Launch(
                        streams,
                        Map.of("JAVISOR_STTY", ""),
                        (settings, guest, output) -> {
                            created.add(settings);
                            return new FakeMachine(output, fake -> fake.powerOff());
                        });
        return JavisorMain.commandLine(
                        launch, new PrintStream(out, true), new PrintStream(err, true))
                .execute(arguments);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private Path file(String name) throws IOException {
        return Files.writeString(temporary.resolve(name), "x");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    run --memry 1G           | did you mean --memory?
                    rnu                      | did you mean run?
                    run --memory 1.5G        | is no size
                    run --memory 1M          | too small
                    run --memory 4000T       | more than this host has
                    run --cpus 0             | out of range
                    run --cpus many          | --cpus
                    run --cpu-affinity a     | no list of host CPUs
                    run --cpu-policy fast    | --cpu-policy
                    run --cpu-nice 20        | out of range
                    run --cpu x86-64-v9      | give x86-64-v1, x86-64-v2
                    run --translate often    | --translate
                    run --accel tcg          | --accel
                    run --disk ,readonly     | no file
                    run --disk a,rw          | no setting of a disk
                    run --timeout soon       | is no duration
                    run --timeout 0          | no time at all
                    run --trace everything   | --trace
                    run --kernel /no/such    | no such file
                    run --kernel /           | is a directory
                    run --disk /             | is a directory
                    run --disk /no/such      | no such file
                    run --initrd /no/such    | no such file
                    run uname -a             | put -- before a command
                    run --                   | no command after --
                    run --cpus 1 --cpus 2    | --cpus
                    run --kernel             | --kernel
                    ''                       | try 'javisor run'
                    """)
    void wrongUse_anyKind_isOneLineThatSaysWhatToDo(String arguments, String message) {
        int code = run(arguments.isEmpty() ? new String[0] : arguments.split(" "));
        assertThat(code).isIn(ExitCodes.USAGE, ExitCodes.VM_FAILED);
        assertThat(errors()).startsWith("javisor: ").contains(message).endsWith("\n");
        assertThat(errors().lines()).hasSize(1);
        assertThat(created).isEmpty();
    }

    @Test
    void run_kernelAloneWithCommand_isRefused() throws IOException {
        assertThat(run("run", "--kernel", file("k").toString(), "--", "ls"))
                .isEqualTo(ExitCodes.USAGE);
        assertThat(errors()).contains("--initrd");
    }

    @Test
    void run_sameDiskTwice_isRefused() throws IOException {
        String disk = file("d").toString();
        String kernel = file("k").toString();
        assertThat(run("run", "--kernel", kernel, "--disk", disk, "--disk", disk + ",readonly"))
                .isEqualTo(ExitCodes.VM_FAILED);
        assertThat(errors()).contains("given twice");
    }

    @Test
    void run_appendTooLong_isRefused() throws IOException {
        String kernel = file("k").toString();
        assertThat(run("run", "--kernel", kernel, "--append", "x".repeat(2048)))
                .isEqualTo(ExitCodes.VM_FAILED);
        assertThat(errors()).contains("--append is too long").contains("2047");
    }

    @Test
    void run_everyOption_reachesTheMachine() throws IOException {
        String kernel = file("k").toString();
        String initrd = file("i").toString();
        String disk = file("d").toString();
        int code =
                run(
                        ("run --accel soft --translate eager --cpu x86-64-v3 --cpus 4 --memory 64M"
                                        + " --kernel "
                                        + kernel)
                                .concat(" --initrd " + initrd + " --append quiet --disk " + disk)
                                .concat(",readonly --debug-exit --trace virtio,exits --timeout 5m")
                                .concat(" -v -- ls --cpus")
                                .split(" "));
        assertThat(errors()).isEmpty();
        assertThat(code).isEqualTo(ExitCodes.OK);
        RunSettings settings = created.getFirst();
        assertThat(settings.cpuModel()).contains(dev.javisor.hypervisor.CpuModel.X86_64_V3);
        assertThat(settings.cpus()).isEqualTo(4);
        assertThat(settings.memoryBytes()).isEqualTo(64L << 20);
        assertThat(settings.disks()).containsExactly(DiskOption.parse(disk + ",readonly"));
        assertThat(settings.translation()).isEqualTo(TranslationMode.EAGER);
        assertThat(settings.debugExit()).isTrue();
        assertThat(settings.trace())
                .containsExactlyInAnyOrder(TraceCategory.virtio, TraceCategory.exits);
        assertThat(settings.timeout()).contains(java.time.Duration.ofMinutes(5));
        assertThat(settings.verbose()).isTrue();
        assertThat(settings.command()).containsExactly("ls", "--cpus");
        assertThat(settings.commandLine()).isEqualTo("quiet");
    }

    @Test
    void commandLine_defaultGuest_keepsOursBeforeTheirs() {
        RunSettings settings =
                new RunSettings(
                        dev.javisor.vmm.Accelerator.AUTO,
                        java.util.Optional.empty(),
                        TranslationMode.ON,
                        1,
                        dev.javisor.vmm.VcpuScheduling.STANDARD,
                        64L << 20,
                        dev.javisor.vmm.MemorySpec.STANDARD,
                        java.util.Optional.empty(),
                        java.util.Optional.empty(),
                        java.util.Optional.of("panic=5"),
                        List.of(),
                        List.of(),
                        false,
                        java.util.Set.of(),
                        java.util.Optional.empty(),
                        false,
                        List.of(),
                        List.of("true"));
        assertThat(settings.commandLine())
                .isEqualTo("console=ttyS0 panic=-1 cryptomgr.notests quiet panic=5");
    }

    @Test
    void help_everyCommand_hasExamplesAndSucceeds() {
        for (String command : List.of("", "run", "version", "completion")) {
            out.reset();
            String[] arguments =
                    command.isEmpty() ? new String[] {"--help"} : new String[] {command, "--help"};
            assertThat(run(arguments)).isEqualTo(ExitCodes.OK);
            assertThat(out.toString(StandardCharsets.UTF_8)).contains("Example");
        }
    }

    @Test
    void help_run_listsEveryExitCode() {
        run("run", "--help");
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("Exit codes:")
                .contains("122", "123", "124", "125", "130", "64", "70");
    }

    @Test
    void completion_isAScriptForBash() throws Exception {
        assertThat(run("completion")).isZero();
        Path script = Files.write(temporary.resolve("completion"), out.toByteArray());
        assertThat(new ProcessBuilder("bash", "-n", script.toString()).start().waitFor()).isZero();
        assertThat(script).content().contains("--memory", "complete -F");
    }

    @Test
    void version_saysItsOwnAndJavas() {
        assertThat(run("version")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .startsWith("javisor ")
                .doesNotContain("${")
                .contains("java " + Runtime.version());
    }
}
