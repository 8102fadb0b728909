package dev.javisor.cli;

/** The value of {@code --accel}. */
enum Accelerator {
    auto,
    kvm,
    soft
}
