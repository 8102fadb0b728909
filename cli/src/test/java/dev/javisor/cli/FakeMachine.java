package dev.javisor.cli;

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

    private final Output output;
    private final Consumer<FakeMachine> guest;
    private final CountDownLatch ended = new CountDownLatch(1);
    private Ending ending = new Ending.Stopped();

    FakeMachine(Output output, Consumer<FakeMachine> guest) {
        this.output = output;
        this.guest = guest;
    }

    void console(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        output.console(bytes, 0, bytes.length);
    }

    void port(String name, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        output.port("dev.javisor." + name, bytes, 0, bytes.length);
    }

    void end(Ending how) {
        ending = how;
        ended.countDown();
    }

    void powerOff() {
        end(new Ending.PoweredOff());
    }

    @Override
    public void start() {
        guest.accept(this);
    }

    @Override
    public Ending await() throws InterruptedException {
        ended.await();
        return ending;
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
