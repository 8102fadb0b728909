/** What runs inside the emulated machine, on mainline KVM. */
@org.jspecify.annotations.NullMarked
module dev.javisor.mainlinekvm {
    requires dev.javisor.base;
    requires dev.javisor.guests;
    requires dev.javisor.hypervisor;
    requires dev.javisor.kvm;
    requires dev.javisor.softcpu;
    requires dev.javisor.vmm;
    requires static org.jspecify;
}
