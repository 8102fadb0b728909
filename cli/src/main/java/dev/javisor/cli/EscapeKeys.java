package dev.javisor.cli;

import java.io.ByteArrayOutputStream;

/**
 * Looks for the escape key {@code Ctrl-]} in what a person types. All else goes to the guest; the
 * key after {@code Ctrl-]} says what is wanted. Used by the thread that reads the terminal.
 */
final class EscapeKeys {
    /** Ctrl-], as telnet(1) and virsh console use it. */
    static final int ESCAPE = 0x1D;

    static final String MENU =
            "\r\n[javisor] q quit | p power button | r reset | s state | m move to the other CPU |"
                    + " ] send Ctrl-] | other keys: back to the guest\r\n";

    /** What a person asked for. */
    interface Listener {
        void toGuest(byte[] bytes) throws InterruptedException;

        void showMenu();

        void quit();

        void powerButton();

        void reset();

        void state();

        /** To the other accelerator. */
        void move();

        void back();
    }

    private final Listener listener;
    private boolean menu;

    EscapeKeys(Listener listener) {
        this.listener = listener;
    }

    void typed(byte[] bytes, int length) throws InterruptedException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream(length);
        for (int i = 0; i < length; i++) {
            if (menu) {
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
            case 'm', 'M' -> listener.move();
            case ']', ESCAPE -> plain.write(ESCAPE);
            default -> listener.back();
        }
    }

    private void flush(ByteArrayOutputStream plain) throws InterruptedException {
        if (plain.size() > 0) {
            listener.toGuest(plain.toByteArray());
            plain.reset();
        }
    }
}
