package dev.javisor.devices;

import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineEvents;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * The keyboard controller at ports 0x60 and 0x64 (IBM PS/2 Hardware Interface Technical Reference)
 * with a keyboard on its first port and nothing on the second. Its output port resets the machine.
 *
 * <p>DEVIATION: the A20 gate is a bit that reads back; addresses are never wrapped.
 *
 * <p>Thread-safe.
 */
public final class I8042 implements BytePorts {
    private static final int DATA = 0x60;
    private static final int COMMAND = 0x64;

    private static final int STATUS_OUTPUT_FULL = 0x01;
    private static final int STATUS_SYSTEM = 0x04;
    private static final int STATUS_COMMAND = 0x08;
    private static final int STATUS_NOT_INHIBITED = 0x10;

    private static final int CONFIG_INTERRUPT = 0x01;
    private static final int CONFIG_SYSTEM = 0x04;
    private static final int CONFIG_KEYBOARD_DISABLED = 0x10;
    private static final int CONFIG_AUXILIARY_DISABLED = 0x20;
    private static final int CONFIG_TRANSLATE = 0x40;

    private static final int OUTPUT_PORT_RESET = 0x01;
    private static final int OUTPUT_PORT_A20 = 0x02;

    /** Scan code set 2 to set 1, codes 0x00 to 0x7F. */
    private static final byte[] TRANSLATION =
            HexFormat.of()
                    .parseHex(
                            "ff43413f3d3b3c58644442403e0f2959"
                                    + "65382a701d10025a66712c1f1e11035b"
                                    + "672e2d201205045c68392f211413065d"
                                    + "693130232215075e6a7232241608095f"
                                    + "6b332517180b0a606c34352627190c61"
                                    + "6d7328741a0d626e3a361c1b752b6376"
                                    + "55567778797a0e7b7c4f7d4b477e7f6f"
                                    + "5253504c4d480145574e514a37494654");

    private final InterruptLine line;
    private final MachineEvents events;
    private final Ps2Keyboard keyboard = new Ps2Keyboard();
    private final int[] ram = new int[32];
    private int status = STATUS_NOT_INHIBITED;
    private int output;
    private int pendingCommand;
    private boolean a20 = true;
    private boolean releasePrefix;

    /**
     * @param line IRQ 1
     */
    public I8042(InterruptLine line, MachineEvents events) {
        this.line = line;
        this.events = events;
        ram[0] = CONFIG_AUXILIARY_DISABLED;
    }

    /**
     * Types on the keyboard.
     *
     * @param scanCodes make and break codes of set 2
     * @return false, and nothing was sent, if the keyboard has no room or the guest turned it off
     */
    public synchronized boolean sendScanCodes(int... scanCodes) {
        boolean sent = keyboard.send(scanCodes);
        update();
        return sent;
    }

    @Override
    public synchronized int readByte(int port) {
        if (port == COMMAND) {
            return status;
        }
        if (port != DATA) {
            return 0xFF;
        }
        int value = output;
        status &= ~STATUS_OUTPUT_FULL;
        // The line falls with the buffer, so that the next byte makes a new edge.
        updateLine();
        update();
        return value;
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        if (port == COMMAND) {
            status |= STATUS_COMMAND;
            pendingCommand = 0;
            command(value);
        } else if (port == DATA) {
            status &= ~STATUS_COMMAND;
            int command = pendingCommand;
            pendingCommand = 0;
            data(command, value);
        }
        update();
    }

    private void command(int value) {
        if (value >= 0x20 && value < 0x40) {
            respond(ram[value & 0x1F]);
            return;
        }
        if (value >= 0x60 && value < 0x80) {
            pendingCommand = value;
            return;
        }
        switch (value) {
            case 0xAA -> {
                status |= STATUS_SYSTEM;
                ram[0] = CONFIG_SYSTEM | CONFIG_KEYBOARD_DISABLED | CONFIG_AUXILIARY_DISABLED;
                respond(0x55);
            }
            case 0xAB -> respond(0x00);
            case 0xAD -> ram[0] |= CONFIG_KEYBOARD_DISABLED;
            case 0xAE -> ram[0] &= ~CONFIG_KEYBOARD_DISABLED;
            case 0xC0 -> respond(0x80);
            case 0xD0 ->
                    respond(
                            OUTPUT_PORT_RESET
                                    | (a20 ? OUTPUT_PORT_A20 : 0)
                                    | (interruptPending() ? 0x10 : 0));
            // 0xD3 and 0xD4 take their byte to the second port, where nobody answers.
            case 0xD1, 0xD2, 0xD3, 0xD4 -> pendingCommand = value;
            case 0xDD -> a20 = false;
            case 0xDF -> a20 = true;
            default -> {
                // 0xF0 to 0xFF pulse the output port's bits that are 0 in the low half.
                if (value >= 0xF0 && (value & OUTPUT_PORT_RESET) == 0) {
                    events.resetRequested("keyboard controller");
                }
            }
        }
    }

    private void data(int command, int value) {
        if (command >= 0x60 && command < 0x80) {
            ram[command & 0x1F] = value;
            if (command == 0x60) {
                ram[0] |= CONFIG_AUXILIARY_DISABLED;
                status =
                        (value & CONFIG_SYSTEM) != 0
                                ? status | STATUS_SYSTEM
                                : status & ~STATUS_SYSTEM;
            }
            return;
        }
        switch (command) {
            case 0xD1 -> {
                a20 = (value & OUTPUT_PORT_A20) != 0;
                if ((value & OUTPUT_PORT_RESET) == 0) {
                    events.resetRequested("keyboard controller");
                }
            }
            case 0xD2 -> respond(value);
            case 0xD3, 0xD4 -> {
                // No second device.
            }
            default -> {
                // A byte for the keyboard turns its interface on.
                ram[0] &= ~CONFIG_KEYBOARD_DISABLED;
                keyboard.receive(value);
            }
        }
    }

    /** The controller's own answer; it overwrites what was not fetched. */
    private void respond(int value) {
        output = value;
        status |= STATUS_OUTPUT_FULL;
    }

    /** Moves the keyboard's next byte into an empty output buffer. */
    private void update() {
        while ((status & STATUS_OUTPUT_FULL) == 0
                && (ram[0] & CONFIG_KEYBOARD_DISABLED) == 0
                && keyboard.hasOutput()) {
            translate(keyboard.take());
        }
        updateLine();
    }

    /** Set 2 to set 1: the prefix 0xF0 becomes the top bit of the next code. */
    private void translate(int value) {
        if ((ram[0] & CONFIG_TRANSLATE) == 0) {
            respond(value);
            return;
        }
        if (value == 0xF0) {
            releasePrefix = true;
            return;
        }
        int code = value;
        if (value < 0x80) {
            code = TRANSLATION[value] & 0xFF;
        } else if (value == 0x83) {
            code = 0x41;
        } else if (value == 0x84) {
            code = 0x54;
        }
        // The prefix 0xE0 comes before 0xF0 and passes unchanged.
        respond(releasePrefix && code < 0x80 ? code | 0x80 : code);
        releasePrefix = false;
    }

    private boolean interruptPending() {
        return (status & STATUS_OUTPUT_FULL) != 0 && (ram[0] & CONFIG_INTERRUPT) != 0;
    }

    private void updateLine() {
        line.set(interruptPending());
    }

    public synchronized I8042State state() {
        List<Integer> bytes = new ArrayList<>(ram.length);
        for (int value : ram) {
            bytes.add(value);
        }
        return new I8042State(
                status, pendingCommand, bytes, output, a20, keyboard.state(releasePrefix));
    }

    public synchronized void restore(I8042State state) {
        status = state.status() & ~0x02 | STATUS_NOT_INHIBITED;
        pendingCommand = state.pendingCommand();
        for (int i = 0; i < ram.length; i++) {
            ram[i] = state.ram().get(i);
        }
        output = state.output();
        a20 = state.a20();
        keyboard.restore(state.keyboard());
        releasePrefix = state.keyboard().releasePrefix();
        update();
    }
}
