/** The machine floor's common ground: buses, interrupt lines, PCI, ACPI tables, the memory map. */
@org.jspecify.annotations.NullMarked
module dev.javisor.machine {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires static transitive org.jspecify;

    exports dev.javisor.machine;
}
