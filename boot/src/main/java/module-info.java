/** Loaders: put a kernel into guest memory and say where the first CPU starts. */
@org.jspecify.annotations.NullMarked
module dev.javisor.boot {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires dev.javisor.machine;
    requires static transitive org.jspecify;

    exports dev.javisor.boot;
}
