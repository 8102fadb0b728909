package dev.javisor.softcpu.decode;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** binutils' objdump over flat binary files. */
final class Objdump {
    /** Receives one instruction: its offset in the file, its length and its text. */
    interface Sink {
        void instruction(int offset, int length, String text);
    }

    private Objdump() {}

    static boolean isInstalled() {
        try {
            Process process =
                    new ProcessBuilder("objdump", "--version")
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .redirectErrorStream(true)
                            .start();
            return process.waitFor() == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    static void run(byte[] code, int mode, long address, Path directory, Sink sink)
            throws IOException, InterruptedException {
        Path file = Files.createTempFile(directory, "code", ".bin");
        Files.write(file, code);
        String machine = mode == 64 ? "i386:x86-64" : mode == 32 ? "i386" : "i8086";
        List<String> command = new ArrayList<>(List.of("objdump", "-D", "-z", "-w"));
        command.addAll(List.of("--no-show-raw-insn", "-b", "binary", "-m", machine));
        command.addAll(List.of("-M", mode == 64 ? "intel,intel64" : "intel"));
        command.addAll(List.of("--adjust-vma=" + address, file.toString()));
        Process process =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII),
                        1 << 16)) {
            int previous = -1;
            String text = "";
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int colon = line.indexOf(":\t");
                if (colon < 0 || colon > 18) {
                    continue;
                }
                long at = Long.parseUnsignedLong(line.substring(0, colon).strip(), 16);
                int offset = (int) (at - address);
                if (previous >= 0) {
                    sink.instruction(previous, offset - previous, text);
                }
                previous = offset;
                text = line.substring(colon + 2);
            }
            if (previous >= 0) {
                sink.instruction(previous, code.length - previous, text);
            }
        }
        if (process.waitFor() != 0) {
            throw new IOException("objdump failed with status " + process.exitValue());
        }
        Files.delete(file);
    }
}
