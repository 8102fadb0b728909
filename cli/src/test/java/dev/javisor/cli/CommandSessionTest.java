package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.base.JavisorException;
import dev.javisor.vmm.TranslationMode;
import dev.javisor.vmm.VmOutcome;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class CommandSessionTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final AtomicReference<FakeMachine> machine = new AtomicReference<>();
    private String input = "";
    private boolean verbose;
    private Optional<Duration> timeout = Optional.empty();
    private OutputStream standardOutput = out;

    private int run(Consumer<FakeMachine> guest) throws InterruptedException {
        StandardStreams streams =
                new StandardStreams(
                        new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                        standardOutput,
                        err);
        RunSettings settings =
                new RunSettings(
                        dev.javisor.vmm.Accelerator.AUTO,
                        Optional.empty(),
                        TranslationMode.ON,
                        1,
                        dev.javisor.vmm.VcpuScheduling.STANDARD,
                        64L << 20,
                        dev.javisor.vmm.MemorySpec.STANDARD,
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        List.of(),
                        List.of(),
                        false,
                        Set.of(),
                        timeout,
                        verbose,
                        List.of(),
                        List.of("true"));
        GuestFiles files = new GuestFiles(Path.of("k"), Optional.empty(), new byte[0], "");
        return new CommandSession(streams, verbose)
                .run(
                        settings,
                        files,
                        (s, g, output) -> {
                            machine.set(new FakeMachine(output, guest));
                            return machine.get();
                        });
    }

    @Test
    void command_outputAndStatus_areOurs() throws InterruptedException {
        int code =
                run(guest -> {
                    guest.console("[ 0.0] boot log\r\n");
                    guest.port("control", "started\n");
                    guest.port("stdout", "hello\n");
                    guest.port("stderr", "oops\n");
                    guest.port("control", "ex");
                    guest.port("control", "it 42\n");
                    guest.powerOff();
                });
        assertThat(code).isEqualTo(42);
        assertThat(out).hasToString("hello\n");
        assertThat(err).hasToString("oops\n");
        assertThat(machine.get().events).contains("closed");
    }

    @Test
    void command_verbose_showsTheBootLogOnStandardError() throws InterruptedException {
        verbose = true;
        run(guest -> {
            guest.console("boot log\r\n");
            guest.powerOff();
        });
        assertThat(out).hasToString("");
        assertThat(err).hasToString("boot log\r\n");
    }

    @Test
    void command_input_reachesTheGuestAndIsClosed() throws InterruptedException {
        input = "a line\nand more";
        run(guest ->
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                guest.inputClosed.await();
                            } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                            }
                            guest.powerOff();
                        }));
        assertThat(machine.get().stdin).hasToString(input);
        assertThat(machine.get().events).contains("close dev.javisor.stdin");
    }

    @Test
    void guest_panicsAndResets_isTold() throws InterruptedException {
        int code = run(guest -> guest.end(new VmOutcome.Panicked("VFS: no root")));
        assertThat(code).isEqualTo(ExitCodes.GUEST_PANIC);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("panicked: VFS: no root");
    }

    @Test
    void guest_resetsWithoutPanic_isTold() throws InterruptedException {
        assertThat(run(guest -> guest.end(new VmOutcome.Reset()))).isEqualTo(ExitCodes.GUEST_RESET);
    }

    @Test
    void guest_usesDebugExit_givesTheStatus() throws InterruptedException {
        assertThat(run(guest -> guest.end(new VmOutcome.DebugExit(16)))).isEqualTo(33);
    }

    @Test
    void machine_fails_isAnError() {
        assertThatThrownBy(() -> run(guest -> guest.end(new VmOutcome.Failed("disk gone"))))
                .isInstanceOf(JavisorException.class)
                .hasMessage("disk gone");
    }

    @Test
    void timeout_stopsTheGuest() throws InterruptedException {
        timeout = Optional.of(Duration.ofMillis(1));
        assertThat(run(guest -> {})).isEqualTo(ExitCodes.TIMEOUT);
    }

    @Test
    void output_nobodyReads_stopsTheGuest() throws InterruptedException {
        standardOutput =
                new OutputStream() {
                    @Override
                    public void write(int b) throws IOException {
                        throw new IOException("Broken pipe");
                    }
                };
        assertThat(run(guest -> guest.port("stdout", "y\n"))).isEqualTo(ExitCodes.OUTPUT_GONE);
    }

    @Test
    void guest_withoutPorts_isReadFromTheConsole() throws InterruptedException {
        int code =
                run(guest -> {
                    guest.console("log\r\njavisor: begin\nhel");
                    guest.console("lo\n\njavisor: ex");
                    guest.console("cuse\n\njavisor: exit 3\n[ 9.9] reboot: Power down\r\n");
                    guest.powerOff();
                });
        assertThat(code).isEqualTo(3);
        assertThat(out).hasToString("hello\n\njavisor: excuse\n");
    }
}
