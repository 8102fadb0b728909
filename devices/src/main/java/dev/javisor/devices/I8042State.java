package dev.javisor.devices;

import java.util.List;

/**
 * A keyboard controller with its keyboard, saved.
 *
 * @param status status register
 * @param pendingCommand controller command that waits for its data byte, or 0
 * @param ram internal RAM; byte 0 is the command byte
 * @param output the output buffer, valid if status bit 0 is set
 */
public record I8042State(
        int status,
        int pendingCommand,
        List<Integer> ram,
        int output,
        boolean a20,
        Keyboard keyboard) {
    public I8042State {
        ram = List.copyOf(ram);
        StateCheck.byteValue("status", status);
        StateCheck.byteValue("pendingCommand", pendingCommand);
        StateCheck.size("ram", ram, 32);
        for (int value : ram) {
            StateCheck.byteValue("ram", value);
        }
        StateCheck.byteValue("output", output);
    }

    /**
     * The keyboard.
     *
     * @param queue bytes on their way to the controller, oldest first
     * @param pendingCommand command that waits for its argument, or 0
     * @param releasePrefix whether the translator has seen 0xF0
     */
    public record Keyboard(
            List<Integer> queue,
            boolean scanning,
            int scanCodeSet,
            int pendingCommand,
            int lastSent,
            boolean releasePrefix) {
        public Keyboard {
            queue = List.copyOf(queue);
            StateCheck.range("queue", queue.size(), 0, Ps2Keyboard.QUEUE_BYTES);
            for (int value : queue) {
                StateCheck.byteValue("queue", value);
            }
            StateCheck.range("scanCodeSet", scanCodeSet, 1, 3);
            StateCheck.byteValue("pendingCommand", pendingCommand);
            StateCheck.byteValue("lastSent", lastSent);
        }
    }
}
