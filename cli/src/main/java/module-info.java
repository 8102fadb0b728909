/** The command line: what a person starts. */
@org.jspecify.annotations.NullMarked
module dev.javisor.cli {
    requires dev.javisor.base;
    requires dev.javisor.block;
    requires dev.javisor.guestkit;
    requires dev.javisor.hypervisor;
    requires dev.javisor.vmm;
    requires info.picocli;
    requires me.tongfei.progressbar;
    requires tools.jackson.databind;
    requires java.logging;
    requires java.management;
    requires jdk.management;
    // Only for SIGWINCH, by reflection: see Signals.
    requires jdk.unsupported;
    requires static org.jspecify;

    opens dev.javisor.cli to
            info.picocli;
    opens dev.javisor.cli.image to
            info.picocli;
}
