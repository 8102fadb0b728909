package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file system on qcow2 with a backing file, and the machine killed while the guest writes. */
class KilledDiskIT {
    private static final int KILLS = Integer.getInteger("javisor.test.kills", 2);
    private static final Pattern SYNCED = Pattern.compile("synced (\\S+) (\\d+)\n");

    /** Three writers: each file is durable before its name is printed. Some files go again. */
    private static final String SCRIPT =
            """
            mount -t ext4 /dev/vda /mnt || exit 1
            dmesg | grep -i 'ext4-fs error' && exit 2
            writer() {
                n=0
                while true; do
                    name=r%1$d-w$1-f$n
                    size=$((($n * 7919 + $1 * 104729) %% 200000 + 1))
                    yes $name | head -c $size | dd of=/mnt/$name bs=64K conv=fsync 2> /dev/null || exit 3
                    echo "synced $name $size"
                    yes nonsense | head -c 300000 > /mnt/scratch-$1-$(($n %% 5))
                    rm -f /mnt/scratch-$1-$((($n + 2) %% 5))
                    n=$((n + 1))
                done
            }
            writer 1 & writer 2 & writer 3 &
            wait
            """;

    @TempDir Path directory;

    @Test
    void killedWhileWriting_losesNothingSynced_andStaysConsistent() throws Exception {
        HostTools.need("qemu-img", "mke2fs", "e2fsck", "debugfs");
        long seed = Long.getLong("javisor.test.seed", System.nanoTime());
        System.out.printf("killed disk: seed %d, %d kills%n", seed, KILLS);
        Random random = new Random(seed);
        Path raw = directory.resolve("base.img");
        Path base = directory.resolve("base.qcow2");
        Path overlay = directory.resolve("overlay.qcow2");
        HostTools.must("mke2fs", "-q", "-t", "ext4", raw.toString(), "1G");
        HostTools.must("qemu-img", "convert", "-O", "qcow2", raw.toString(), base.toString());
        HostTools.must(
                "qemu-img",
                "create",
                "-q",
                "-f",
                "qcow2",
                "-b",
                base.toString(),
                "-F",
                "qcow2",
                overlay.toString());
        List<String> synced = new ArrayList<>();
        for (int kill = 0; kill < KILLS; kill++) {
            String output = runAndKill(overlay, kill, random);
            Matcher each = SYNCED.matcher(output);
            int before = synced.size();
            while (each.find()) {
                synced.add(each.group(1) + " " + each.group(2));
            }
            System.out.printf("kill %d: %d files synced%n", kill, synced.size() - before);
            assertThat(synced).as("seed %d", seed).hasSizeGreaterThan(before);
            check(overlay, synced, "seed %d, kill %d".formatted(seed, kill));
        }
    }

    private static String runAndKill(Path overlay, int round, Random random) throws Exception {
        Javisor javisor =
                Javisor.of(
                        "run",
                        "--cpus",
                        "2",
                        "--disk",
                        overlay + ",backing=follow",
                        "--",
                        "sh",
                        "-c",
                        SCRIPT.formatted(round));
        try (Javisor.Started started = javisor.start()) {
            started.awaitOnStandardOutput("synced ");
            boolean ended = started.process().waitFor(random.nextInt(4000), TimeUnit.MILLISECONDS);
            assertThat(ended).as("the guest goes on until it is killed").isFalse();
            started.process().descendants().forEach(ProcessHandle::destroyForcibly);
            started.process().destroyForcibly();
            return started.await().text();
        }
    }

    private void check(Path overlay, List<String> synced, String when) throws Exception {
        Javisor.Run ours = Javisor.of("image", "check", overlay.toString()).run();
        assertThat(ours.status()).as("%s: %s%s", when, ours.text(), ours.err()).isIn(0, 3);
        // Leaks are what a kill may leave (status 3); nothing else.
        HostTools.Output theirs =
                HostTools.run("qemu-img", "check", "-f", "qcow2", overlay.toString());
        assertThat(theirs.status()).as("%s: %s", when, theirs.text()).isIn(0, 3);
        Path flat = directory.resolve("flat.img");
        HostTools.must(
                "qemu-img",
                "convert",
                "-f",
                "qcow2",
                "-O",
                "raw",
                overlay.toString(),
                flat.toString());
        // Replays the journal, and must find nothing else to do.
        HostTools.Output replay = HostTools.run("e2fsck", "-fp", flat.toString());
        assertThat(replay.text()).as(when).doesNotContain("FIXED", "UNEXPECTED");
        HostTools.Output fsck = HostTools.run("e2fsck", "-fn", flat.toString());
        assertThat(fsck.status()).as("%s: %s", when, fsck.text()).isZero();
        Path dumped = Files.createDirectories(directory.resolve("dumped"));
        HostTools.must("debugfs", "-R", "rdump / " + dumped, flat.toString());
        for (String each : synced) {
            String[] file = each.split(" ");
            byte[] expected = new byte[Integer.parseInt(file[1])];
            byte[] line = (file[0] + "\n").getBytes(StandardCharsets.US_ASCII);
            for (int i = 0; i < expected.length; i++) {
                expected[i] = line[i % line.length];
            }
            assertThat(Files.readAllBytes(dumped.resolve(file[0])))
                    .as("%s: %s", when, each)
                    .isEqualTo(expected);
        }
        Files.delete(flat);
        HostTools.must("rm", "-rf", dumped.toString());
    }
}
