/** The platform devices of a PC: what sits on the board itself. Each knows only its lines. */
@org.jspecify.annotations.NullMarked
module dev.javisor.devices {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires transitive dev.javisor.machine;
    requires static transitive org.jspecify;

    exports dev.javisor.devices;
}
