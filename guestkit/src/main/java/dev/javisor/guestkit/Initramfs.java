package dev.javisor.guestkit;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Makes the default guest's initramfs: busybox with a link for each of its applets, an init script,
 * and the kernel modules of our devices. The archive is not compressed: to copy bytes costs an
 * emulated CPU much less than to inflate them.
 */
final class Initramfs {
    /** Loaded by the init script, with all they depend on. ext4 is built into Debian's kernel. */
    static final List<String> MODULES =
            List.of("virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "virtio_balloon");

    /** Loaded for an interactive guest, where a person may press the power button. */
    static final List<String> BUTTON_MODULES = List.of("button", "evdev");

    /** Loaded where there is a network interface. */
    static final List<String> NETWORK_MODULES = List.of("virtio_net");

    /** The kernel numbers character devices so (Documentation/admin-guide/devices.txt). */
    private static final int MEM_MAJOR = 1;

    private static final int TTY_AUX_MAJOR = 5;

    private static final String FSTAB =
            """
            pts /dev/pts devpts mode=0620,ptmxmode=0666 0 0
            shm /dev/shm tmpfs mode=1777 0 0
            proc /proc proc nosuid,nodev,noexec 0 0
            sys /sys sysfs nosuid,nodev,noexec 0 0
            run /run tmpfs mode=0755 0 0
            tmp /tmp tmpfs mode=1777 0 0
            """;

    private static final String INITTAB =
            """
            ::once:/lib/javisor/session
            ::ctrlaltdel:/bin/reboot
            ::shutdown:/lib/javisor/unmount
            """;

    private static final String PROFILE =
            """
            export PS1='\\w # '
            echo 'Busybox shell of the default guest. "exit" powers it off.'
            """;

    private Initramfs() {}

    /**
     * @param release the kernel's release, the name of its module directory
     * @param modules the modules to put in, in the order to load them
     * @param content the modules' bytes by their path
     */
    static byte[] build(
            byte[] busybox,
            String release,
            ModuleSet modules,
            List<ModuleSet.Entry> ordered,
            Map<String, byte[]> content) {
        CpioWriter cpio = new CpioWriter(1);
        for (String directory : List.of("dev", "etc", "proc", "run", "sys", "tmp", "root", "mnt")) {
            cpio.directory(directory, directory.equals("root") ? 0700 : 0755);
        }
        cpio.characterDevice("dev/console", 0600, TTY_AUX_MAJOR, 1);
        cpio.characterDevice("dev/null", 0666, MEM_MAJOR, 3);
        cpio.file("init", 0755, script("init"));
        cpio.file("lib/javisor/session", 0755, script("session"));
        cpio.file("lib/javisor/unmount", 0755, script("unmount"));
        cpio.file("lib/javisor/network", 0755, script("network"));
        cpio.file("lib/javisor/dhcp", 0755, script("dhcp"));
        cpio.file("bin/busybox", 0755, busybox);
        for (String applet : BusyboxApplets.names(busybox)) {
            if (!applet.equals("busybox")) {
                cpio.symlink("bin/" + applet, "busybox");
            }
        }
        cpio.symlink("sbin", "bin");
        cpio.directory("usr", 0755);
        cpio.symlink("usr/bin", "../bin");
        cpio.symlink("usr/sbin", "../bin");
        // Where acpid looks for what to do when the power button is pressed.
        cpio.file("etc/acpi/PWRF/00000080/poweroff", 0755, "#!/bin/sh\npoweroff\n");
        cpio.file("etc/inittab", 0644, INITTAB);
        cpio.file("etc/fstab", 0644, FSTAB);
        cpio.file("etc/group", 0644, "root:x:0:\n");
        cpio.file("etc/hosts", 0644, "127.0.0.1 localhost javisor\n::1 localhost\n");
        cpio.file("etc/passwd", 0644, "root::0:0:root:/root:/bin/sh\n");
        cpio.file("etc/profile", 0644, PROFILE);
        cpio.file("etc/javisor-modules", 0644, String.join(" ", MODULES) + "\n");
        String base = "lib/modules/" + release + "/";
        for (ModuleSet.Entry entry : ordered) {
            byte[] bytes = content.get(entry.path());
            if (bytes == null) {
                throw new IllegalStateException("no content for " + entry);
            }
            cpio.file(base + entry.path(), 0644, bytes);
        }
        cpio.file(base + "modules.dep", 0644, modules.modulesDep(ordered));
        return cpio.toByteArray();
    }

    /** Everything that shapes the archive beside the packages, to notice when it changes. */
    static byte[] recipe() {
        List<String> parts = new ArrayList<>(MODULES);
        parts.addAll(BUTTON_MODULES);
        parts.addAll(NETWORK_MODULES);
        parts.add("3"); // Counts changes of the code above.
        parts.add(FSTAB);
        parts.add(PROFILE);
        parts.add(INITTAB);
        for (String name : List.of("init", "session", "unmount", "network", "dhcp")) {
            parts.add(new String(script(name), StandardCharsets.UTF_8));
        }
        return String.join("\0", parts).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] script(String name) {
        try (InputStream in = Initramfs.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is not in the module");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
