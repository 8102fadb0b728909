/** The contract between a machine and the accelerator that runs its CPUs. */
@org.jspecify.annotations.NullMarked
module dev.javisor.hypervisor {
    requires transitive dev.javisor.base;
    requires static transitive org.jspecify;

    exports dev.javisor.hypervisor;
}
