/** What disks are made of: backends that read and write blocks. */
@org.jspecify.annotations.NullMarked
module dev.javisor.block {
    requires transitive dev.javisor.base;
    requires dev.javisor.linux;
    requires static transitive org.jspecify;

    exports dev.javisor.block;
    exports dev.javisor.block.image;
    exports dev.javisor.block.nbd;
    exports dev.javisor.block.qcow2;
}
