/** What network interfaces lead to: backends that carry Ethernet frames. */
@org.jspecify.annotations.NullMarked
module dev.javisor.net {
    requires transitive dev.javisor.base;
    requires transitive dev.javisor.linux;
    requires static transitive org.jspecify;

    exports dev.javisor.net;
    exports dev.javisor.net.filter;
    exports dev.javisor.net.lan;
    exports dev.javisor.net.tap;
    exports dev.javisor.net.user;
}
