/** Virtio devices (VIRTIO 1.2) and their PCI transport. */
@org.jspecify.annotations.NullMarked
module dev.javisor.virtio {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.block;
    requires transitive dev.javisor.hypervisor;
    requires transitive dev.javisor.machine;
    requires transitive dev.javisor.net;
    requires static transitive org.jspecify;

    exports dev.javisor.virtio;
    exports dev.javisor.virtio.balloon;
    exports dev.javisor.virtio.block;
    exports dev.javisor.virtio.console;
    exports dev.javisor.virtio.net;
    exports dev.javisor.virtio.rng;
}
