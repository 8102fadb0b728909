package dev.javisor.cli;

import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;

/** A machine whose guest is a few lines of a test, run by {@link #start()}. */
final class FakeMachine implements Machine {
    final List<String> events = new ArrayList<>();
    final ByteArrayOutputStream typed = new ByteArrayOutputStream();
    final ByteArrayOutputStream stdin = new ByteArrayOutputStream();
    final CountDownLatch inputClosed = new CountDownLatch(1);

    private final VmConsole console;
    private final Consumer<FakeMachine> guest;
    private final CountDownLatch ended = new CountDownLatch(1);
    private VmOutcome outcome = new VmOutcome.Stopped();

    FakeMachine(VmConsole console, Consumer<FakeMachine> guest) {
        this.console = console;
        this.guest = guest;
    }

    void console(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        console.serialOutput(bytes, 0, bytes.length);
    }

    void port(String name, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        console.portOutput("dev.javisor." + name, bytes, 0, bytes.length);
    }

    void end(VmOutcome how) {
        outcome = how;
        ended.countDown();
    }

    void powerOff() {
        end(new VmOutcome.PoweredOff());
    }

    @Override
    public void start() {
        guest.accept(this);
    }

    @Override
    public VmOutcome await() throws InterruptedException {
        ended.await();
        return outcome;
    }

    @Override
    public void powerButton() {
        events.add("power button");
    }

    @Override
    public void reset() {
        events.add("reset");
    }

    @Override
    public void resume() {
        events.add("resume");
    }

    @Override
    public void balloon(long guestBytes) {
        events.add("balloon " + guestBytes);
    }

    @Override
    public void resizeDisk(String disk, long sizeBytes) {
        if (disk.equals("none")) {
            throw new dev.javisor.vmm.VmException("no disk 'none'");
        }
        events.add("resize disk %s to %d".formatted(disk, sizeBytes));
    }

    @Override
    public String switchAccelerator() {
        events.add("switch");
        return "other";
    }

    @Override
    public void switchTo(SwitchOption option) {
        events.add("switch to " + option.target());
    }

    @Override
    public void stop() {
        ended.countDown();
    }

    @Override
    public String status() {
        return "state: fake\nvCPUs: 0";
    }

    @Override
    public synchronized void consoleInput(byte[] bytes) {
        typed.writeBytes(bytes);
    }

    @Override
    public void resize(int columns, int rows) {
        events.add("resize " + columns + "x" + rows);
    }

    @Override
    public synchronized void portInput(String name, byte[] bytes, int length) {
        stdin.write(bytes, 0, length);
    }

    @Override
    public void closePort(String name) {
        events.add("close " + name);
        inputClosed.countDown();
    }

    @Override
    public void close() {
        events.add("closed");
    }
}
