package dev.javisor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sessions with the default guest on our own machine and software CPU. What the guest sees of its
 * machine, and what ends it, is tested through the launcher in testing/realguests.
 */
class RunIT {
    @TempDir Path temporary;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private byte[] input = new byte[0];

    private int javisor(List<String> options, String... command) {
        StandardStreams streams = new StandardStreams(new ByteArrayInputStream(input), out, err);
        Launch launch = new Launch(streams, Map.of("JAVISOR_STTY", ""), VmmMachine::create);
        List<String> arguments = new ArrayList<>(List.of("run", "--timeout", "5m"));
        arguments.addAll(options);
        if (command.length > 0) {
            arguments.add("--");
            arguments.addAll(List.of(command));
        }
        return JavisorMain.commandLine(
                        launch, new PrintStream(out, true), new PrintStream(err, true))
                .execute(arguments.toArray(String[]::new));
    }

    private int run(String... command) {
        return javisor(List.of(), command);
    }

    private String output() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    private static void assumePrograms(String... programs) {
        for (String program : programs) {
            boolean there =
                    List.of((System.getenv("PATH") + ":/sbin:/usr/sbin").split(":")).stream()
                            .anyMatch(d -> Files.isExecutable(Path.of(d, program)));
            assumeThat(there).as(program + " is installed").isTrue();
        }
    }

    private static String host(String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", ":/sbin:/usr/sbin", String::concat);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(String.join(" ", command) + "\n" + text).isZero();
        return text;
    }

    @Test
    void command_streamsAndStatus_comeBack() {
        int code =
                run("sh", "-c", "printf '%s|' \"$@\"; echo oops >&2; exit 42", "x", "it's", "ä b");
        assertThat(errors()).isEqualTo("oops\n");
        assertThat(output()).isEqualTo("it's|ä b|");
        assertThat(code).isEqualTo(42);
    }

    @Test
    void command_muchInput_arrivesWhole() throws Exception {
        input = new byte[3_000_000];
        new Random(7).nextBytes(input);
        assertThat(run("sha256sum")).isZero();
        assertThat(output()).startsWith(sha256(input));
    }

    @Test
    void command_muchOutput_arrivesWhole() throws Exception {
        assertThat(run("sh", "-c", "seq 1 200000")).isZero();
        StringBuilder expected = new StringBuilder();
        for (int i = 1; i <= 200_000; i++) {
            expected.append(i).append('\n');
        }
        assertThat(output().equals(expected.toString())).isTrue();
    }

    /** A Multiboot 1 kernel of four instructions: the ELF32 header and one segment for all. */
    private static byte[] debugExitKernel() {
        int loadAddress = 0x100000;
        ByteBuffer elf = ByteBuffer.allocate(128).order(ByteOrder.LITTLE_ENDIAN);
        elf.putInt(0x464C457F).put((byte) 1).put((byte) 1).put((byte) 1);
        elf.position(16);
        elf.putShort((short) 2).putShort((short) 3).putInt(1); // executable, i386
        elf.putInt(loadAddress + 96).putInt(52).putInt(0).putInt(0); // entry, program headers
        elf.putShort((short) 52).putShort((short) 32).putShort((short) 1);
        elf.position(52);
        elf.putInt(1).putInt(0).putInt(loadAddress).putInt(loadAddress); // PT_LOAD, offset
        elf.putInt(128).putInt(128).putInt(7).putInt(0x1000); // sizes, flags, alignment
        elf.putInt(0x1BADB002).putInt(0).putInt(-0x1BADB002); // Multiboot 1 §3.1
        elf.put(
                96,
                new byte[] {
                    (byte) 0xB0,
                    0x10, // mov al, 10h
                    (byte) 0xE6,
                    (byte) 0xF4, // out F4h, al
                    (byte) 0xF4, // hlt
                    (byte) 0xEB,
                    (byte) 0xFD // jmp to the hlt
                });
        return elf.array();
    }

    @Test
    void guest_writesDebugExit_givesItsStatus() throws IOException {
        Path kernel = Files.write(temporary.resolve("kernel"), debugExitKernel());
        assertThat(javisor(List.of("--debug-exit", "--kernel", kernel.toString()))).isEqualTo(33);
        assertThat(errors()).isEmpty();
    }

    @Test
    void disk_guestPowersOff_isUnmountedFirst() throws Exception {
        assumePrograms("mke2fs", "e2fsck", "debugfs");
        Path disk = temporary.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(64L << 20);
        }
        host("mke2fs", "-q", "-t", "ext4", disk.toString());
        byte[] data = new byte[8 << 20];
        new Random(9).nextBytes(data);
        Path source = Files.write(temporary.resolve("source"), data);
        int code =
                javisor(
                        List.of("--disk", disk.toString(), "--disk", source + ",readonly"),
                        "sh",
                        "-c",
                        "mount /dev/vda /mnt && cat /dev/vdb > /mnt/data && poweroff;"
                                + " sleep 100");
        assertThat(errors()).isEmpty();
        assertThat(code).isZero();

        // -n would say so if the journal had to be recovered.
        assertThat(host("e2fsck", "-f", "-n", disk.toString())).doesNotContain("journal");
        Path copy = temporary.resolve("data");
        host("debugfs", "-R", "dump /data " + copy, disk.toString());
        assertThat(Files.mismatch(copy, source)).isEqualTo(-1);
    }

    @Test
    void disk_readOnly_cannotBeWritten() throws Exception {
        Path disk = temporary.resolve("disk.img");
        byte[] content = new byte[1 << 20];
        new Random(3).nextBytes(content);
        Files.write(disk, content);
        int code =
                javisor(
                        List.of("--disk", disk + ",readonly"),
                        "sh",
                        "-c",
                        "cat /sys/block/vda/ro; sha256sum < /dev/vda; ! dd if=/dev/zero of=/dev/vda");
        assertThat(code).isZero();
        assertThat(output()).startsWith("1\n" + sha256(content));
        assertThat(Files.readAllBytes(disk)).isEqualTo(content);
    }
}
