package dev.javisor.virtio.console;

/**
 * A port that a console device shall have.
 *
 * @param name of its node under {@code /dev/virtio-ports}, at most 64 printable ASCII characters;
 *     empty for none
 * @param console whether it is a terminal
 */
public record ConsolePortSpec(String name, boolean console) {
    private static final int MAX_CHARACTERS = 64;

    public ConsolePortSpec {
        if (!name.matches("[!-~]{0," + MAX_CHARACTERS + "}")) {
            throw new IllegalArgumentException("bad port name: " + name);
        }
    }

    /** A terminal without a name. */
    public static ConsolePortSpec terminal() {
        return new ConsolePortSpec("", true);
    }

    /** A stream with a name. */
    public static ConsolePortSpec stream(String name) {
        return new ConsolePortSpec(name, false);
    }
}
