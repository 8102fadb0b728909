package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file system that the guest writes and the host reads. */
class DiskIT {
    /** What the guest writes. */
    private static final int MEBIBYTES = Integer.getInteger("javisor.test.diskMiB", 100);

    @TempDir Path directory;

    @Test
    void ext4_writtenSyncedPoweredOff_isCleanAndComplete() throws Exception {
        HostTools.need("mke2fs", "e2fsck", "debugfs");
        Path disk = directory.resolve("disk.img");
        HostTools.must("mke2fs", "-q", "-t", "ext4", disk.toString(), MEBIBYTES + 60 + "M");
        // Not unmounted: what sync promises must be in the file.
        String script =
                Sections.SHELL
                        + """
                        mount -t ext4 /dev/vda /mnt
                        read -r begin rest < /proc/uptime
                        # Random bytes cost an emulated CPU more than to write them: pieces with numbers.
                        dd if=/dev/urandom of=/tmp/piece bs=64K count=16 2> /dev/null
                        i=0
                        while [ $i -lt %d ]; do
                            printf '%%8d' $i
                            cat /tmp/piece
                            i=$((i + 1))
                        done > /mnt/data
                        sync
                        read -r written rest < /proc/uptime
                        echo 3 > /proc/sys/vm/drop_caches
                        section checksum md5sum /mnt/data
                        read -r end rest < /proc/uptime
                        small() {
                            mkdir /mnt/small
                            i=0
                            while [ $i -lt 300 ]; do
                                echo "content $i" > /mnt/small/$i
                                i=$((i + 1))
                            done
                            rm /mnt/small/*5
                            ln -s target /mnt/small/link
                            mv /mnt/small/100 /mnt/small/moved
                            find /mnt/small | wc -l
                        }
                        section small small
                        section times echo "$begin $written $end"
                        section dmesg dmesg
                        sync
                        poweroff -f
                        sleep 60
                        """
                                .formatted(MEBIBYTES);
        Javisor.Run run =
                Javisor.of(
                                "run",
                                "--timeout",
                                "290s",
                                "--disk",
                                disk.toString(),
                                "--",
                                "sh",
                                "-c",
                                script)
                        .run();
        System.out.printf("disk, all of it: %.1f s%n", run.time().toMillis() / 1000.0);
        assertThat(run.err()).isEmpty();
        assertThat(run.status()).isZero();
        Sections sections = Sections.parse(run.out());
        String[] times = sections.text("times").strip().split(" ");
        System.out.printf(
                "disk: %d MiB made and written in %.1f s, read and summed in %.1f s%n",
                MEBIBYTES,
                Double.parseDouble(times[1]) - Double.parseDouble(times[0]),
                Double.parseDouble(times[2]) - Double.parseDouble(times[1]));
        assertThat(KernelLog.complaints(sections.text("dmesg"))).isEmpty();

        // Replays the journal, as the next mount would, and must find nothing else to do.
        HostTools.Output replay = HostTools.run("e2fsck", "-fp", disk.toString());
        assertThat(replay.text()).doesNotContain("FIXED", "UNEXPECTED");
        HostTools.Output check = HostTools.run("e2fsck", "-fn", disk.toString());
        assertThat(check.status()).as(check.text()).isZero();

        Path dumped = directory.resolve("data");
        debugfs(disk, "dump /data " + dumped);
        assertThat(Files.size(dumped)).isEqualTo(MEBIBYTES * ((1L << 20) + 8));
        assertThat(sections.text("checksum")).startsWith(md5(dumped));
        assertThat(debugfs(disk, "cat /small/moved")).contains("content 100\n");
        // The directory itself, 270 files, a link.
        assertThat(sections.text("small").strip()).isEqualTo("272");
    }

    private static String debugfs(Path disk, String request) throws Exception {
        return HostTools.must("debugfs", "-R", request, disk.toString());
    }

    private static String md5(Path file) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
            in.transferTo(java.io.OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
