package dev.javisor.guestkit;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import org.tukaani.xz.XZInputStream;

/**
 * Prepares the default guest: Debian's stock cloud kernel, with an initramfs made from Debian's
 * static busybox and the kernel's own modules. Both packages come through the host's package client
 * once and are kept in the user's cache.
 */
public final class GuestImages {
    private static final String KERNEL_META_PACKAGE = "linux-image-cloud-amd64";
    private static final String BUSYBOX_PACKAGE = "busybox-static";
    private static final String OWN_KERNEL = "or give your own guest with --kernel and --initrd";

    private final CacheDirectory cache;

    private GuestImages(Path directory) {
        cache = new CacheDirectory(directory);
    }

    /** Guests in the user's own cache directory. */
    public static GuestImages standard() {
        return in(CacheDirectory.standard(System.getenv(), System.getProperty("user.home", "/")));
    }

    /** Guests in this cache directory, which is made when needed. */
    public static GuestImages in(Path cacheDirectory) {
        return new GuestImages(cacheDirectory.toAbsolutePath());
    }

    /** The guest, from the cache if it is there and whole, else prepared anew. */
    public GuestImage prepare(Progress progress) {
        Optional<GuestImage> ready = GuestManifest.load(cache, recipe());
        if (ready.isPresent()) {
            return ready.get();
        }
        return cache.locked(
                () -> progress.step("waiting for another run that prepares the guest"),
                () -> {
                    // Another run may have done the work while this one waited.
                    Optional<GuestImage> done = GuestManifest.load(cache, recipe());
                    return done.isPresent() ? done.get() : make(progress);
                });
    }

    /**
     * Modules of the guest's kernel, plain ELF files by name, each after those that it depends on:
     * for guests that do more than the default one.
     *
     * @param names with {@code -} or {@code _}; what is built into the kernel is left out
     * @throws GuestKitException where the package has no such module
     */
    public SequencedMap<String, byte[]> kernelModules(List<String> names, Progress progress) {
        return cache.locked(
                () -> progress.step("waiting for another run that prepares the guest"),
                () -> {
                    List<Path> packages = packages(progress);
                    Path work = cache.resolve("modules.tmp");
                    CacheDirectory.deleteTree(work);
                    Files.createDirectories(work);
                    try {
                        Unpacked unpacked = new Unpacked(work);
                        for (Path deb : packages) {
                            DebPackage.visit(deb, unpacked::take);
                        }
                        SequencedMap<String, byte[]> found = new LinkedHashMap<>();
                        for (ModuleSet.Entry entry : unpacked.moduleSet().inLoadOrder(names)) {
                            String name = entry.module().name();
                            found.put(name, Files.readAllBytes(work.resolve(name)));
                        }
                        return found;
                    } finally {
                        CacheDirectory.deleteTree(work);
                    }
                });
    }

    private GuestImage make(Progress progress) throws IOException {
        List<Path> packages = packages(progress);
        Path work = cache.resolve("unpacked.tmp");
        CacheDirectory.deleteTree(work);
        Files.createDirectories(work);
        try {
            return build(packages, work, progress);
        } finally {
            CacheDirectory.deleteTree(work);
        }
    }

    /** The package files, kernel first: from the cache if whole, else downloaded. */
    private List<Path> packages(Progress progress) throws IOException {
        Path directory = cache.resolve("packages");
        Optional<List<Path>> cached = PackageIndex.load(directory);
        if (cached.isPresent()) {
            return cached.get();
        }
        if (!AptClient.present()) {
            throw new GuestKitException(
                    "apt-get is not on this host, so Debian's kernel cannot be fetched:"
                            + " run on Debian, "
                            + OWN_KERNEL);
        }
        progress.step("asking apt for " + KERNEL_META_PACKAGE);
        Path download = cache.resolve("download.tmp");
        Path lists = cache.resolve("apt");
        AptClient apt = new AptClient(lists);
        boolean refreshed = false;
        String complaint = "";
        while (true) {
            CacheDirectory.deleteTree(download);
            Files.createDirectories(download);
            Optional<String> kernel = apt.concreteKernel(KERNEL_META_PACKAGE);
            List<String> names = new ArrayList<>();
            kernel.ifPresent(names::add);
            names.add(BUSYBOX_PACKAGE);
            List<AptClient.Download> files =
                    kernel.isEmpty() ? List.of() : apt.find(download, names);
            if (!files.isEmpty()) {
                Optional<String> failed = fetch(apt, download, names, files, progress);
                if (failed.isEmpty()) {
                    CacheDirectory.deleteTree(lists);
                    PackageIndex.store(directory, download, files);
                    return PackageIndex.load(directory)
                            .orElseThrow(() ->
                                    new GuestKitException(
                                            "the downloaded packages are damaged: is the"
                                                    + " disk full?"));
                }
                complaint = failed.get();
            }
            if (refreshed) {
                CacheDirectory.deleteTree(download);
                String what = complaint.isEmpty() ? "apt does not know " : "apt cannot get ";
                String why = complaint.isEmpty() ? "" : " (" + complaint + ")";
                throw new GuestKitException(
                        what
                                + kernel.orElse(KERNEL_META_PACKAGE)
                                + why
                                + ": check the network and Debian's sources (apt-get update), "
                                + OWN_KERNEL);
            }
            // Lists that are empty or older than the archive: the person may not be root, so fetch
            // our own.
            progress.step("fetching package lists");
            complaint = apt.refresh().orElse(complaint);
            refreshed = true;
        }
    }

    private static Optional<String> fetch(
            AptClient apt,
            Path directory,
            List<String> names,
            List<AptClient.Download> files,
            Progress progress) {
        long total = 0;
        for (AptClient.Download file : files) {
            total += file.sizeBytes();
        }
        long totalBytes = total;
        progress.step("downloading " + String.join(" and ", names));
        Optional<String> failed =
                apt.download(
                        directory,
                        names,
                        done -> progress.bytes(Math.min(done, totalBytes), totalBytes));
        if (failed.isEmpty()) {
            progress.bytes(totalBytes, totalBytes);
        }
        return failed;
    }

    private GuestImage build(List<Path> packages, Path work, Progress progress) throws IOException {
        progress.step("unpacking the kernel");
        Unpacked unpacked = new Unpacked(work);
        long total = 0;
        for (Path deb : packages) {
            total += Files.size(deb);
        }
        long done = 0;
        for (Path deb : packages) {
            DebPackage.visit(deb, unpacked::take);
            done += Files.size(deb);
            progress.bytes(done, total);
        }
        if (unpacked.kernel.length == 0 || unpacked.busybox.length == 0) {
            throw new GuestKitException(
                    "the packages hold no kernel or no busybox, %s".formatted(OWN_KERNEL));
        }
        progress.step("making the initramfs");
        ModuleSet modules = unpacked.moduleSet();
        List<String> wanted = new ArrayList<>(Initramfs.MODULES);
        wanted.addAll(Initramfs.BUTTON_MODULES);
        wanted.addAll(Initramfs.NETWORK_MODULES);
        List<ModuleSet.Entry> ordered = modules.inLoadOrder(wanted);
        Map<String, byte[]> content = new LinkedHashMap<>();
        for (ModuleSet.Entry entry : ordered) {
            content.put(entry.path(), Files.readAllBytes(work.resolve(entry.module().name())));
        }
        byte[] initramfs =
                Initramfs.build(unpacked.busybox, unpacked.release, modules, ordered, content);
        return GuestManifest.store(cache, recipe(), unpacked.release, unpacked.kernel, initramfs);
    }

    /** Names the contents of the initramfs beside the packages. */
    private static String recipe() {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Initramfs.recipe());
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /**
     * What is taken from the packages: the kernel, busybox, and all modules in a work directory.
     */
    private static final class Unpacked {
        private static final String MODULE_ROOT = "lib/modules/";

        private final Path work;
        private final Map<String, KernelModule> modules = new LinkedHashMap<>();
        private final Set<String> builtIn = new HashSet<>();
        private byte[] kernel = new byte[0];
        private byte[] busybox = new byte[0];
        private String release = "";

        Unpacked(Path work) {
            this.work = work;
        }

        ModuleSet moduleSet() {
            ModuleSet set = new ModuleSet(builtIn);
            modules.forEach((path, module) -> set.add(module, path));
            return set;
        }

        void take(String path, long sizeBytes, InputStream in) throws IOException {
            // Since Debian 13 what was below / is below /usr.
            String name = path.startsWith("usr/lib/modules/") ? path.substring(4) : path;
            if (name.startsWith("boot/vmlinuz-")) {
                kernel = DebPackage.read(in, sizeBytes);
                release = name.substring("boot/vmlinuz-".length());
            } else if (name.equals("bin/busybox") || name.equals("usr/bin/busybox")) {
                busybox = DebPackage.read(in, sizeBytes);
            } else if (name.startsWith(MODULE_ROOT)) {
                String relative = name.substring(name.indexOf('/', MODULE_ROOT.length()) + 1);
                takeModule(relative, DebPackage.read(in, sizeBytes));
            }
        }

        private void takeModule(String relative, byte[] bytes) throws IOException {
            if (relative.equals("modules.builtin")) {
                for (String line :
                        new String(bytes, java.nio.charset.StandardCharsets.UTF_8).split("\n")) {
                    String file = line.substring(line.lastIndexOf('/') + 1);
                    builtIn.add(KernelModule.canonical(file.replaceFirst("\\.ko$", "")));
                }
            } else if (relative.endsWith(".ko.xz")) {
                byte[] plain = new XZInputStream(new ByteArrayInputStream(bytes)).readAllBytes();
                keep(relative.substring(0, relative.length() - 3), plain);
            } else if (relative.endsWith(".ko")) {
                keep(relative, bytes);
            }
        }

        private void keep(String relative, byte[] bytes) throws IOException {
            KernelModule module = KernelModule.parse(relative, bytes);
            modules.put(relative, module);
            Files.write(work.resolve(module.name()), bytes);
        }
    }
}
