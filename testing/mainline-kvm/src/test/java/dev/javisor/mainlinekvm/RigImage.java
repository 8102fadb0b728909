package dev.javisor.mainlinekvm;

import dev.javisor.guestkit.CpioWriter;
import dev.javisor.guestkit.GuestImage;
import dev.javisor.guestkit.GuestImages;
import dev.javisor.guestkit.Progress;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.lang.module.ResolvedModule;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The initramfs of the emulated machine. It holds the default guest's own archive (busybox), the
 * kernel's KVM modules, a Java runtime made by {@code jlink} with the C library it needs, our
 * modules with an AOT cache that a short run on this host has filled, and the default guest again,
 * as what the tests boot.
 *
 * <p>All files carry the time 0: the AOT cache compares the times of the archives it was made from.
 */
final class RigImage {
    private static final List<String> KVM_MODULES = List.of("irqbypass", "kvm", "kvm_amd");
    private static final String MAIN = "dev.javisor.mainlinekvm/dev.javisor.mainlinekvm.InsideMain";

    /**
     * In training and inside alike, from the directory {@code /rig}. A short life on a slow
     * machine: the second compiler would never earn back what it costs.
     */
    private static final List<String> JAVA_OPTIONS =
            List.of(
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    "-XX:-UsePerfData",
                    "-XX:+UseCompactObjectHeaders",
                    "-Xmx256m",
                    "-Djavisor.guests.seconds=120",
                    "--enable-native-access=dev.javisor.linux,dev.javisor.kvm",
                    "--illegal-native-access=deny",
                    "-p",
                    "app");

    private final Path work;
    private final Path runtime;
    private final Path root;

    /**
     * @param work where to build
     * @param runtime the directory with the jars of our modules
     */
    RigImage(Path work, Path runtime) {
        this.work = work;
        this.runtime = runtime;
        root = work.resolve("root");
    }

    /** Kernel and initramfs. */
    record Built(Path kernel, Path initramfs) {}

    /**
     * @param arguments of {@link InsideMain}
     */
    Built build(List<String> arguments) throws IOException, InterruptedException {
        GuestImage guest = GuestImages.standard().prepare(Progress.NONE);
        Files.createDirectories(root);
        linkJava();
        copyJars();
        Files.write(
                root.resolve("options"),
                Stream.concat(JAVA_OPTIONS.stream(), Stream.of("-XX:AOTCache=app.aot", "-m", MAIN))
                        .toList());
        Files.writeString(root.resolve("arguments"), String.join("\n", arguments) + "\n");
        train();
        return new Built(guest.kernel(), pack(guest));
    }

    private void linkJava() throws IOException, InterruptedException {
        Path java = root.resolve("java");
        Path stamp = work.resolve("java.version");
        String modules = jdkModules();
        String version = System.getProperty("java.vm.version") + ' ' + modules;
        if (Files.exists(stamp) && Files.readString(stamp).equals(version)) {
            return;
        }
        deleteTree(java);
        run(
                work,
                Path.of(System.getProperty("java.home"), "bin", "jlink").toString(),
                "--add-modules",
                modules,
                "--strip-debug",
                "--no-header-files",
                "--no-man-pages",
                "--output",
                java.toString());
        Files.writeString(stamp, version);
    }

    /** What our modules need of the JDK, with commas. */
    private String jdkModules() {
        ModuleFinder system = ModuleFinder.ofSystem();
        return Configuration.empty()
                .resolve(ModuleFinder.of(runtime), system, Set.of(MAIN.split("/")[0]))
                .modules()
                .stream()
                .map(ResolvedModule::name)
                .filter(name -> system.find(name).isPresent())
                .sorted()
                .collect(Collectors.joining(","));
    }

    private void copyJars() throws IOException {
        Path app = root.resolve("app");
        deleteTree(app);
        Files.createDirectories(app);
        try (Stream<Path> jars = Files.list(runtime)) {
            for (Path jar : jars.filter(p -> p.toString().endsWith(".jar")).toList()) {
                Files.copy(
                        jar, app.resolve(jar.getFileName()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.setLastModifiedTime(file, FileTime.fromMillis(0));
            }
        }
    }

    /** Fills the AOT cache: with it, Java starts in one second inside instead of five. */
    private void train() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(root.resolve("java/bin/java").toString());
        command.addAll(JAVA_OPTIONS);
        command.add("-XX:AOTCacheOutput=app.aot");
        command.addAll(List.of("-m", MAIN));
        command.addAll(InsideMain.TRAINING);
        Files.deleteIfExists(root.resolve("app.aot"));
        run(root, command.toArray(String[]::new));
    }

    private Path pack(GuestImage guest) throws IOException, InterruptedException {
        CpioWriter cpio = new CpioWriter(1 << 21);
        addTree(cpio, root, "rig");
        for (String library : libraries()) {
            cpio.file(library.substring(1), 0755, Files.readAllBytes(Path.of(library)));
        }
        int order = 0;
        for (var module :
                GuestImages.standard().kernelModules(KVM_MODULES, Progress.NONE).entrySet()) {
            String name = "rig/modules/%02d-%s.ko".formatted(order++, module.getKey());
            cpio.file(name, 0644, module.getValue());
        }
        cpio.file("rig/guest/kernel", 0644, Files.readAllBytes(guest.kernel()));
        cpio.file("rig/guest/initramfs", 0644, Files.readAllBytes(guest.initramfs()));
        if (HostPrograms.isInstalled("gcc")) {
            cpio.file("rig/guest/programs", 0644, guestPrograms());
        }
        cpio.file("rig/init", 0755, resource("init"));
        Path initramfs = work.resolve("initramfs");
        try (OutputStream out = Files.newOutputStream(initramfs)) {
            Files.copy(guest.initramfs(), out);
            out.write(cpio.toByteArray());
        }
        return initramfs;
    }

    /** What guests of the tests run: an archive to be unpacked over the default guest's. */
    private byte[] guestPrograms() throws IOException, InterruptedException {
        Path source = work.resolve("clocks.c");
        Files.write(source, resource("clocks.c"));
        run(work, "gcc", "-static", "-O1", "-march=x86-64", "-o", "clocks", "clocks.c");
        byte[] program = Files.readAllBytes(work.resolve("clocks"));
        return new CpioWriter(1 << 20).file("bin/clocks", 0755, program).toByteArray();
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = RigImage.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("no resource " + name);
            }
            return in.readAllBytes();
        }
    }

    private static void addTree(CpioWriter cpio, Path tree, String name) throws IOException {
        List<Path> entries;
        try (Stream<Path> list = Files.list(tree)) {
            entries = list.sorted().toList();
        }
        for (Path entry : entries) {
            String path = name + '/' + entry.getFileName();
            if (Files.isSymbolicLink(entry)) {
                cpio.symlink(path, Files.readSymbolicLink(entry).toString());
            } else if (Files.isDirectory(entry)) {
                addTree(cpio, entry, path);
            } else {
                boolean program = Files.isExecutable(entry);
                cpio.file(path, program ? 0755 : 0644, Files.readAllBytes(entry));
            }
        }
    }

    /** Absolute paths of the host's shared libraries that the runtime's own depend on. */
    private TreeSet<String> libraries() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("ldd"));
        try (Stream<Path> files = Files.walk(root.resolve("java"))) {
            files.filter(p -> p.toString().endsWith(".so") || p.endsWith("bin/java"))
                    .forEach(p -> command.add(p.toString()));
        }
        // "  libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)", "  /lib64/ld... (0x...)"
        return run(root, command.toArray(String[]::new))
                .lines()
                .map(line -> line.replaceFirst(".*=> *", "").strip().split(" ")[0])
                .filter(path -> path.startsWith("/") && !path.startsWith(root.toString()))
                .filter(path -> !path.endsWith(":"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String run(Path directory, String... command)
            throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectErrorStream(true)
                        .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed:\n" + output);
        }
        return output;
    }

    private static void deleteTree(Path tree) throws IOException {
        if (Files.exists(tree)) {
            try (Stream<Path> files = Files.walk(tree)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
