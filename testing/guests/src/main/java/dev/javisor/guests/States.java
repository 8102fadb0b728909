package dev.javisor.guests;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Activity;
import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;

/** Variations of a vCPU's state. */
final class States {
    private States() {}

    static CpuState withTaskLimit(CpuState s, int limit) {
        Segments old = s.segments();
        Segment tr = old.tr();
        Segment task = new Segment(tr.selector(), tr.base(), limit, tr.attributes());
        Segments segments =
                new Segments(
                        old.es(),
                        old.cs(),
                        old.ss(),
                        old.ds(),
                        old.fs(),
                        old.gs(),
                        task,
                        old.ldtr());
        return with(s, s.rip(), segments);
    }

    static CpuState withRip(CpuState s, long rip) {
        return with(s, rip, s.segments());
    }

    private static CpuState with(CpuState s, long rip, Segments segments) {
        return new CpuState(
                s.gpr(),
                rip,
                s.rflags(),
                segments,
                s.gdt(),
                s.idt(),
                s.cr0(),
                s.cr2(),
                s.cr3(),
                s.cr4(),
                s.cr8(),
                s.efer(),
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                s.events(),
                s.activity(),
                s.tscOffset());
    }

    /** 32-bit protected mode without paging. */
    static CpuState protectedMode(
            CpuState s, long rip, long rsp, Segments segments, DescriptorTable gdt) {
        long[] gpr = new long[16];
        gpr[Asm.RSP] = rsp;
        return new CpuState(
                gpr,
                rip,
                2,
                segments,
                gdt,
                new DescriptorTable(0, 0),
                0x11,
                0,
                0,
                0,
                0,
                0,
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                s.events(),
                Activity.RUNNING,
                s.tscOffset());
    }

    /** With other events owed, doing something else. */
    static CpuState withEvents(CpuState s, CpuState.Events events, Activity activity) {
        return new CpuState(
                s.gpr(),
                s.rip(),
                s.rflags(),
                s.segments(),
                s.gdt(),
                s.idt(),
                s.cr0(),
                s.cr2(),
                s.cr3(),
                s.cr4(),
                s.cr8(),
                s.efer(),
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                events,
                activity,
                s.tscOffset());
    }

    /** Real mode at {@code segment:0}, everything else as after power-on. */
    static CpuState real(CpuState s, int segment) {
        Segment code = new Segment(segment, (long) segment << 4, 0xFFFF, 0x9B);
        Segment data = new Segment(0, 0, 0xFFFF, 0x93);
        Segment task = new Segment(0, 0, 0xFFFF, 0x8B);
        Segment ldt = new Segment(0, 0, 0xFFFF, 0x82);
        long[] gpr = new long[16];
        gpr[Asm.RSP] = 0x7000;
        return new CpuState(
                gpr,
                0,
                2,
                new Segments(data, code, data, data, data, data, task, ldt),
                new DescriptorTable(0, 0xFFFF),
                new DescriptorTable(0, 0x3FF),
                0x10,
                0,
                0,
                0,
                0,
                0,
                s.xcr0(),
                s.debug(),
                s.msrs(),
                s.xsave(),
                s.lapic(),
                s.events(),
                Activity.RUNNING,
                s.tscOffset());
    }
}
