package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A vCPU's registers as text, in the order that QEMU's and Linux's dumps have. */
final class RegisterDump {
    private static final String[] NAMES = {
        "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
        "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"
    };

    private RegisterDump() {}

    static String of(int id, MemorySegment regs, MemorySegment sregs) {
        StringBuilder text = new StringBuilder();
        text.append(
                "vCPU %d: RIP %016x RFLAGS %08x%n"
                        .formatted(
                                id,
                                regs.get(ValueLayout.JAVA_LONG, RegsLayout.RIP),
                                regs.get(ValueLayout.JAVA_LONG, RegsLayout.RFLAGS)));
        for (int i = 0; i < 16; i++) {
            text.append(
                    "%-3s %016x%s"
                            .formatted(
                                    NAMES[i],
                                    regs.get(ValueLayout.JAVA_LONG, RegsLayout.gpr(i)),
                                    i % 4 == 3 ? "\n" : " "));
        }
        segment(text, "ES", sregs, SregsLayout.ES);
        segment(text, "CS", sregs, SregsLayout.CS);
        segment(text, "SS", sregs, SregsLayout.SS);
        segment(text, "DS", sregs, SregsLayout.DS);
        segment(text, "FS", sregs, SregsLayout.FS);
        segment(text, "GS", sregs, SregsLayout.GS);
        segment(text, "TR", sregs, SregsLayout.TR);
        segment(text, "LDT", sregs, SregsLayout.LDT);
        table(text, "GDT", sregs, SregsLayout.GDT);
        table(text, "IDT", sregs, SregsLayout.IDT);
        text.append(
                "CR0 %08x CR2 %016x CR3 %016x CR4 %08x CR8 %x EFER %x"
                        .formatted(
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.CR0),
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.CR2),
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.CR3),
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.CR4),
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.CR8),
                                sregs.get(ValueLayout.JAVA_LONG, SregsLayout.EFER)));
        return text.toString();
    }

    private static void segment(StringBuilder text, String name, MemorySegment sregs, int at) {
        Segment s = Segments.read(sregs, at);
        text.append(
                "%-3s %04x %016x %08x %05x%n"
                        .formatted(name, s.selector(), s.base(), s.limit(), s.attributes()));
    }

    private static void table(StringBuilder text, String name, MemorySegment sregs, int at) {
        DescriptorTable t = Segments.readTable(sregs, at);
        text.append("%s %016x %04x%n".formatted(name, t.base(), t.limit()));
    }
}
