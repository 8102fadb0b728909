/** The KVM accelerator: the contract of {@code dev.javisor.hypervisor} on Linux's /dev/kvm. */
@org.jspecify.annotations.NullMarked
module dev.javisor.kvm {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires transitive dev.javisor.linux;
    requires static transitive org.jspecify;

    exports dev.javisor.kvm;
}
