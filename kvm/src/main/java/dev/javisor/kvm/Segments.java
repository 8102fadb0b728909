package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Between struct kvm_segment and neutral segments. */
final class Segments {
    private static final int UNUSABLE = 1 << 16;

    private Segments() {}

    static Segment read(MemorySegment sregs, int at) {
        int attributes = octet(sregs, at + SregsLayout.TYPE) & 0xF;
        attributes |= octet(sregs, at + SregsLayout.S) << 4;
        attributes |= (octet(sregs, at + SregsLayout.DPL) & 3) << 5;
        attributes |= octet(sregs, at + SregsLayout.PRESENT) << 7;
        attributes |= octet(sregs, at + SregsLayout.AVL) << 12;
        attributes |= octet(sregs, at + SregsLayout.L) << 13;
        attributes |= octet(sregs, at + SregsLayout.DB) << 14;
        attributes |= octet(sregs, at + SregsLayout.G) << 15;
        attributes |= octet(sregs, at + SregsLayout.UNUSABLE) != 0 ? UNUSABLE : 0;
        return new Segment(
                sregs.get(ValueLayout.JAVA_SHORT, at + SregsLayout.SELECTOR) & 0xFFFF,
                sregs.get(ValueLayout.JAVA_LONG, at + SregsLayout.BASE),
                sregs.get(ValueLayout.JAVA_INT, at + SregsLayout.LIMIT),
                attributes);
    }

    private static int octet(MemorySegment s, int at) {
        return s.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
    }

    static void write(MemorySegment sregs, int at, Segment segment) {
        int attributes = segment.attributes();
        boolean unusable = (attributes & UNUSABLE) != 0;
        sregs.set(ValueLayout.JAVA_LONG, at + SregsLayout.BASE, segment.base());
        sregs.set(ValueLayout.JAVA_INT, at + SregsLayout.LIMIT, segment.limit());
        sregs.set(ValueLayout.JAVA_SHORT, at + SregsLayout.SELECTOR, (short) segment.selector());
        octet(sregs, at + SregsLayout.TYPE, attributes & 0xF);
        octet(sregs, at + SregsLayout.S, attributes >> 4 & 1);
        octet(sregs, at + SregsLayout.DPL, attributes >> 5 & 3);
        octet(sregs, at + SregsLayout.PRESENT, unusable ? 0 : attributes >> 7 & 1);
        octet(sregs, at + SregsLayout.AVL, attributes >> 12 & 1);
        octet(sregs, at + SregsLayout.L, attributes >> 13 & 1);
        octet(sregs, at + SregsLayout.DB, attributes >> 14 & 1);
        octet(sregs, at + SregsLayout.G, attributes >> 15 & 1);
        octet(sregs, at + SregsLayout.UNUSABLE, unusable ? 1 : 0);
    }

    private static void octet(MemorySegment s, int at, int value) {
        s.set(ValueLayout.JAVA_BYTE, at, (byte) value);
    }

    static DescriptorTable readTable(MemorySegment sregs, int at) {
        return new DescriptorTable(
                sregs.get(ValueLayout.JAVA_LONG, at + SregsLayout.TABLE_BASE),
                sregs.get(ValueLayout.JAVA_SHORT, at + SregsLayout.TABLE_LIMIT) & 0xFFFF);
    }

    static void writeTable(MemorySegment sregs, int at, DescriptorTable table) {
        sregs.set(ValueLayout.JAVA_LONG, at + SregsLayout.TABLE_BASE, table.base());
        sregs.set(ValueLayout.JAVA_SHORT, at + SregsLayout.TABLE_LIMIT, (short) table.limit());
    }
}
