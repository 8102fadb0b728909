package dev.javisor.guestkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestImagesTest {
    @TempDir Path temporary;

    private GuestImage stored(CacheDirectory cache) throws IOException {
        return GuestManifest.store(cache, "r1", "6.1", bytes("kernel"), bytes("initramfs"));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void load_whatWasStored_isTheSame() throws IOException {
        CacheDirectory cache = new CacheDirectory(temporary);
        GuestImage stored = stored(cache);
        assertThat(GuestManifest.load(cache, "r1")).contains(stored);
        assertThat(stored.version()).isEqualTo("6.1");
        assertThat(stored.kernel()).hasContent("kernel");
    }

    @Test
    void load_otherRecipe_isEmpty() throws IOException {
        CacheDirectory cache = new CacheDirectory(temporary);
        stored(cache);
        assertThat(GuestManifest.load(cache, "r2")).isEmpty();
    }

    @Test
    void load_damagedFile_isEmpty() throws IOException {
        CacheDirectory cache = new CacheDirectory(temporary);
        GuestImage image = stored(cache);
        Files.writeString(image.kernel(), "kern3l");
        assertThat(GuestManifest.load(cache, "r1")).isEmpty();
    }

    @Test
    void load_truncatedFile_isEmpty() throws IOException {
        CacheDirectory cache = new CacheDirectory(temporary);
        GuestImage image = stored(cache);
        Files.writeString(image.initramfs(), "init");
        assertThat(GuestManifest.load(cache, "r1")).isEmpty();
    }

    @Test
    void load_damagedManifest_isEmpty() throws IOException {
        CacheDirectory cache = new CacheDirectory(temporary);
        stored(cache);
        Path manifest = temporary.resolve("guest/manifest");
        String text = Files.readString(manifest);
        for (int length = 0; length < text.length() - 1; length++) {
            Files.writeString(manifest, text.substring(0, length));
            assertThat(GuestManifest.load(cache, "r1")).isEqualTo(Optional.empty());
        }
    }

    @Test
    void prepare_cacheIsAFile_saysSo() throws IOException {
        Path file = Files.writeString(temporary.resolve("file"), "");
        assertThatThrownBy(() -> GuestImages.in(file).prepare(Progress.NONE))
                .isInstanceOf(GuestKitException.class)
                .hasMessageStartingWith("cannot write the cache directory " + file)
                .hasMessageContaining("XDG_CACHE_HOME")
                .hasMessageNotContaining("\n");
    }

    @Test
    void standard_xdgAbsolute_isUsedAndRelativeIgnored() {
        assertThat(CacheDirectory.standard(Map.of("XDG_CACHE_HOME", "/x"), "/home/u"))
                .isEqualTo(Path.of("/x/javisor"));
        assertThat(CacheDirectory.standard(Map.of("XDG_CACHE_HOME", "x"), "/home/u"))
                .isEqualTo(Path.of("/home/u/.cache/javisor"));
        assertThat(CacheDirectory.standard(Map.of("HOME", "/h"), "/home/u"))
                .isEqualTo(Path.of("/h/.cache/javisor"));
        assertThat(CacheDirectory.standard(Map.of(), "/home/u"))
                .isEqualTo(Path.of("/home/u/.cache/javisor"));
    }

    @Test
    void locked_heldByAnother_waitsAndTellsOnce() throws Exception {
        CacheDirectory cache = new CacheDirectory(temporary);
        var told = new java.util.concurrent.CountDownLatch(1);
        Thread other =
                cache.locked(
                        () -> {},
                        () -> {
                            Thread waiting =
                                    Thread.ofVirtual()
                                            .start(() -> cache.locked(told::countDown, () -> 0));
                            try {
                                told.await();
                            } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                            }
                            assertThat(waiting.isAlive()).isTrue();
                            return waiting;
                        });
        other.join();
        assertThat(told.getCount()).isZero();
    }

    @Test
    void packageIndex_damagedPackage_isNotUsed() throws IOException {
        Path directory = temporary.resolve("packages");
        Path downloads = Files.createDirectories(temporary.resolve("download"));
        Files.writeString(downloads.resolve("a.deb"), "abc");
        String sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        PackageIndex.store(
                directory, downloads, java.util.List.of(new AptClient.Download("a.deb", 3, sha)));
        assertThat(PackageIndex.load(directory))
                .contains(java.util.List.of(directory.resolve("a.deb")));

        Files.writeString(directory.resolve("a.deb"), "abd");
        assertThat(PackageIndex.load(directory)).isEmpty();
        Files.delete(directory.resolve("a.deb"));
        assertThat(PackageIndex.load(directory)).isEmpty();
    }
}
