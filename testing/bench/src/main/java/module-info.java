/** Benchmarks: what the project promises in speed and memory, beside the peer's figures. */
@org.jspecify.annotations.NullMarked
module dev.javisor.bench {
    requires dev.javisor.base;
    requires dev.javisor.guestkit;
    requires dev.javisor.guests;
    requires dev.javisor.hypervisor;
    requires dev.javisor.kvm;
    requires dev.javisor.linux;
    requires jdk.management;
    requires static org.jspecify;
    requires tools.jackson.databind;
}
