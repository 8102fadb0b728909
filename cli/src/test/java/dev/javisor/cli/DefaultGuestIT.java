package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.javisor.guestkit.GuestImage;
import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The default guest and the sessions, on QEMU's software CPU instead of ours. */
class DefaultGuestIT {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private byte[] input = new byte[0];

    @BeforeEach
    void needsQemu() {
        assumeThat(QemuMachine.present()).as("QEMU is installed").isTrue();
    }

    private int run(String... command) {
        StandardStreams streams = new StandardStreams(new ByteArrayInputStream(input), out, err);
        Launch launch = new Launch(streams, Map.of("JAVISOR_STTY", ""), QemuMachine::new);
        String[] arguments = new String[command.length + 4];
        System.arraycopy(new String[] {"run", "--timeout", "2m", "--"}, 0, arguments, 0, 4);
        System.arraycopy(command, 0, arguments, 4, command.length);
        return JavisorMain.commandLine(
                        launch, new PrintStream(out, true), new PrintStream(err, true))
                .execute(arguments);
    }

    @Test
    void command_differentArgumentsStreamsAndStatus_comeBack() {
        int code =
                run(
                        "sh",
                        "-c",
                        "printf '%s|' \"$@\"; echo oops >&2; exit 42",
                        "x",
                        "it's",
                        "",
                        "ä b");
        assertThat(err).hasToString("oops\n");
        assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo("it's||ä b|");
        assertThat(code).isEqualTo(42);
    }

    @Test
    void command_muchInput_arrivesWhole() throws Exception {
        input = new byte[3_000_000];
        new Random(5).nextBytes(input);
        assertThat(run("sha256sum")).isZero();
        byte[] digest = java.security.MessageDigest.getInstance("SHA-256").digest(input);
        assertThat(out.toString(StandardCharsets.UTF_8))
                .startsWith(java.util.HexFormat.of().formatHex(digest));
    }

    @Test
    void guest_panics_givesItsCode() {
        assertThat(run("sh", "-c", "echo c > /proc/sysrq-trigger"))
                .isEqualTo(ExitCodes.GUEST_PANIC);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("sysrq triggered crash");
    }

    @Test
    void guest_itsSystem_isComplete() {
        assertThat(
                        run(
                                "sh",
                                "-c",
                                "uname -r; ls /dev/virtio-ports; mount | cut -d' ' -f3; hostname"))
                .isZero();
        GuestImage image = GuestImages.standard().prepare(Progress.NONE);
        List<String> lines = out.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(lines.getFirst()).isEqualTo(image.version());
        assertThat(lines)
                .contains("dev.javisor.control", "/proc", "/sys", "/dev", "/dev/pts", "/tmp")
                .endsWith("javisor");
    }
}
