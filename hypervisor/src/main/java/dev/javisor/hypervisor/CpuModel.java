package dev.javisor.hypervisor;

import java.util.Optional;

/**
 * A named guest CPU model, so that a virtual machine can move between hosts and accelerators. The
 * levels are those of the x86-64 psABI, "Micro-Architecture Levels".
 */
public enum CpuModel {
    X86_64_V1("x86-64-v1"),
    X86_64_V2("x86-64-v2"),
    X86_64_V3("x86-64-v3"),
    /** Everything that this accelerator can offer on this host. Not movable. */
    HOST("host");

    /** The most that a guest can have and still move. */
    public static final CpuModel BEST = X86_64_V3;

    private final String id;

    CpuModel(String id) {
        this.id = id;
    }

    /** The name as typed and saved. */
    public String id() {
        return id;
    }

    public static Optional<CpuModel> of(String id) {
        for (CpuModel model : values()) {
            if (model.id.equals(id)) {
                return Optional.of(model);
            }
        }
        return Optional.empty();
    }
}
