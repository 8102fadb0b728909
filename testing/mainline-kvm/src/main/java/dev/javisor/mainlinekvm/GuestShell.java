package dev.javisor.mainlinekvm;

import dev.javisor.vmm.Vm;
import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The default guest's shell, used as a person uses it: what is typed goes to its console, what it
 * prints is read from there.
 */
final class GuestShell implements VmConsole {
    private static final String PROMPT = " # ";
    private static final long BOOT_SECONDS = 450;
    private static final long COMMAND_SECONDS = 300;

    private final StringBuilder output = new StringBuilder();
    private int commands;
    private @Nullable VmOutcome ended;

    /** Starts the machine; when it ends, nothing is waited for any more. */
    void start(Vm vm) {
        vm.start();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        end(vm.await());
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
    }

    private synchronized void end(VmOutcome outcome) {
        ended = outcome;
        notifyAll();
    }

    @Override
    public synchronized void serialOutput(byte[] bytes, int offset, int length) {
        output.append(new String(bytes, offset, length, StandardCharsets.ISO_8859_1));
        notifyAll();
    }

    /** Everything that the guest has printed. */
    synchronized String text() {
        return output.toString();
    }

    void awaitPrompt() throws InterruptedException {
        int unused = await(PROMPT, 0, BOOT_SECONDS);
    }

    /**
     * Runs a command line.
     *
     * @return what it printed, with line ends as {@code \n}
     * @throws AssertionError if it fails or does not end
     */
    String run(Vm vm, String command) throws InterruptedException {
        int from = text().length();
        commands++;
        // The terminal echoes what is typed: the marks are not there in one piece.
        String begin = "<begin-" + commands + ">";
        String end = "<end-" + commands + ":";
        type(
                vm,
                "echo '<be''gin-%d>'; %s; echo \"<e\"\"nd-%d:$?>\"\n"
                        .formatted(commands, command, commands));
        int start = await(begin, from, COMMAND_SECONDS) + begin.length();
        int stop = await(end, start, COMMAND_SECONDS);
        int closing = await(">", stop, COMMAND_SECONDS);
        String all = text();
        String status = all.substring(stop + end.length(), closing);
        String printed = all.substring(start, stop).replace("\r", "").strip();
        if (!status.equals("0")) {
            throw new AssertionError("'%s' ended with %s: %s".formatted(command, status, printed));
        }
        return printed;
    }

    void type(Vm vm, String text) throws InterruptedException {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        vm.consoleInput(bytes, 0, bytes.length);
    }

    /** Where a text is first found from an index on. */
    private synchronized int await(String wanted, int from, long seconds)
            throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (true) {
            int index = output.indexOf(wanted, from);
            if (index >= 0) {
                return index;
            }
            if (ended != null) {
                throw new AssertionError(
                        "no '%s', as the guest has ended: %s; its console ends: %s"
                                .formatted(wanted, ended, tail()));
            }
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                throw new AssertionError(
                        "no '%s' in %d s; the guest's console ends: %s"
                                .formatted(wanted, seconds, tail()));
            }
            wait(left);
        }
    }

    private String tail() {
        return output.substring(Math.max(0, output.length() - 8000));
    }
}
