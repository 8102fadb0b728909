package dev.javisor.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Debian 12 with systemd and the programs to be measured on a raw ext4 disk, made once by {@code
 * mmdebstrap} and {@code mke2fs}, as root.
 *
 * @param disk never written: each run gets a copy
 */
record DebianDisk(Path disk, Path kernel, Path initrd) {
    private static final String PACKAGES =
            "systemd,systemd-sysv,udev,dbus,login,passwd,procps,iproute2,linux-image-cloud-amd64,"
                    + "initramfs-tools,zstd,python3-minimal,xz-utils,gzip,openssl,sysbench,gcc,"
                    + "libc6-dev,zlib1g-dev";
    private static final String DISK_SIZE = "2G";

    /** Says on the console how many units failed, once all others are up. */
    static final String REPORT = "javisor-report:";

    private static final String REPORT_UNIT =
            """
            [Unit]
            After=multi-user.target getty.target
            [Service]
            Type=idle
            StandardOutput=tty
            TTYPath=/dev/ttyS0
            ExecStart=/bin/sh -c 'echo "%s $(systemctl --failed --no-legend | wc -l) failed units"'
            [Install]
            WantedBy=graphical.target
            """
                    .formatted(REPORT);

    /** Makes it, unless it is there. */
    static DebianDisk prepare(Setting setting) throws IOException, InterruptedException {
        Path folder = setting.output().resolve("debian");
        DebianDisk made =
                new DebianDisk(
                        folder.resolve("disk.img"),
                        folder.resolve("vmlinuz"),
                        folder.resolve("initrd.img"));
        if (Files.exists(made.disk)) {
            return made;
        }
        System.err.println("making a Debian disk in " + folder + " (some minutes, once)");
        Path files = folder.resolve("files");
        Path unit = files.resolve("etc/systemd/system/javisor-report.service");
        Files.createDirectories(files.resolve("root"));
        Files.createDirectories(unit.getParent());
        resource("userland.sh", files.resolve("root/userland.sh"));
        resource("work.py", files.resolve("root/work.py"));
        Files.writeString(unit, REPORT_UNIT);
        // A folder of this run's own: another may be at work, with the host's /sys mounted inside.
        Path root = Files.createTempDirectory(folder, "root");
        command(
                "mmdebstrap",
                "--mode=root",
                "--variant=minbase",
                "--include=" + PACKAGES,
                "--customize-hook=copy-in "
                        + files.resolve("root")
                        + " "
                        + files.resolve("etc")
                        + " /",
                "--customize-hook=chmod +x \"$1/root/userland.sh\"",
                "--customize-hook=cp -r \"$1/usr/share/doc/zlib1g-dev/examples\" \"$1/root/examples\"",
                "--customize-hook=chroot \"$1\" systemctl enable javisor-report.service",
                "--customize-hook=echo debian > \"$1/etc/hostname\"",
                "--customize-hook=echo '/dev/vda / ext4 errors=remount-ro 0 1' > \"$1/etc/fstab\"",
                "bookworm",
                root.toString());
        Files.copy(root.resolve("vmlinuz"), made.kernel, StandardCopyOption.REPLACE_EXISTING);
        Files.copy(root.resolve("initrd.img"), made.initrd, StandardCopyOption.REPLACE_EXISTING);
        Path part = Files.createTempFile(folder, "disk", ".part");
        command("mke2fs", "-q", "-t", "ext4", "-d", root.toString(), part.toString(), DISK_SIZE);
        command("rm", "-rf", "--one-file-system", root.toString());
        Files.move(part, made.disk, StandardCopyOption.REPLACE_EXISTING);
        return made;
    }

    private static void resource(String name, Path to) throws IOException {
        try (InputStream in = DebianDisk.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IOException("no resource " + name);
            }
            Files.copy(in, to, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void command(String... words) throws IOException, InterruptedException {
        try {
            int status = new ProcessBuilder(words).inheritIO().start().waitFor();
            if (status != 0) {
                throw new IOException(words[0] + " ended with status " + status);
            }
        } catch (IOException e) {
            throw new IOException(
                    e.getMessage()
                            + "; needed, as root: apt-get install mmdebstrap e2fsprogs"
                            + " qemu-system-x86",
                    e);
        }
    }

    /** A copy that the guest may write; holes stay holes. */
    private Path copy() throws IOException, InterruptedException {
        Path copy = disk.resolveSibling("run.img");
        command("cp", "--sparse=always", disk.toString(), copy.toString());
        return copy;
    }

    List<String> ours(Setting setting, int cpus, String append)
            throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of(setting.launcher(), "run", "--accel", "soft"));
        command.addAll(List.of("--memory", "1G", "--cpus", String.valueOf(cpus)));
        command.addAll(List.of("--kernel", kernel.toString(), "--initrd", initrd.toString()));
        command.addAll(List.of("--disk", copy().toString(), "--append", append));
        return command;
    }

    List<String> peer(int cpus, String append) throws IOException, InterruptedException {
        String drive = "file=" + copy() + ",if=virtio,format=raw";
        List<String> more = new ArrayList<>(List.of("-cpu", "max", "-smp", String.valueOf(cpus)));
        more.addAll(List.of("-kernel", kernel.toString(), "-initrd", initrd.toString()));
        more.addAll(List.of("-drive", drive, "-append", append));
        return Qemu.command("1G", more);
    }
}
