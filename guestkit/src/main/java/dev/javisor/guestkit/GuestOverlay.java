package dev.javisor.guestkit;

import java.util.List;
import java.util.Optional;

/**
 * What one run adds to the default guest: an archive to be placed right after the initramfs. A
 * script carries the command, so that neither the length nor the characters of its arguments meet
 * the limits of the kernel's command line.
 */
public final class GuestOverlay {
    /** Names of the virtio-console ports of a command, in the order of their port numbers. */
    public static final List<String> PORTS =
            List.of(
                    "dev.javisor.stdin",
                    "dev.javisor.stdout",
                    "dev.javisor.stderr",
                    "dev.javisor.control");

    /** Apart from the inode numbers of the initramfs itself. */
    private static final int FIRST_INODE = 1 << 20;

    private final StringBuilder config = new StringBuilder();
    private Optional<String> script = Optional.empty();

    public GuestOverlay() {}

    /** Runs this instead of a shell, then powers off. */
    public GuestOverlay command(List<String> argv) {
        if (argv.isEmpty()) {
            throw new IllegalArgumentException("no command");
        }
        StringBuilder line = new StringBuilder("#!/bin/sh\nexec");
        for (String argument : argv) {
            if (argument.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("zero byte in an argument");
            }
            line.append(" '").append(argument.replace("'", "'\\''")).append('\'');
        }
        script = Optional.of(line.append('\n').toString());
        return this;
    }

    /**
     * Says that the machine has the four {@linkplain #PORTS ports}. On the control port the guest
     * writes the line {@code started}, and when the command has ended {@code exit STATUS}.
     */
    public GuestOverlay ports() {
        config.append("JAVISOR_PORTS=yes\n");
        return this;
    }

    /** Puts the interactive shell on a console device such as {@code hvc0}, if it is there. */
    public GuestOverlay console(String device) {
        if (!device.matches("[a-zA-Z0-9]+")) {
            throw new IllegalArgumentException("no console device: " + device);
        }
        config.append("JAVISOR_CONSOLE=").append(device).append('\n');
        return this;
    }

    /** The kind of the person's terminal, as the variable TERM names it; an odd one is dropped. */
    public GuestOverlay terminalType(String term) {
        if (term.matches("[a-zA-Z0-9][a-zA-Z0-9+._-]{0,63}")) {
            config.append("JAVISOR_TERM=").append(term).append('\n');
        }
        return this;
    }

    /** The size of the person's terminal, in characters. */
    public GuestOverlay terminalSize(int columns, int rows) {
        config.append("JAVISOR_COLUMNS=%d\nJAVISOR_ROWS=%d\n".formatted(columns, rows));
        return this;
    }

    /** The archive, newc, not compressed. */
    public byte[] toByteArray() {
        CpioWriter cpio = new CpioWriter(FIRST_INODE);
        cpio.directory("javisor", 0755);
        cpio.file("javisor/config", 0644, config.toString());
        script.ifPresent(text -> cpio.file("javisor/command", 0755, text));
        return cpio.toByteArray();
    }
}
