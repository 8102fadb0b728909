package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.PendingFlags;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
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
     * @param ip where to go on; nowhere if {@link Frame#RIP} has it
     * @param kind where the flags are
     * @param why {@link Region#NEXT} or {@link Region#SIDE_EXIT}
     * @param uncounted instructions of the block that have been counted, but not executed
     */
    private record Site(long ip, boolean indirect, FlagKind kind, int why, int uncounted) {}

    private final Frame f;
    private final CodeBuilder code;
    private final Map<Site, Label> sites = new LinkedHashMap<>();

    Exits(Frame frame) {
        f = frame;
        code = frame.code;
    }

    /** Label to jump to for leaving before an instruction that tier one must execute. */
    Label aside(long ip, FlagKind kind, int uncounted) {
        return label(new Site(ip, false, kind, Region.SIDE_EXIT, uncounted));
    }

    /** Label to jump to for going on elsewhere. */
    Label next(long ip, FlagKind kind, int uncounted) {
        return label(new Site(ip, false, kind, Region.NEXT, uncounted));
    }

    /** As {@link #next}, with the address in {@link Frame#RIP}. */
    Label indirect(FlagKind kind) {
        return label(new Site(0, true, kind, Region.NEXT, 0));
    }

    private Label label(Site site) {
        return sites.computeIfAbsent(site, s -> code.newLabel());
    }

    /** Writes everything that labels were given out for; the last of the method. */
    RegionExits write() {
        RegionExits exits = new RegionExits(sites.size());
        Label operands = code.newLabel();
        Label stored = code.newLabel();
        Label common = code.newLabel();
        int number = 0;
        for (Map.Entry<Site, Label> entry : sites.entrySet()) {
            Site site = entry.getKey();
            int pending = site.kind.pending();
            code.labelBinding(entry.getValue());
            if (site.indirect) {
                code.aload(Frame.CPU_LOCAL).lload(Frame.RIP);
                code.putfield(Frame.CPU, "rip", ConstantDescs.CD_long);
                exits.addIndirect(pending);
            } else {
                exits.add(site.ip, site.why, pending, site.uncounted);
            }
            code.loadConstant(number++);
            code.goto_(pending == PendingFlags.STORED ? stored : operands);
        }
        code.labelBinding(operands);
        code.istore(Frame.CODE);
        code.lload(Frame.A).lstore(Frame.RESULT).lload(Frame.B).lstore(Frame.AUX);
        code.goto_(common);
        code.labelBinding(stored);
        code.istore(Frame.CODE);
        code.labelBinding(common);
        f.spill();
        code.iload(Frame.CODE).ireturn();
        return exits;
    }
}
