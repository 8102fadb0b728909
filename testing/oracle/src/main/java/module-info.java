/** Random instructions on the software CPU and on the host's processor, compared. */
@org.jspecify.annotations.NullMarked
module dev.javisor.oracle {
    requires dev.javisor.hypervisor;
    requires dev.javisor.softcpu;
    requires static transitive org.jspecify;
}
