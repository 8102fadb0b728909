package dev.javisor.cli;

import dev.javisor.base.Sizes;
import dev.javisor.block.DiskFormat;
import dev.javisor.block.DiskLimits;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The value of {@code --disk}: a file, then any of {@code format=NAME}, {@code readonly}, {@code
 * backing=follow}, {@code serial=NAME}, {@code iops=COUNT[:BURST]}, {@code bps=SIZE[:BURST]}.
 *
 * @param followBacking whether the files that the image's header names may be opened
 */
record DiskOption(
        Path file,
        Optional<DiskFormat> format,
        boolean readOnly,
        boolean followBacking,
        Optional<String> serial,
        DiskLimits limits) {
    private static final String SETTINGS =
            "readonly, format=NAME, backing=follow, serial=NAME, iops=COUNT[:BURST],"
                    + " bps=SIZE[:BURST]";

    /** A disk with none of the settings. */
    static DiskOption plain(Path file) {
        return new DiskOption(
                file, Optional.empty(), false, false, Optional.empty(), DiskLimits.NONE);
    }

    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static DiskOption parse(String text) {
        DiskOption settings = plain(Path.of(""));
        String file = text;
        for (int comma = file.lastIndexOf(','); comma >= 0; comma = file.lastIndexOf(',')) {
            Optional<DiskOption> next = settings.with(file.substring(comma + 1));
            if (next.isEmpty()) {
                // A comma of the file's name, if the settings end here.
                if (settings.equals(plain(Path.of("")))) {
                    throw new IllegalArgumentException(
                            "'%s' is no setting of a disk: there are %s"
                                    .formatted(file.substring(comma + 1), SETTINGS));
                }
                break;
            }
            settings = next.get();
            file = file.substring(0, comma);
        }
        if (file.isEmpty()) {
            throw new IllegalArgumentException("no file in '" + text + "'");
        }
        return new DiskOption(
                Path.of(file),
                settings.format,
                settings.readOnly,
                settings.followBacking,
                settings.serial,
                settings.limits);
    }

    private Optional<DiskOption> with(String setting) {
        int equals = setting.indexOf('=');
        String key = equals < 0 ? setting : setting.substring(0, equals);
        String value = equals < 0 ? "" : setting.substring(equals + 1);
        return switch (key) {
            case "readonly", "ro" ->
                    Optional.of(new DiskOption(file, format, true, followBacking, serial, limits));
            case "format" ->
                    Optional.of(
                            new DiskOption(
                                    file,
                                    Optional.of(format(value)),
                                    readOnly,
                                    followBacking,
                                    serial,
                                    limits));
            case "backing" -> {
                if (!value.equals("follow")) {
                    throw new IllegalArgumentException("backing is only 'follow'");
                }
                yield Optional.of(new DiskOption(file, format, readOnly, true, serial, limits));
            }
            case "serial" -> {
                if (!value.matches("[!-~]{1,20}")) {
                    throw new IllegalArgumentException(
                            "a serial has 1 to 20 printable characters, not '" + value + "'");
                }
                yield Optional.of(
                        new DiskOption(
                                file, format, readOnly, followBacking, Optional.of(value), limits));
            }
            case "iops", "bps" -> Optional.of(withLimit(key.equals("iops"), value));
            default -> Optional.empty();
        };
    }

    private static DiskFormat format(String name) {
        return DiskFormat.of(name)
                .orElseThrow(() ->
                        new IllegalArgumentException(
                                "'%s' is no format: there are %s"
                                        .formatted(name, DiskFormat.names())));
    }

    /** Without a burst, what is allowed in a tenth of a second may come at once. */
    private DiskOption withLimit(boolean operations, String value) {
        String[] parts = value.split(":", 2);
        long rate = Sizes.parse(parts[0]);
        long burst = parts.length > 1 ? Sizes.parse(parts[1]) : Math.max(1, rate / 10);
        if (rate < 1 || burst < 1) {
            throw new IllegalArgumentException("a limit is at least 1, not '" + value + "'");
        }
        DiskLimits next =
                operations ? limits.withOperations(rate, burst) : limits.withBytes(rate, burst);
        return new DiskOption(file, format, readOnly, followBacking, serial, next);
    }
}
