package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestOverlayTest {
    @TempDir Path temporary;

    private static Map<String, String> files(GuestOverlay overlay) throws IOException {
        Map<String, String> files = new HashMap<>();
        var in = new CpioArchiveInputStream(new ByteArrayInputStream(overlay.toByteArray()));
        for (CpioArchiveEntry e; (e = in.getNextEntry()) != null; ) {
            files.put(e.getName(), new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
        return files;
    }

    @Test
    void command_difficultArguments_reachTheProgramUnchanged() throws Exception {
        List<String> difficult =
                List.of("it's", "", "a b", "$HOME", "`id`", "\\", "\"", "new\nline", "*", "ä€");
        List<String> argv = new java.util.ArrayList<>(List.of("printf", "%s|"));
        argv.addAll(difficult);
        Path script = temporary.resolve("command");
        String text = files(new GuestOverlay().command(argv)).get("javisor/command");
        assertThat(text).isNotNull();
        Files.writeString(script, text);

        Process shell = new ProcessBuilder("/bin/sh", script.toString()).start();
        String printed = new String(shell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(shell.waitFor()).isZero();
        assertThat(printed).isEqualTo(String.join("|", difficult) + "|");
    }

    @Test
    void config_everySetting_isAssignmentsForTheShell() throws IOException {
        GuestOverlay overlay = new GuestOverlay().ports().console("hvc0").terminalSize(132, 43);
        overlay.terminalType("xterm-256color").terminalType("$(reboot)").terminalType("");
        assertThat(files(overlay))
                .containsOnlyKeys("javisor", "javisor/config")
                .containsEntry(
                        "javisor/config",
                        """
                        JAVISOR_PORTS=yes
                        JAVISOR_CONSOLE=hvc0
                        JAVISOR_COLUMNS=132
                        JAVISOR_ROWS=43
                        JAVISOR_TERM=xterm-256color
                        """);
    }

    @Test
    void command_emptyOrWithZeroByte_isRefused() {
        GuestOverlay overlay = new GuestOverlay();
        assertThatThrownBy(() -> overlay.command(List.of()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> overlay.command(List.of("a\0b")))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> overlay.console("hvc0; reboot"))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
