package dev.javisor.cli;

import dev.javisor.block.DiskFormat;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The value of {@code --disk}: a file, then any of {@code format=NAME}, {@code readonly}, {@code
 * backing=follow}.
 *
 * @param followBacking whether the files that the image's header names may be opened
 */
record DiskOption(Path file, Optional<DiskFormat> format, boolean readOnly, boolean followBacking) {
    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static DiskOption parse(String text) {
        DiskOption settings = new DiskOption(Path.of(""), Optional.empty(), false, false);
        String file = text;
        for (int comma = file.lastIndexOf(','); comma >= 0; comma = file.lastIndexOf(',')) {
            Optional<DiskOption> next = settings.with(file.substring(comma + 1));
            if (next.isEmpty()) {
                // A comma of the file's name, if the settings end here.
                if (settings.isPlain()) {
                    throw new IllegalArgumentException(
                            "'"
                                    + file.substring(comma + 1)
                                    + "' is no setting of a disk: there are readonly, format=NAME,"
                                    + " backing=follow");
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
                Path.of(file), settings.format, settings.readOnly, settings.followBacking);
    }

    private boolean isPlain() {
        return format.isEmpty() && !readOnly && !followBacking;
    }

    private Optional<DiskOption> with(String setting) {
        if (setting.equals("readonly") || setting.equals("ro")) {
            return Optional.of(new DiskOption(file, format, true, followBacking));
        }
        if (setting.equals("backing=follow")) {
            return Optional.of(new DiskOption(file, format, readOnly, true));
        }
        if (setting.startsWith("format=")) {
            String name = setting.substring("format=".length());
            DiskFormat named =
                    DiskFormat.of(name)
                            .orElseThrow(() ->
                                    new IllegalArgumentException(
                                            "'"
                                                    + name
                                                    + "' is no format: there are "
                                                    + DiskFormat.names()));
            return Optional.of(new DiskOption(file, Optional.of(named), readOnly, followBacking));
        }
        return Optional.empty();
    }
}
