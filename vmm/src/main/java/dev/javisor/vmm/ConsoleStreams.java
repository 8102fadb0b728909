package dev.javisor.vmm;

import dev.javisor.virtio.console.ConsoleDevice;
import dev.javisor.virtio.console.ConsolePort;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Carries what the guest writes to its virtio console and ports to the {@link VmConsole}: one
 * thread per port, so that a port whose reader is slow holds up no other.
 */
final class ConsoleStreams implements AutoCloseable {
    private static final int CHUNK_BYTES = 1 << 14;

    private final ConsoleDevice device;
    private final VmConsole console;
    private final List<Thread> threads = new ArrayList<>();

    /** The guest wrote to its terminal: somebody there uses it. */
    private volatile boolean terminalUsed;

    /**
     * @param device closed before {@link #close}: that ends the threads
     */
    ConsoleStreams(String name, ConsoleDevice device, VmConsole console) {
        this.device = device;
        this.console = console;
        for (ConsolePort port : device.ports()) {
            String what = port.isConsole() ? "console" : "port " + port.name();
            threads.add(
                    Thread.ofPlatform().daemon().name(name + " " + what).start(() -> pump(port)));
        }
    }

    private void pump(ConsolePort port) {
        byte[] chunk = new byte[CHUNK_BYTES];
        boolean open = false;
        try {
            while (true) {
                int count = port.output().read(chunk);
                if (count >= 0) {
                    if (!open && !port.isConsole()) {
                        open = true;
                        console.portOpen(port.name(), true);
                    }
                    deliver(port, chunk, count);
                    continue;
                }
                if (open) {
                    open = false;
                    console.portOpen(port.name(), false);
                }
                if (!port.awaitGuest()) {
                    return;
                }
            }
        } catch (IOException | InterruptedException e) {
            TraceCategory.VMM.log("port %s: %s", port.name(), e);
        }
    }

    private void deliver(ConsolePort port, byte[] chunk, int count) {
        if (port.isConsole()) {
            terminalUsed = true;
            console.consoleOutput(chunk, 0, count);
        } else {
            console.portOutput(port.name(), chunk, 0, count);
        }
    }

    /**
     * Whether the guest uses its terminal. That a driver has it open says nothing: Linux's does as
     * soon as it is loaded.
     */
    boolean isTerminalUsed() {
        return terminalUsed;
    }

    /** The machine was reset. */
    void forget() {
        terminalUsed = false;
    }

    /** Whether bytes of the guest wait for a thread. */
    boolean isBacklogged() {
        for (ConsolePort port : device.ports()) {
            try {
                if (port.output().available() > 0) {
                    return true;
                }
            } catch (IOException e) {
                return false;
            }
        }
        return false;
    }

    /** Waits for the threads, unless one of them calls; they deliver what they have in hand. */
    @Override
    public void close() {
        boolean interrupted = false;
        for (Thread thread : threads) {
            while (thread.isAlive() && !interrupted) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
