/** What every floor uses: time, timers, sizes, the root of our exceptions. */
@org.jspecify.annotations.NullMarked
module dev.javisor.base {
    requires static transitive org.jspecify;

    exports dev.javisor.base;
}
