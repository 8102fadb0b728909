/** One virtual machine: put together, controlled, ended. */
@org.jspecify.annotations.NullMarked
module dev.javisor.vmm {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires transitive dev.javisor.block;
    requires dev.javisor.boot;
    requires dev.javisor.devices;
    requires dev.javisor.kvm;
    requires dev.javisor.linux;
    requires dev.javisor.machine;
    requires transitive dev.javisor.net;
    requires dev.javisor.softcpu;
    requires dev.javisor.virtio;
    requires jdk.management;
    requires static transitive org.jspecify;

    exports dev.javisor.vmm;
}
