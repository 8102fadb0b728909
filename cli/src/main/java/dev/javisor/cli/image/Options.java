package dev.javisor.cli.image;

import dev.javisor.base.Sizes;
import dev.javisor.block.DiskFiles;
import dev.javisor.block.DiskFormat;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options that several verbs have. */
final class Options {
    private Options() {}

    /** Help, and how much is said. */
    static final class Common {
        @Option(
                names = {"-h", "--help"},
                usageHelp = true,
                description = "Shows this help")
        boolean help;

        @Option(
                names = {"-q", "--quiet"},
                description = "Prints only errors")
        boolean quiet;

        @Option(
                names = {"-p", "--progress"},
                description = "Shows a progress bar; else only on a terminal")
        boolean progress;

        boolean showsProgress(ImageConsole console) {
            return !quiet && (progress || console.terminal());
        }
    }

    /** Whether headers may lead to other files. */
    static final class Following {
        @Option(
                names = "--follow-backing",
                description =
                        "Opens the backing and data files that the image names: only for images"
                                + " that you trust")
        boolean follow;

        DiskFiles.References orRefused() {
            return follow
                    ? new DiskFiles.References.Followed()
                    : new DiskFiles.References.Refused();
        }

        DiskFiles.References orLeftOut() {
            return follow
                    ? new DiskFiles.References.Followed()
                    : new DiskFiles.References.LeftOut();
        }
    }

    /** How results are printed. */
    enum Output {
        HUMAN,
        JSON
    }

    static final class FormatConverter implements ITypeConverter<DiskFormat> {
        @Override
        public DiskFormat convert(String value) {
            return DiskFormat.of(value)
                    .orElseThrow(() ->
                            new TypeConversionException(
                                    "'%s' is no format: there are %s"
                                            .formatted(value, DiskFormat.names())));
        }
    }

    static final class SizeConverter implements ITypeConverter<Long> {
        @Override
        public Long convert(String value) {
            try {
                return Sizes.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }
}
