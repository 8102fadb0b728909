/** Tiny guests and the conformance suite: what every accelerator must do, through the contract. */
@org.jspecify.annotations.NullMarked
module dev.javisor.guests {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    // Tests count classes and measure metaspace.
    requires java.management;
    requires static transitive org.jspecify;

    exports dev.javisor.guests;
}
