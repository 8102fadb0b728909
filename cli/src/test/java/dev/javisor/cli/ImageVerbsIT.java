package dev.javisor.cli;

import static dev.javisor.cli.ImageVerbs.image;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** Our verbs beside qemu-img's, on the same images. */
class ImageVerbsIT {
    @TempDir private Path folder;

    record Qemu(int status, String out) {}

    @BeforeAll
    static void tools() {
        try {
            qemu("--version");
        } catch (IOException e) {
            Assumptions.abort("qemu-img is missing: apt-get install qemu-utils");
        }
    }

    private static Qemu qemu(Object... arguments) throws IOException {
        List<String> command = new java.util.ArrayList<>(List.of("qemu-img"));
        for (Object each : arguments) {
            command.add(each.toString());
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            return new Qemu(process.waitFor(), out);
        } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
        }
    }

    private static JsonNode json(String text) {
        return new ObjectMapper().readTree(text);
    }

    private Path sample() throws IOException {
        Path raw = folder.resolve("a.img");
        byte[] bytes = new byte[4 << 20];
        java.util.Arrays.fill(bytes, 100_000, 900_000, (byte) 3);
        java.util.Arrays.fill(bytes, 3_000_000, 3_100_000, (byte) 4);
        Files.write(raw, bytes);
        Path path = folder.resolve("a.qcow2");
        assertThat(image("convert", raw, path).status()).isZero();
        return path;
    }

    @Test
    void infoCheckMap_sayWhatQemuSays() throws IOException {
        Path path = sample();
        JsonNode ours = json(image("info", "--output", "json", path).out());
        JsonNode theirs = json(qemu("info", "--output=json", path).out());
        for (String key : List.of("virtual-size", "format", "cluster-size", "dirty-flag")) {
            assertThat(ours.get(key)).as(key).isEqualTo(theirs.get(key));
        }
        assertThat(ours.get("format-specific")).isEqualTo(theirs.get("format-specific"));

        JsonNode ourCheck = json(image("check", "--output", "json", path).out());
        JsonNode theirCheck = json(qemu("check", "--output=json", path).out());
        theirCheck
                .properties()
                .forEach(each -> {
                    boolean counted = each.getKey().equals("fragmented-clusters");
                    if (!counted || ourCheck.has(each.getKey())) {
                        assertThat(ourCheck.get(each.getKey()))
                                .as(each.getKey())
                                .isEqualTo(each.getValue());
                    }
                });

        JsonNode ourMap = json(image("map", "--output", "json", path).out());
        JsonNode theirMap = json(qemu("map", "--output=json", path).out());
        assertThat(ourMap.size()).isEqualTo(theirMap.size());
        for (int i = 0; i < ourMap.size(); i++) {
            for (String key : List.of("start", "length", "depth", "zero", "data", "offset")) {
                assertThat(ourMap.get(i).get(key))
                        .as("%s of %d", key, i)
                        .isEqualTo(theirMap.get(i).get(key));
            }
        }
    }

    @Test
    void statuses_areQemus() throws IOException {
        Path path = sample();
        Path raw = folder.resolve("a.img");
        Path other = Files.write(folder.resolve("b.img"), new byte[4 << 20]);
        for (Object[] each :
                new Object[][] {
                    {"compare", "-f", "qcow2", "-F", "raw", path, raw},
                    {"compare", "-f", "raw", "-F", "raw", raw, other},
                    {"compare", "-f", "raw", "-F", "raw", raw, folder.resolve("none")},
                    {"check", "-f", "qcow2", path},
                    {"check", "-f", "raw", raw},
                    {"info", "-f", "qcow2", raw},
                }) {
            assertThat(image(each).status())
                    .as(java.util.Arrays.toString(each))
                    .isEqualTo(qemu(each).status());
        }
    }

    @Test
    void images_areSoundForTheOther() throws IOException {
        Path path = sample();
        assertThat(image("snapshot", "-c", "s", path).status()).isZero();
        assertThat(image("bitmap", "--add", path, "b").status()).isZero();
        assertThat(image("resize", path, "+1M").status()).isZero();
        assertThat(qemu("check", path).status()).isZero();
        Path theirs = folder.resolve("theirs.qcow2");
        qemu("convert", "-c", "-O", "qcow2", path, theirs);
        assertThat(image("check", theirs).status()).isZero();
        assertThat(image("compare", path, theirs).status()).isZero();
    }
}
