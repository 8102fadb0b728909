/** The default guest: Debian's stock cloud kernel and an initramfs made here. */
@org.jspecify.annotations.NullMarked
module dev.javisor.guestkit {
    requires transitive dev.javisor.base;
    requires org.apache.commons.compress;
    requires org.tukaani.xz;
    requires static transitive org.jspecify;

    exports dev.javisor.guestkit;
}
