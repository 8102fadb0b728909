package dev.javisor.cli;

import dev.javisor.vmm.Accelerator;
import dev.javisor.vmm.TranslationMode;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * The value of {@code --switch-to}: {@code ACCEL@TIME}, where {@code soft} may say how it treats
 * hot code, such as {@code soft:off@10s}.
 *
 * @param translation empty for that of {@code --translate}
 */
record SwitchOption(Accelerator target, Optional<TranslationMode> translation, Duration after) {
    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static SwitchOption parse(String text) {
        int at = text.indexOf('@');
        if (at < 0) {
            throw new IllegalArgumentException(
                    "'" + text + "' does not say when: write ACCEL@TIME, such as kvm@10s");
        }
        String target = text.substring(0, at);
        int colon = target.indexOf(':');
        String name = colon < 0 ? target : target.substring(0, colon);
        Accelerator accelerator =
                of(Accelerator.class, name, "'" + name + "' is no accelerator: kvm or soft");
        Optional<TranslationMode> translation =
                colon < 0
                        ? Optional.empty()
                        : Optional.of(translation(accelerator, target.substring(colon + 1)));
        return new SwitchOption(accelerator, translation, Durations.parse(text.substring(at + 1)));
    }

    private static TranslationMode translation(Accelerator accelerator, String mode) {
        if (accelerator != Accelerator.SOFT) {
            throw new IllegalArgumentException("':" + mode + "' belongs to soft only");
        }
        return of(
                TranslationMode.class,
                mode,
                "'" + mode + "' is no way to translate: off, on or eager");
    }

    private static <E extends Enum<E>> E of(Class<E> type, String name, String otherwise) {
        for (E value : type.getEnumConstants()) {
            if (value.name().toLowerCase(Locale.ROOT).equals(name)) {
                return value;
            }
        }
        throw new IllegalArgumentException(otherwise);
    }
}
