package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.PendingFlags;
import dev.javisor.softcpu.block.Region;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ConstantDescs;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The ways out of a region: small stubs behind its code, which share what stores the flags and
 * writes registers back. The JIT keeps all of it off the hot path.
 */
final class Exits {
    /**
     * @param ip where to go on
     * @param kind where the flags are
     * @param code {@link Region#NEXT} or {@link Region#SIDE_EXIT}
     * @param uncounted instructions of the block that have been counted, but not executed
     */
    private record Site(long ip, FlagKind kind, int code, int uncounted) {}

    /** Where RIP is known already. */
    private record Tail(FlagKind kind, int code) {}

    private final Frame f;
    private final CodeBuilder code;
    private final Map<Site, Label> sites = new LinkedHashMap<>();
    private final Map<Tail, Label> tails = new LinkedHashMap<>();

    Exits(Frame frame) {
        f = frame;
        code = frame.code;
    }

    /** Label to jump to for leaving before an instruction that tier one must execute. */
    Label aside(long ip, FlagKind kind, int uncounted) {
        return sites.computeIfAbsent(
                new Site(ip, kind, Region.SIDE_EXIT, uncounted), s -> code.newLabel());
    }

    /** Label to jump to for going on elsewhere. */
    Label next(long ip, FlagKind kind, int uncounted) {
        return sites.computeIfAbsent(
                new Site(ip, kind, Region.NEXT, uncounted), s -> code.newLabel());
    }

    /** As {@link #next}, with the address in {@link Frame#RIP}. */
    Label indirect(FlagKind kind) {
        return tail(kind, Region.NEXT);
    }

    private Label tail(FlagKind kind, int why) {
        return tails.computeIfAbsent(new Tail(kind, why), t -> code.newLabel());
    }

    /** Writes everything that labels were given out for; the last of the method. */
    void write() {
        sites.forEach((site, label) -> {
            code.labelBinding(label);
            if (site.uncounted != 0) {
                code.iinc(Frame.COUNT, -site.uncounted);
            }
            code.loadConstant(site.ip).lstore(Frame.RIP);
            code.goto_(tail(site.kind, site.code));
        });
        Label common = code.newLabel();
        tails.forEach((tail, label) -> {
            code.labelBinding(label);
            int pending = tail.kind.pending();
            if (pending != PendingFlags.STORED) {
                code.lload(Frame.A).lstore(Frame.RESULT).lload(Frame.B).lstore(Frame.AUX);
            }
            code.loadConstant(tail.code | pending << 8).istore(Frame.CODE);
            code.goto_(common);
        });
        code.labelBinding(common);
        f.spill();
        code.aload(Frame.CPU_LOCAL).lload(Frame.RIP);
        code.putfield(Frame.CPU, "rip", ConstantDescs.CD_long);
        code.iload(Frame.CODE).ireturn();
    }
}
