package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.block.DiskErrors;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskLimits;
import dev.javisor.block.ErrorPolicy;
import dev.javisor.block.nbd.NbdAddress;
import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.DiskSource;
import dev.javisor.vmm.TranslationMode;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SmallPartsTest {
    /** Writes down what was asked for. */
    private static final class Recorder implements EscapeKeys.Listener {
        final List<String> asked = new ArrayList<>();
        final StringBuilder shown = new StringBuilder();

        @Override
        public void toGuest(byte[] bytes) {
            asked.add("'" + new String(bytes, StandardCharsets.ISO_8859_1) + "'");
        }

        @Override
        public void showMenu() {
            asked.add("menu");
        }

        @Override
        public void quit() {
            asked.add("quit");
        }

        @Override
        public void powerButton() {
            asked.add("button");
        }

        @Override
        public void reset() {
            asked.add("reset");
        }

        @Override
        public void state() {
            asked.add("state");
        }

        @Override
        public void move() {
            asked.add("move");
        }

        @Override
        public void resume() {
            asked.add("resume");
        }

        @Override
        public void echo(String text) {
            shown.append(text);
        }

        @Override
        public void command(String line) {
            asked.add(line);
        }

        @Override
        public void back() {
            asked.add("back");
        }
    }

    private static List<String> typed(String... reads) throws InterruptedException {
        Recorder recorder = new Recorder();
        EscapeKeys keys = new EscapeKeys(recorder);
        for (String read : reads) {
            byte[] bytes = read.getBytes(StandardCharsets.ISO_8859_1);
            keys.typed(bytes, bytes.length);
        }
        return recorder.asked;
    }

    @Test
    void escapeKeys_ordinaryKeys_goToTheGuestTogether() throws InterruptedException {
        assertThat(typed("ls\r", "\u0003")).containsExactly("'ls\r'", "'\u0003'");
    }

    @Test
    void escapeKeys_everyChoice_isHeard() throws InterruptedException {
        assertThat(typed("ab\u001Dqcd", "\u001D", "p", "\u001Dr\u001Ds\u001Dm\u001Dc\u001Dx"))
                .containsExactly(
                        "'ab'", "menu", "quit", "'cd'", "menu", "button", "menu", "reset", "menu",
                        "state", "menu", "move", "menu", "resume", "menu", "back");
    }

    @Test
    void escapeKeys_commandLine_isEditedAndHeardWhole() throws InterruptedException {
        assertThat(typed("\u001D:rex\u007F", "size 0 1G\rls"))
                .containsExactly("menu", "resize 0 1G", "'ls'");
        assertThat(typed("\u001D:res\u0003x")).containsExactly("menu", "back", "'x'");
    }

    @Test
    void machineCommands_knownOnes_reachTheMachine() {
        FakeMachine machine = new FakeMachine((_, _, _) -> {}, _ -> {});
        MachineCommands commands = new MachineCommands(machine);
        assertThat(commands.run(" resize  data 1M "))
                .isEqualTo("disk data has 1,048,576 bytes now");
        assertThat(commands.run("balloon 64M")).startsWith("the guest gives up");
        assertThat(commands.run("continue")).isEqualTo("the guest goes on");
        assertThat(commands.run("state")).startsWith("state: fake");
        assertThat(commands.run("resize none 1M")).isEqualTo("no disk 'none'");
        assertThat(commands.run("resize data")).contains("takes 2 values");
        assertThat(commands.run("resize data big")).contains("big");
        assertThat(commands.run("")).contains("resize DISK SIZE");
        assertThat(machine.events)
                .containsExactly("resize disk data to 1048576", "balloon 67108864", "resume");
    }

    @Test
    void memoryOption_settings_areKeptOrExplained() {
        assertThat(MemoryOption.parse("1G")).isEqualTo(MemoryOption.plain(1 << 30));
        assertThat(MemoryOption.parse("64M,hugepages=2M,prealloc,lock,shared"))
                .isEqualTo(
                        new MemoryOption(
                                64 << 20,
                                new dev.javisor.vmm.MemorySpec(
                                        dev.javisor.vmm.MemorySpec.Pages.HUGE_2M,
                                        true,
                                        true,
                                        true)));
        org.assertj.core.api.Assertions.assertThatThrownBy(
                        () -> MemoryOption.parse("1G,hugepages=4M"))
                .hasMessageContaining("'hugepages=4M' is no setting of memory")
                .hasMessageContaining("prealloc");
        org.assertj.core.api.Assertions.assertThatThrownBy(() -> MemoryOption.parse(",shared"))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void escapeKeys_escapeTwice_sendsItself() throws InterruptedException {
        assertThat(typed("\u001D\u001D")).containsExactly("menu", "'\u001D'");
        assertThat(typed("\u001D]x")).containsExactly("menu", "'\u001Dx'");
    }

    @Test
    void durations_knownForms_areRead() {
        assertThat(Durations.parse("30")).hasSeconds(30);
        assertThat(Durations.parse("1.5m")).hasSeconds(90);
        assertThat(Durations.parse("2h")).hasHours(2);
        assertThat(Durations.parse("250ms")).hasMillis(250);
    }

    @Test
    void durations_anythingElse_isRefused() {
        for (String text : List.of("", "s", "-1", "1w", "1e3", "1 s", "0", "0ms")) {
            assertThatThrownBy(() -> Durations.parse(text))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("'" + text + "'");
        }
    }

    @Test
    void switchOption_knownForms_areRead() {
        assertThat(SwitchOption.parse("kvm@10s"))
                .isEqualTo(
                        new SwitchOption(
                                Accelerator.KVM, Optional.empty(), Duration.ofSeconds(10)));
        assertThat(SwitchOption.parse("soft:off@250ms"))
                .isEqualTo(
                        new SwitchOption(
                                Accelerator.SOFT,
                                Optional.of(TranslationMode.OFF),
                                Duration.ofMillis(250)));
    }

    @Test
    void switchOption_anythingElse_isRefused() {
        for (String text : List.of("kvm", "@1s", "tcg@1s", "kvm:off@1s", "soft:fast@1s", "soft@")) {
            assertThatThrownBy(() -> SwitchOption.parse(text))
                    .as(text)
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void diskOption_fileWithCommas_keepsAllButTheSetting() {
        assertThat(DiskOption.parse("a")).isEqualTo(DiskOption.plain(Path.of("a")));
        DiskOption named = DiskOption.parse("a,b,ro");
        assertThat(named.source()).isEqualTo(new DiskSource.File(Path.of("a,b")));
        assertThat(named.readOnly()).isTrue();
        DiskOption all =
                DiskOption.parse(
                        "a,format=qcow2,backing=follow,serial=disk-1,iops=100:20,bps=1M,"
                                + "rerror=stop,werror=report");
        assertThat(all.source()).isEqualTo(new DiskSource.File(Path.of("a")));
        assertThat(all.format()).contains(DiskFormat.QCOW2);
        assertThat(all.followBacking()).isTrue();
        assertThat(all.serial()).contains("disk-1");
        assertThat(all.errors()).isEqualTo(new DiskErrors(ErrorPolicy.STOP, ErrorPolicy.REPORT));
        assertThatThrownBy(() -> DiskOption.parse("a,werror=ignore"))
                .hasMessageContaining("report, stop, enospc");
        assertThat(all.limits()).isEqualTo(new DiskLimits(100, 20, 1 << 20, (1 << 20) / 10));
    }

    @Test
    void diskOption_nbdUri_isNoFile() {
        DiskOption disk = DiskOption.parse("nbd://host/a,b,ro,reconnect=5s");
        assertThat(disk.source())
                .isEqualTo(
                        new DiskSource.Nbd(
                                NbdAddress.parse("nbd://host/a,b"), Duration.ofSeconds(5)));
        assertThat(disk.readOnly()).isTrue();
        for (String bad : List.of("nbd:///x", "nbd://h/x,format=raw", "file,reconnect=5s")) {
            assertThatThrownBy(() -> DiskOption.parse(bad))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void controlChannel_nonsense_isDropped() {
        ControlChannel control = new ControlChannel();
        for (String text :
                List.of("exit 256\n", "exit -1\n", "exit 1000000\n", "exit\n", "x exit 1\n")) {
            byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
            control.output(bytes, 0, bytes.length);
        }
        byte[] endless = "exit 1".repeat(10_000).getBytes(StandardCharsets.US_ASCII);
        control.output(endless, 0, endless.length);
        assertThat(control.status()).isEmpty();
        byte[] good = "\nexit 255\nexit 3\n".getBytes(StandardCharsets.US_ASCII);
        control.output(good, 0, good.length);
        assertThat(control.status()).hasValue(255);
    }

    @Test
    void markedOutput_cutAnywhere_isTheSame() {
        byte[] console =
                "a\r\njavisor: begin\n1\n\njavisor: exit 9999\n\n\njavisor: exit 7\nrest"
                        .getBytes(StandardCharsets.US_ASCII);
        Random random = new Random(1);
        for (int round = 0; round < 200; round++) {
            ByteArrayOutputStream found = new ByteArrayOutputStream();
            MarkedOutput marked = new MarkedOutput(found::write);
            int at = 0;
            while (at < console.length) {
                int n = Math.min(1 + random.nextInt(9), console.length - at);
                marked.output(console, at, n);
                at += n;
            }
            assertThat(found).hasToString("1\n\njavisor: exit 9999\n\n");
            assertThat(marked.status()).hasValue(7);
        }
    }

    @Test
    void suggestions_nearWord_isFoundAndFarIsNot() {
        List<String> known = List.of("--memory", "--cpus", "run");
        assertThat(Suggestions.nearest("--memry", known)).contains("--memory");
        assertThat(Suggestions.nearest("--mem", known)).contains("--memory");
        assertThat(Suggestions.nearest("rum", known)).contains("run");
        assertThat(Suggestions.nearest("--network", known)).isEmpty();
        assertThat(Suggestions.nearest("x", known)).isEmpty();
    }

    @Test
    void terminalSize_onlyWhatSttyPrints_isRead() {
        assertThat(HostTerminal.parseSize("24 80")).contains(new HostTerminal.Size(80, 24));
        assertThat(HostTerminal.parseSize("0 0")).isEmpty();
        assertThat(HostTerminal.parseSize("stty: no")).isEmpty();
    }

    @Test
    void signals_windowChange_isHeard() throws Exception {
        var heard = new java.util.concurrent.CountDownLatch(1);
        assertThat(Signals.handle("WINCH", heard::countDown)).isTrue();
        long self = ProcessHandle.current().pid();
        assertThat(new ProcessBuilder("kill", "-WINCH", Long.toString(self)).start().waitFor())
                .isZero();
        assertThat(heard.await(10, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
        assertThat(Signals.handle("NOSUCH", () -> {})).isFalse();
    }
}
