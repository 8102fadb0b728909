package dev.javisor.block;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** What becomes of a guest's request that the host could not do. */
public enum ErrorPolicy {
    /** The guest gets an I/O error. */
    REPORT,
    /** The machine pauses, the guest sees nothing; on resume the request is tried again. */
    STOP,
    /** As STOP where the host has no space left, else as REPORT. */
    ENOSPC;

    /** Whether a request is kept for another try. */
    public boolean keeps(BlockException error) {
        return switch (this) {
            case REPORT -> false;
            case STOP -> true;
            case ENOSPC -> error.isOutOfSpace();
        };
    }

    /** As people write it. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** By its name. */
    public static Optional<ErrorPolicy> of(String name) {
        return Arrays.stream(values()).filter(policy -> policy.id().equals(name)).findFirst();
    }

    /** All of them, for messages. */
    public static String names() {
        return Arrays.stream(values()).map(ErrorPolicy::id).collect(Collectors.joining(", "));
    }
}
