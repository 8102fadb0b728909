package dev.javisor.cli;

import dev.javisor.base.Sizes;
import dev.javisor.block.DiskErrors;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskLimits;
import dev.javisor.block.ErrorPolicy;
import dev.javisor.block.nbd.NbdAddress;
import dev.javisor.vmm.DiskSource;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * The value of {@code --disk}: a file or an NBD URI, then any of {@code format=NAME}, {@code
 * readonly}, {@code backing=follow}, {@code serial=NAME}, {@code iops=COUNT[:BURST]}, {@code
 * bps=SIZE[:BURST]}, {@code rerror=POLICY}, {@code werror=POLICY}, {@code reconnect=TIME}.
 *
 * @param followBacking whether the files that the image's header names may be opened
 */
record DiskOption(
        DiskSource source,
        Optional<DiskFormat> format,
        boolean readOnly,
        boolean followBacking,
        Optional<String> serial,
        DiskLimits limits,
        DiskErrors errors) {
    /** How long requests wait for an NBD server that is gone. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final String SETTINGS =
            "readonly, format=NAME, backing=follow, serial=NAME, iops=COUNT[:BURST],"
                    + " bps=SIZE[:BURST], rerror=POLICY, werror=POLICY, reconnect=TIME";

    /** A disk with none of the settings. */
    static DiskOption plain(Path file) {
        return new Settings().of(file.toString());
    }

    /** While they are read. */
    private static final class Settings {
        private Optional<DiskFormat> format = Optional.empty();
        private boolean readOnly;
        private boolean followBacking;
        private Optional<String> serial = Optional.empty();
        private DiskLimits limits = DiskLimits.NONE;
        private DiskErrors errors = DiskErrors.STANDARD;
        private Optional<Duration> patience = Optional.empty();

        DiskOption of(String target) {
            return new DiskOption(
                    source(target), format, readOnly, followBacking, serial, limits, errors);
        }

        private DiskSource source(String target) {
            if (!NbdAddress.isUri(target)) {
                if (patience.isPresent()) {
                    throw new IllegalArgumentException("reconnect is for nbd:// disks only");
                }
                return new DiskSource.File(Path.of(target));
            }
            if (format.isPresent() || followBacking) {
                throw new IllegalArgumentException(
                        "an NBD server says itself what a disk contains: no format, no backing");
            }
            return new DiskSource.Nbd(NbdAddress.parse(target), patience.orElse(PATIENCE));
        }

        /** Whether {@code setting} is one. */
        boolean take(String setting) {
            int equals = setting.indexOf('=');
            String key = equals < 0 ? setting : setting.substring(0, equals);
            String value = equals < 0 ? "" : setting.substring(equals + 1);
            switch (key) {
                case "readonly", "ro" -> readOnly = true;
                case "format" -> format = Optional.of(format(value));
                case "backing" -> {
                    if (!value.equals("follow")) {
                        throw new IllegalArgumentException("backing is only 'follow'");
                    }
                    followBacking = true;
                }
                case "serial" -> {
                    if (!value.matches("[!-~]{1,20}")) {
                        throw new IllegalArgumentException(
                                "a serial has 1 to 20 printable characters, not '" + value + "'");
                    }
                    serial = Optional.of(value);
                }
                case "iops", "bps" -> limits = limited(limits, key.equals("iops"), value);
                case "reconnect" -> patience = Optional.of(Durations.parse(value));
                case "rerror" -> errors = new DiskErrors(policy(value), errors.writes());
                case "werror" -> errors = new DiskErrors(errors.reads(), policy(value));
                default -> {
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static DiskOption parse(String text) {
        Settings settings = new Settings();
        String file = text;
        boolean some = false;
        for (int comma = file.lastIndexOf(','); comma >= 0; comma = file.lastIndexOf(',')) {
            if (!settings.take(file.substring(comma + 1))) {
                // A comma of the file's name, if the settings end here.
                if (!some) {
                    throw new IllegalArgumentException(
                            "'%s' is no setting of a disk: there are %s"
                                    .formatted(file.substring(comma + 1), SETTINGS));
                }
                break;
            }
            some = true;
            file = file.substring(0, comma);
        }
        if (file.isEmpty()) {
            throw new IllegalArgumentException("no file in '" + text + "'");
        }
        return settings.of(file);
    }

    private static ErrorPolicy policy(String name) {
        return ErrorPolicy.of(name)
                .orElseThrow(() ->
                        new IllegalArgumentException(
                                "'%s' is no policy for errors: there are %s"
                                        .formatted(name, ErrorPolicy.names())));
    }

    private static DiskFormat format(String name) {
        return DiskFormat.of(name)
                .orElseThrow(() ->
                        new IllegalArgumentException(
                                "'%s' is no format: there are %s"
                                        .formatted(name, DiskFormat.names())));
    }

    /** Without a burst, what is allowed in a tenth of a second may come at once. */
    private static DiskLimits limited(DiskLimits limits, boolean operations, String value) {
        String[] parts = value.split(":", 2);
        long rate = Sizes.parse(parts[0]);
        long burst = parts.length > 1 ? Sizes.parse(parts[1]) : Math.max(1, rate / 10);
        if (rate < 1 || burst < 1) {
            throw new IllegalArgumentException("a limit is at least 1, not '" + value + "'");
        }
        return operations ? limits.withOperations(rate, burst) : limits.withBytes(rate, burst);
    }
}
