package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Region;
import java.util.Locale;
import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/**
 * One attempt at a region: an event of JDK Flight Recorder, a line of the log {@code
 * dev.javisor.translate}, and the region's listing in {@code dev.javisor.listing}.
 */
@Name("dev.javisor.RegionTranslation")
@Label("Region Translation")
@Description("Hot guest code becomes a Java method")
@Category({"Javisor", "Software CPU"})
@StackTrace(false)
final class RegionTranslation extends Event {
    private static final System.Logger LOG = System.getLogger("dev.javisor.translate");
    private static final System.Logger LISTINGS = System.getLogger("dev.javisor.listing");

    @Label("vCPU")
    int vcpu;

    @Label("Guest Address")
    String address = "";

    @Label("Blocks")
    int blocks;

    @Label("Dispatch Codes")
    int codes;

    @Label("Bytecode")
    @Description("Bytes of the method; the JVM compiles none above 8000")
    int methodBytes;

    @Label("Large")
    boolean large;

    @Label("Useful")
    @Description("False: the code stays interpreted")
    boolean useful;

    /** Whether listings are logged, so that they must be kept. */
    static boolean listings() {
        return LISTINGS.isLoggable(System.Logger.Level.DEBUG);
    }

    void end(@Nullable Region region, long nanos) {
        useful = region != null;
        commit();
        if (LOG.isLoggable(System.Logger.Level.DEBUG)) {
            LOG.log(
                    System.Logger.Level.DEBUG,
                    "vcpu %d: %s at %s: %d blocks, %d codes, %d bytes of bytecode, %.2f ms"
                            .formatted(
                                    vcpu,
                                    !useful ? "no region" : large ? "large region" : "region",
                                    address,
                                    blocks,
                                    codes,
                                    methodBytes,
                                    nanos / 1e6));
        }
        if (region != null && listings()) {
            LISTINGS.log(
                    System.Logger.Level.DEBUG,
                    String.format(Locale.ROOT, "vcpu %d%n%s", vcpu, region.listing()));
        }
    }
}
