package dev.javisor.cli;

import static dev.javisor.cli.ImageVerbs.image;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageVerbsTest {
    private static final int SIZE = 3 << 20;

    @TempDir private Path folder;

    private Path file(String name) {
        return folder.resolve(name);
    }

    private Path raw(String name) throws IOException {
        byte[] bytes = new byte[SIZE];
        byte[] part = new byte[SIZE / 3];
        new Random(3).nextBytes(part);
        System.arraycopy(part, 0, bytes, 70_000, part.length);
        return Files.write(file(name), bytes);
    }

    private static void ok(ImageVerbs.Run run) {
        assertThat(run.status()).as("%s", run).isZero();
    }

    @Test
    void convert_thereAndBack_isTheSame() throws IOException {
        Path raw = raw("a.img");
        ok(image("convert", raw, file("a.qcow2")));
        ok(image("check", file("a.qcow2")));
        ok(image("compare", raw, file("a.qcow2")));
        ok(image("convert", "-c", file("a.qcow2"), file("small.qcow2")));
        ok(image("convert", file("small.qcow2"), file("back.img")));
        assertThat(Files.mismatch(raw, file("back.img"))).isEqualTo(-1);
        assertThat(Files.size(file("small.qcow2"))).isLessThan(Files.size(file("a.qcow2")) + 65536);
    }

    @Test
    void compare_different_isStatus1_missingIs2() throws IOException {
        Path one = raw("one.img");
        byte[] bytes = Files.readAllBytes(one);
        bytes[SIZE - 5] = 1;
        Path two = Files.write(file("two.img"), bytes);
        ImageVerbs.Run run = image("compare", one, two);
        assertThat(run.status()).isEqualTo(1);
        assertThat(run.out()).contains("Content mismatch at offset " + (SIZE - 512));
        assertThat(image("compare", one, file("none.img")).status()).isEqualTo(2);
    }

    @Test
    void check_raw_isStatus63() throws IOException {
        assertThat(image("check", raw("a.img")).status()).isEqualTo(63);
    }

    @Test
    void check_damaged_isStatus2_andRepaired() throws IOException {
        Path path = file("a.qcow2");
        ok(image("convert", raw("a.img"), path));
        byte[] bytes = Files.readAllBytes(path);
        // The refcounts lie in the third cluster.
        Arrays.fill(bytes, 2 * 65536 + 10, 2 * 65536 + 20, (byte) 0);
        Files.write(path, bytes);
        assertThat(image("check", path).status()).isEqualTo(2);
        ok(image("check", "-r", "all", path));
        ok(image("check", path));
        ok(image("compare", file("a.img"), path));
    }

    @Test
    void overlay_isFollowedOnlyIfAllowed() throws IOException {
        Path base = raw("base.img");
        Path top = file("top.qcow2");
        ok(image("create", "-b", "base.img", "-F", "raw", top));
        ImageVerbs.Run refused = image("convert", top, file("flat.img"));
        assertThat(refused.status()).isEqualTo(1);
        assertThat(refused.err()).contains("base.img").contains("--follow-backing");
        ok(image("convert", "--follow-backing", top, file("flat.img")));
        assertThat(Files.mismatch(base, file("flat.img"))).isEqualTo(-1);
        // What needs no backing file works without.
        ok(image("info", top));
        ok(image("check", top));
        ok(image("snapshot", "-c", "one", top));
    }

    @Test
    void rebaseAndCommit_keepWhatTheDiskReads() throws IOException {
        raw("base.img");
        Path top = file("top.qcow2");
        ok(image("create", "-b", "base.img", "-F", "raw", top));
        ok(image("bench", "-w", "-c", 3, "-S", "1M", "--pattern", 7, "--follow-backing", top));
        ok(image("convert", "--follow-backing", top, file("expected.img")));
        ok(image("create", file("other.img"), "1M"));
        ok(image("rebase", "--follow-backing", "-b", "other.img", "-F", "raw", top));
        ok(image("check", top));
        ok(image("compare", "--follow-backing", top, file("expected.img")));
        ok(image("commit", "--follow-backing", top));
        ok(image("compare", file("other.img"), file("expected.img")));
        ok(image("compare", "--follow-backing", top, file("expected.img")));
        ok(image("rebase", "--follow-backing", "-b", "", top));
        ok(image("compare", top, file("expected.img")));
    }

    @Test
    void resize_smaller_needsToBeMeant() throws IOException {
        Path path = file("a.qcow2");
        ok(image("create", path, "10M"));
        ok(image("resize", path, "+5M"));
        assertThat(image("info", path).out()).contains("(15728640 bytes)");
        assertThat(image("resize", path, "1M").status()).isEqualTo(1);
        ok(image("resize", "--shrink", path, "1M"));
        ok(image("check", path));
    }

    @Test
    void snapshotsAndBitmaps_areListed() {
        Path path = file("a.qcow2");
        ok(image("create", path, "10M"));
        ok(image("snapshot", "-c", "first", path));
        ok(image("bitmap", "--add", path, "backup"));
        assertThat(image("snapshot", path).out()).contains("first");
        assertThat(image("info", "--output", "json", path).out())
                .contains("\"first\"")
                .contains("\"backup\"");
        ok(image("convert", "-l", "first", path, file("first.img")));
        ok(image("snapshot", "-a", "first", path));
        ok(image("snapshot", "-d", "first", path));
        ok(image("bitmap", "--remove", path, "backup"));
        ok(image("check", path));
    }

    @ParameterizedTest
    @ValueSource(strings = {"metadata", "full"})
    void preallocation_readsAsZeroes(String preallocation) {
        Path path = file("a.qcow2");
        ok(image("create", "-o", "preallocation=" + preallocation, path, "3M"));
        ok(image("check", path));
        ok(image("create", file("zero.img"), "3M"));
        ok(image("compare", path, file("zero.img")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "create",
                "info",
                "check",
                "convert",
                "resize",
                "map",
                "compare",
                "snapshot",
                "commit",
                "rebase",
                "bitmap",
                "bench"
            })
    void help_hasExamples(String verb) {
        ImageVerbs.Run run = image(verb, "--help");
        ok(run);
        assertThat(run.out()).contains("Examples:").contains("javisor image " + verb);
    }
}
