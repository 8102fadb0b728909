package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.vmm.VmConsole;
import dev.javisor.vmm.VmOutcome;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * The same guest on QEMU's software CPU: shows that the default guest and the sessions work, apart
 * from our own machine.
 */
final class QemuMachine implements Machine {
    static final String PROGRAM = "qemu-system-x86_64";

    private static final String PANIC = "Kernel panic - not syncing: ";

    private final StringBuilder log = new StringBuilder();
    private volatile String panic = "";
    private final Path directory;
    private final List<String> command = new ArrayList<>();
    private final VmConsole console;
    private final Map<String, SocketChannel> channels = new HashMap<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile VmOutcome outcome = new VmOutcome.Stopped();
    private Optional<Process> process = Optional.empty();

    static boolean present() {
        return List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, PROGRAM)));
    }

    QemuMachine(RunSettings settings, GuestFiles guest, VmConsole console) {
        this.console = console;
        try {
            directory = Files.createTempDirectory("javisor-qemu");
            Path initrd = directory.resolve("initrd");
            Files.copy(guest.initrd().orElseThrow(), initrd);
            try (OutputStream out =
                    Files.newOutputStream(initrd, java.nio.file.StandardOpenOption.APPEND)) {
                out.write(guest.overlay());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        command.addAll(List.of(PROGRAM, "-accel", "tcg", "-M", "q35", "-display", "none"));
        command.addAll(List.of("-m", settings.memoryBytes() / (1 << 20) + "M", "-no-reboot"));
        command.addAll(List.of("-smp", String.valueOf(settings.cpus()), "-nodefaults"));
        command.addAll(List.of("-kernel", guest.kernel().toString()));
        command.addAll(List.of("-initrd", directory.resolve("initrd").toString()));
        command.addAll(List.of("-append", guest.commandLine()));
        command.addAll(List.of("-qmp", "unix:" + directory.resolve("qmp") + ",server=on,wait=on"));
        command.addAll(List.of("-device", "virtio-serial-pci", "-device", "isa-debug-exit"));
        socket("serial");
        command.addAll(List.of("-serial", "chardev:serial"));
        for (String port : dev.javisor.guestkit.GuestOverlay.PORTS) {
            socket(port);
            command.addAll(List.of("-device", "virtserialport,chardev=" + port + ",name=" + port));
        }
    }

    private void socket(String id) {
        String path = directory.resolve(id).toString();
        command.addAll(
                List.of("-chardev", "socket,id=" + id + ",path=" + path + ",server=on,wait=on"));
    }

    @Override
    public void start() {
        try {
            Process started = new ProcessBuilder(command).start();
            process = Optional.of(started);
            started.onExit().thenRun(ended::countDown);
            connect("qmp", (bytes, n) -> event(new String(bytes, 0, n, StandardCharsets.UTF_8)));
            connect("serial", (bytes, n) -> serial(bytes, 0, n));
            for (String port : dev.javisor.guestkit.GuestOverlay.PORTS) {
                connect(port, (bytes, n) -> console.portOutput(port, bytes, 0, n));
            }
            send("qmp", "{\"execute\":\"qmp_capabilities\"}\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void serial(byte[] bytes, int offset, int length) {
        log.append(new String(bytes, offset, length, StandardCharsets.ISO_8859_1));
        int at = log.indexOf(PANIC);
        int end = at < 0 ? -1 : log.indexOf("\r", at);
        if (end > 0 && panic.isEmpty()) {
            panic = log.substring(at + PANIC.length(), end);
        }
        console.serialOutput(bytes, offset, length);
    }

    private interface Receiver {
        void received(byte[] bytes, int length);
    }

    private final List<Thread> readers = new ArrayList<>();

    private void connect(String name, Receiver receiver) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (true) {
            try {
                channel.connect(UnixDomainSocketAddress.of(directory.resolve(name)));
                break;
            } catch (IOException e) {
                if (System.nanoTime() > deadline) {
                    throw e;
                }
                channel.close();
                channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                Thread.onSpinWait();
            }
        }
        channels.put(name, channel);
        InputStream in = Channels.newInputStream(channel);
        readers.add(
                Thread.ofPlatform()
                        .daemon()
                        .start(() -> {
                            byte[] buffer = new byte[8192];
                            try {
                                for (int n; (n = in.read(buffer)) >= 0; ) {
                                    receiver.received(buffer, n);
                                }
                            } catch (IOException e) {
                                ended.countDown(); // Closed by us or by QEMU's end.
                            }
                        }));
    }

    private void event(String text) {
        if (text.contains("\"guest-reset\"")) {
            outcome = new VmOutcome.Reset();
        } else if (text.contains("\"guest-shutdown\"")) {
            outcome = new VmOutcome.PoweredOff();
        }
    }

    private SocketChannel channel(String name) {
        return java.util.Objects.requireNonNull(channels.get(name), name);
    }

    private void send(String channel, String text) {
        send(channel, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    private void send(String channel, ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) {
                channel(channel).write(bytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public VmOutcome await() throws InterruptedException {
        ended.await();
        for (Thread reader : readers) {
            reader.join();
        }
        return panic.isEmpty() ? outcome : new VmOutcome.Panicked(panic);
    }

    @Override
    public void powerButton() {
        send("qmp", "{\"execute\":\"system_powerdown\"}\n");
    }

    @Override
    public void resume() {
        throw new UnsupportedOperationException();
    }

    @Override
    public void balloon(long guestBytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void resizeDisk(String disk, long sizeBytes) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void reset() {
        send("qmp", "{\"execute\":\"system_reset\"}\n");
    }

    @Override
    public String switchAccelerator() {
        throw new JavisorException("QEMU stays on its CPU");
    }

    @Override
    public void switchTo(SwitchOption option) {
        throw new JavisorException("QEMU stays on its CPU");
    }

    @Override
    public void stop() {
        process.ifPresent(Process::destroy);
    }

    @Override
    public String status() {
        return "QEMU, process " + process.map(Process::pid).orElse(0L);
    }

    @Override
    public void consoleInput(byte[] bytes) {
        send("serial", ByteBuffer.wrap(bytes));
    }

    @Override
    public void resize(int columns, int rows) {
        // A serial line has no size.
    }

    @Override
    public void portInput(String name, byte[] bytes, int length) {
        send(name, ByteBuffer.wrap(bytes, 0, length));
    }

    @Override
    public void closePort(String name) {
        try {
            channel(name).shutdownOutput();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        stop();
        try (var files = Files.walk(directory)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@code javisor} on QEMU, for trying by hand. */
    public static void main(String[] arguments) {
        StandardStreams streams =
                new StandardStreams(
                        new java.io.FileInputStream(java.io.FileDescriptor.in),
                        new java.io.FileOutputStream(java.io.FileDescriptor.out),
                        new java.io.FileOutputStream(java.io.FileDescriptor.err));
        Launch launch = new Launch(streams, System.getenv(), QemuMachine::new);
        System.exit(JavisorMain.commandLine(launch, System.out, System.err).execute(arguments));
    }
}
