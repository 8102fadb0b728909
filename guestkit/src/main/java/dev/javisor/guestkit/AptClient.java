package dev.javisor.guestkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The host's own package client, used as an ordinary user uses it: nothing is installed, and the
 * client checks the archive's signatures. Where the host's package lists are empty or out of date,
 * lists of our own are fetched beside the cache.
 */
final class AptClient {
    /** A package file that can be had. */
    record Download(String fileName, long sizeBytes, String sha256) {}

    /** How often the size of a download is looked at. */
    private static final long POLL_MS = 100;

    private static final Pattern URI_LINE =
            Pattern.compile("'[^']+' (\\S+) (\\d+) SHA256:([0-9a-f]{64})");
    private static final Pattern DEPENDS =
            Pattern.compile("^ *\\|?Depends: (linux-image-\\S+)$", Pattern.MULTILINE);

    private final Path lists;
    private final List<String> options = new ArrayList<>();

    /**
     * @param lists directory for package lists of our own, made when needed
     */
    AptClient(Path lists) {
        this.lists = lists;
        // A server that does not answer must not hold up a person for minutes.
        options.addAll(List.of("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"));
        options.addAll(List.of("-o", "Acquire::https::Timeout=20"));
    }

    /** Whether the host has the client at all. */
    static boolean present() {
        String path = System.getenv().getOrDefault("PATH", "");
        for (String directory : path.split(":")) {
            if (!directory.isEmpty() && Files.isExecutable(Path.of(directory, "apt-get"))) {
                return true;
            }
        }
        return false;
    }

    /** The concrete package that a meta package such as linux-image-cloud-amd64 stands for. */
    Optional<String> concreteKernel(String metaPackage) {
        Result result = run(Path.of("."), "apt-cache", List.of("depends", metaPackage), done -> {});
        Matcher matcher = DEPENDS.matcher(result.stdout);
        return result.status == 0 && matcher.find()
                ? Optional.of(matcher.group(1))
                : Optional.empty();
    }

    /** What a download of these packages would bring; empty where one of them is not known. */
    List<Download> find(Path emptyDirectory, List<String> packages) {
        List<String> arguments = new ArrayList<>(List.of("--print-uris", "download"));
        arguments.addAll(packages);
        Result result = run(emptyDirectory, "apt-get", arguments, done -> {});
        List<Download> downloads = new ArrayList<>();
        if (result.status == 0) {
            Matcher matcher = URI_LINE.matcher(result.stdout);
            while (matcher.find()) {
                long sizeBytes = Long.parseLong(matcher.group(2));
                downloads.add(new Download(matcher.group(1), sizeBytes, matcher.group(3)));
            }
        }
        return downloads.size() == packages.size() ? List.copyOf(downloads) : List.of();
    }

    /**
     * Downloads packages into a directory.
     *
     * @return nothing when all went well, else the client's own last words
     */
    Optional<String> download(Path directory, List<String> packages, LongConsumer doneBytes) {
        List<String> arguments = new ArrayList<>(List.of("-q", "download"));
        arguments.addAll(packages);
        Result result = run(directory, "apt-get", arguments, doneBytes);
        return result.status == 0 ? Optional.empty() : Optional.of(result.complaint());
    }

    /**
     * Fetches package lists of our own, for amd64 whatever the host is, and uses them from now on.
     *
     * @return nothing when all went well, else the client's own last words
     */
    Optional<String> refresh() {
        try {
            Files.createDirectories(lists.resolve("lists/partial"));
            Files.createDirectories(lists.resolve("cache/archives/partial"));
            Files.writeString(lists.resolve("status"), "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        options.addAll(List.of("-o", "Dir::State::lists=" + lists.resolve("lists")));
        options.addAll(List.of("-o", "Dir::State::status=" + lists.resolve("status")));
        options.addAll(List.of("-o", "Dir::Cache=" + lists.resolve("cache")));
        options.addAll(List.of("-o", "APT::Architecture=amd64"));
        options.addAll(List.of("-o", "APT::Architectures=amd64"));
        Result result = run(Path.of("."), "apt-get", List.of("-q", "update"), done -> {});
        // The client ends with status 0 though some lists could not be had: it warns then.
        boolean failed = result.status != 0 || result.stderr.contains("Failed to fetch");
        return failed ? Optional.of(result.complaint()) : Optional.empty();
    }

    private Result run(
            Path directory, String program, List<String> arguments, LongConsumer doneBytes) {
        List<String> command = new ArrayList<>(List.of(program));
        command.addAll(options);
        command.addAll(arguments);
        try {
            Path stdout = Files.createTempFile("javisor-apt", ".out");
            Path stderr = Files.createTempFile("javisor-apt", ".err");
            try {
                ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
                builder.environment().put("LC_ALL", "C");
                builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
                builder.redirectOutput(stdout.toFile()).redirectError(stderr.toFile());
                Process process = builder.start();
                try {
                    while (!process.waitFor(POLL_MS, TimeUnit.MILLISECONDS)) {
                        doneBytes.accept(sizeOf(directory));
                    }
                } finally {
                    process.destroy();
                }
                return new Result(
                        process.exitValue(),
                        Files.readString(stdout, StandardCharsets.UTF_8),
                        Files.readString(stderr, StandardCharsets.UTF_8));
            } finally {
                Files.deleteIfExists(stdout);
                Files.deleteIfExists(stderr);
            }
        } catch (IOException e) {
            throw new GuestKitException("cannot run " + program + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuestKitException("interrupted while waiting for " + program, e);
        }
    }

    private static long sizeOf(Path directory) {
        if (directory.equals(Path.of("."))) {
            return 0;
        }
        long size = 0;
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                size += Files.isRegularFile(file) ? Files.size(file) : 0;
            }
        } catch (IOException | UncheckedIOException e) {
            return size; // The client renames files while we look.
        }
        return size;
    }

    private record Result(int status, String stdout, String stderr) {
        /** What went wrong in the client's own words, one line. */
        String complaint() {
            String last = "status " + status;
            for (String mark : List.of("Failed to fetch", "E: ")) {
                for (String line : stderr.lines().toList()) {
                    if (line.contains(mark)) {
                        return line.replaceFirst("^[EW]: ", "").strip();
                    }
                    last = line.isBlank() ? last : line.strip();
                }
            }
            return last;
        }
    }
}
