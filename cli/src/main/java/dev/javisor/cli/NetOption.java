package dev.javisor.cli;

import dev.javisor.vmm.NetSpec;
import java.util.Optional;

/** The value of {@code --net}: {@code none}, or an interface as {@link NetSpec#parse} reads it. */
record NetOption(Optional<NetSpec> spec) {
    /**
     * @throws IllegalArgumentException with a message for the person who wrote it
     */
    static NetOption parse(String text) {
        return new NetOption(
                text.equals("none") ? Optional.empty() : Optional.of(NetSpec.parse(text)));
    }
}
