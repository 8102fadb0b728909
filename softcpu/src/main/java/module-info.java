/** The software CPU: x86-64 in Java, on any host, without native access. */
@SuppressWarnings("module")
@org.jspecify.annotations.NullMarked
module dev.javisor.softcpu {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.hypervisor;
    requires jdk.jfr;
    requires static transitive org.jspecify;

    exports dev.javisor.softcpu;
    exports dev.javisor.softcpu.block to
            dev.javisor.oracle;
    exports dev.javisor.softcpu.translate to
            dev.javisor.oracle;
    exports dev.javisor.softcpu.core to
            dev.javisor.oracle;
    exports dev.javisor.softcpu.decode to
            dev.javisor.oracle;
    exports dev.javisor.softcpu.exec to
            dev.javisor.oracle;
    exports dev.javisor.softcpu.fp to
            dev.javisor.oracle;
}
