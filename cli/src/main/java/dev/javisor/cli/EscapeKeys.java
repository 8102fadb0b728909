package dev.javisor.cli;

import java.io.ByteArrayOutputStream;

/**
 * Looks for the escape key {@code Ctrl-]} in what a person types. All else goes to the guest; the
 * key after {@code Ctrl-]} says what is wanted. Used by the thread that reads the terminal.
 */
final class EscapeKeys {
    /** Ctrl-], as telnet(1) and virsh console use it. */
    static final int ESCAPE = 0x1D;

    private static final int CTRL_C = 3;
    private static final int DELETE = 0x7F;
    private static final int MAX_COMMAND = 1024;

    static final String MENU =
            "\r\n[javisor] q quit | p power button | r reset | s state | c continue | m move to the"
                    + " other CPU | : command | ] send Ctrl-] | other keys: back to the guest\r\n";

    /** What a person asked for. */
    interface Listener {
        void toGuest(byte[] bytes) throws InterruptedException;

        void showMenu();

        void quit();

        void powerButton();

        void reset();

        void state();

        /** After a disk error. */
        void resume();

        /** To the other accelerator. */
        void move();

        /** Show this of the command line. */
        void echo(String text);

        /** A whole command line. */
        void command(String line);

        void back();
    }

    private final Listener listener;
    private boolean menu;
    private boolean inCommand;
    private final StringBuilder command = new StringBuilder();

    EscapeKeys(Listener listener) {
        this.listener = listener;
    }

    void typed(byte[] bytes, int length) throws InterruptedException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream(length);
        for (int i = 0; i < length; i++) {
            if (inCommand) {
                edit(bytes[i]);
            } else if (menu) {
                menu = false;
                choose(bytes[i], plain);
            } else if (bytes[i] == ESCAPE) {
                flush(plain);
                menu = true;
                listener.showMenu();
            } else {
                plain.write(bytes[i]);
            }
        }
        flush(plain);
    }

    private void choose(byte key, ByteArrayOutputStream plain) {
        switch (key) {
            case 'q', 'Q' -> listener.quit();
            case 'p', 'P' -> listener.powerButton();
            case 'r', 'R' -> listener.reset();
            case 's', 'S' -> listener.state();
            case 'c', 'C' -> listener.resume();
            case 'm', 'M' -> listener.move();
            case ':' -> {
                inCommand = true;
                command.setLength(0);
                listener.echo(":");
            }
            case ']', ESCAPE -> plain.write(ESCAPE);
            default -> listener.back();
        }
    }

    private void edit(byte key) {
        switch (key) {
            case '\r', '\n' -> {
                inCommand = false;
                listener.echo("\r\n");
                listener.command(command.toString());
            }
            case ESCAPE, CTRL_C -> {
                inCommand = false;
                listener.echo("\r\n");
                listener.back();
            }
            case DELETE, '\b' -> {
                if (!command.isEmpty()) {
                    command.setLength(command.length() - 1);
                    listener.echo("\b \b");
                }
            }
            default -> {
                if (key >= ' ' && command.length() < MAX_COMMAND) {
                    command.append((char) key);
                    listener.echo(String.valueOf((char) key));
                }
            }
        }
    }

    private void flush(ByteArrayOutputStream plain) throws InterruptedException {
        if (plain.size() > 0) {
            listener.toGuest(plain.toByteArray());
            plain.reset();
        }
    }
}
