package dev.javisor.cli;

import java.nio.file.Path;

/** The value of {@code --disk}: {@code FILE} or {@code FILE,readonly}. */
record DiskOption(Path file, boolean readOnly) {
    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static DiskOption parse(String text) {
        int comma = text.lastIndexOf(',');
        if (comma < 0) {
            return of(text, text, false);
        }
        String setting = text.substring(comma + 1);
        if (setting.equals("readonly") || setting.equals("ro")) {
            return of(text, text.substring(0, comma), true);
        }
        throw new IllegalArgumentException(
                "'" + setting + "' is no setting of a disk: only FILE or FILE,readonly");
    }

    private static DiskOption of(String text, String file, boolean readOnly) {
        if (file.isEmpty()) {
            throw new IllegalArgumentException("no file in '" + text + "'");
        }
        return new DiskOption(Path.of(file), readOnly);
    }
}
