/**
 * System calls of Linux, through the foreign function interface. One of the few modules with native
 * access: it holds nothing but thin, checked wrappers.
 */
@org.jspecify.annotations.NullMarked
module dev.javisor.linux {
    requires transitive dev.javisor.base;
    requires static transitive org.jspecify;

    exports dev.javisor.linux;
}
