package dev.javisor.devices;

import java.util.ArrayDeque;

/**
 * A PS/2 keyboard: answers the commands of an IBM PS/2 keyboard and sends scan codes. Not
 * thread-safe: the controller guards it.
 */
final class Ps2Keyboard {
    static final int QUEUE_BYTES = 64;

    private static final int ACKNOWLEDGE = 0xFA;
    private static final int RESEND = 0xFE;
    private static final int SELF_TEST_PASSED = 0xAA;

    private final ArrayDeque<Integer> queue = new ArrayDeque<>();
    private boolean scanning = true;
    private int scanCodeSet = 2;
    private int pendingCommand;
    private int lastSent;

    boolean hasOutput() {
        return !queue.isEmpty();
    }

    /** The next byte; there must be one. */
    int take() {
        lastSent = queue.remove();
        return lastSent;
    }

    private void answer(int... bytes) {
        for (int value : bytes) {
            if (queue.size() < QUEUE_BYTES) {
                queue.add(value);
            }
        }
    }

    /** Sends scan codes of set 2, all or none of them. */
    boolean send(int... scanCodes) {
        // Room is kept for answers to commands.
        if (!scanning || queue.size() + scanCodes.length > QUEUE_BYTES - 8) {
            return false;
        }
        answer(scanCodes);
        return true;
    }

    /** A byte from the host. */
    void receive(int value) {
        int command = pendingCommand;
        pendingCommand = 0;
        switch (command) {
            case 0xED, 0xF3 -> {
                if (value < 0x80) {
                    // LEDs and typematic rate have nothing to act on.
                    answer(ACKNOWLEDGE);
                } else {
                    receiveCommand(value);
                }
            }
            case 0xF0 -> {
                switch (value) {
                    case 0 -> answer(ACKNOWLEDGE, scanCodeSet);
                    case 1, 2, 3 -> {
                        scanCodeSet = value;
                        answer(ACKNOWLEDGE);
                    }
                    default -> answer(RESEND);
                }
            }
            default -> receiveCommand(value);
        }
    }

    private void receiveCommand(int value) {
        switch (value) {
            case 0xED, 0xF0, 0xF3 -> {
                pendingCommand = value;
                answer(ACKNOWLEDGE);
            }
            case 0xEE -> answer(0xEE);
            case 0xF2 -> answer(ACKNOWLEDGE, 0xAB, 0x83);
            case 0xF4 -> {
                scanning = true;
                answer(ACKNOWLEDGE);
            }
            case 0xF5 -> {
                defaults();
                scanning = false;
                answer(ACKNOWLEDGE);
            }
            case 0xF6 -> {
                defaults();
                answer(ACKNOWLEDGE);
            }
            case 0xF7, 0xF8, 0xF9, 0xFA -> answer(ACKNOWLEDGE);
            case 0xFE -> answer(lastSent);
            case 0xFF -> {
                defaults();
                answer(ACKNOWLEDGE, SELF_TEST_PASSED);
            }
            default -> answer(RESEND);
        }
    }

    private void defaults() {
        queue.clear();
        scanning = true;
        scanCodeSet = 2;
    }

    I8042State.Keyboard state(boolean releasePrefix) {
        return new I8042State.Keyboard(
                java.util.List.copyOf(queue),
                scanning,
                scanCodeSet,
                pendingCommand,
                lastSent,
                releasePrefix);
    }

    void restore(I8042State.Keyboard state) {
        queue.clear();
        queue.addAll(state.queue());
        scanning = state.scanning();
        scanCodeSet = state.scanCodeSet();
        pendingCommand = state.pendingCommand();
        lastSent = state.lastSent();
    }
}
