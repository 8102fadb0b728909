package dev.javisor.cli.image;

import dev.javisor.block.BlockException;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskImage;
import dev.javisor.block.nbd.NbdExport;
import dev.javisor.block.nbd.NbdServer;
import dev.javisor.block.nbd.NbdTls;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code javisor image serve}. */
@Command(
        name = "serve",
        description = {
            "Offers disk images to NBD clients (QEMU, nbdkit, libnbd, javisor run --disk nbd://...),",
            "until it is ended by a signal: then what clients wrote is in the files."
        },
        footer = {
            "",
            "Examples:",
            "  javisor image serve --socket /tmp/disk.sock disk.qcow2",
            "  javisor image serve --port 10809 --tls /etc/pki/nbd root=root.qcow2 data=data.img",
            "  javisor image serve -r --bitmap backup --socket /tmp/disk.sock disk.qcow2"
        })
final class ServeCommand implements Callable<Integer> {
    private static final int MAX_PORT = 65535;

    private final ImageConsole console;

    @Mixin private Options.Common common = new Options.Common();

    @Option(
            names = "-f",
            paramLabel = "FORMAT",
            converter = Options.FormatConverter.class,
            description = "The images' format; default: what their names say")
    private @Nullable DiskFormat format;

    @Option(
            names = {"-r", "--read-only"},
            description = "Clients may only read")
    private boolean readOnly;

    @Option(names = "--socket", paramLabel = "FILE", description = "Serves at a Unix socket")
    private @Nullable Path socket;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "Serves at a TCP port; 0 for a free one")
    private int port = -1;

    @Option(
            names = "--bind",
            paramLabel = "ADDRESS",
            description = "Of this host, for --port; default: 127.0.0.1")
    private String bind = "127.0.0.1";

    @Option(
            names = "--tls",
            paramLabel = "FOLDER",
            description =
                    "Wants TLS of clients that come by TCP: the folder has server-cert.pem,"
                            + " server-key.pem, and if clients need a certificate, ca-cert.pem")
    private @Nullable Path tls;

    @Option(
            names = "--bitmap",
            paramLabel = "NAME",
            description = "Lets clients read a dirty bitmap; may be given several times")
    private List<String> bitmaps = List.of();

    @Mixin private Options.Following following = new Options.Following();

    @Parameters(
            arity = "1..*",
            paramLabel = "[NAME=]FILE",
            description = "The images; with several, their exports' names")
    private List<String> files = List.of();

    /** Replaced by picocli. */
    @Spec private CommandSpec spec = CommandSpec.create();

    ServeCommand(ImageConsole console) {
        this.console = console;
    }

    @Override
    public Integer call() throws InterruptedException {
        if (socket == null && port < 0) {
            throw new ParameterException(
                    spec.commandLine(), "say where clients come: --socket FILE or --port PORT");
        }
        if (port > MAX_PORT) {
            throw new ParameterException(spec.commandLine(), "a port is at most 65535");
        }
        List<DiskImage> images = new ArrayList<>();
        try {
            serve(images);
        } finally {
            images.forEach(DiskImage::close);
        }
        return 0;
    }

    private void serve(List<DiskImage> images) throws InterruptedException {
        List<NbdExport> exports = new ArrayList<>();
        for (String each : files) {
            exports.add(export(each, images));
        }
        Path folder = tls;
        Optional<NbdTls> secure =
                folder == null ? Optional.empty() : Optional.of(NbdTls.server(folder));
        CountDownLatch end = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        Thread hook =
                Thread.ofPlatform()
                        .unstarted(() -> {
                            end.countDown();
                            awaitQuietly(ended);
                        });
        try (NbdServer server = new NbdServer(exports, secure)) {
            listen(server, exports);
            Runtime.getRuntime().addShutdownHook(hook);
            end.await();
        } finally {
            // The signal's thread ends the process when this returns: the files come first.
            images.forEach(DiskImage::close);
            images.clear();
            ended.countDown();
        }
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private NbdExport export(String text, List<DiskImage> images) {
        int equals = text.indexOf('=');
        String name = equals < 0 ? "" : text.substring(0, equals);
        Path file = Path.of(text.substring(equals + 1));
        if (equals < 0 && files.size() > 1) {
            throw new ParameterException(
                    spec.commandLine(),
                    "with several images each needs a name: NAME=%s".formatted(text));
        }
        DiskImage image = Sources.open(file, format, readOnly, following.orRefused());
        images.add(image);
        if (!bitmaps.isEmpty()) {
            if (!(image instanceof dev.javisor.block.qcow2.Qcow2Image qcow2)) {
                throw new BlockException("%s: only qcow2 images have bitmaps".formatted(file));
            }
            // Each must be there and usable.
            bitmaps.forEach(bitmap -> qcow2.bitmaps().dirty(bitmap));
        }
        return new NbdExport(name, "", image, readOnly, bitmaps);
    }

    private void listen(NbdServer server, List<NbdExport> exports) {
        Path file = socket;
        String first = exports.getFirst().name();
        if (file != null) {
            var unusedAddress = server.listen(UnixDomainSocketAddress.of(file));
            say("nbd+unix:///%s?socket=%s".formatted(first, file.toAbsolutePath()));
        }
        if (port >= 0) {
            InetSocketAddress at =
                    (InetSocketAddress) server.listen(new InetSocketAddress(bind, port));
            say("%s://%s:%d/%s".formatted(tls == null ? "nbd" : "nbds", bind, at.getPort(), first));
        }
    }

    private void say(String uri) {
        if (!common.quiet) {
            console.line("serving %s", uri);
            console.out().flush();
        }
    }
}
