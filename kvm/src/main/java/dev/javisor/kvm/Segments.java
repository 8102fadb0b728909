package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState.DescriptorTable;
import dev.javisor.hypervisor.CpuState.Segment;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Between struct kvm_segment and neutral segments. */
final class Segments {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final int UNUSABLE = 1 << 16;

    private Segments() {}

    static Segment read(MemorySegment sregs, int at) {
        return new Segment(
                selector(sregs, at), base(sregs, at), limit(sregs, at), attributes(sregs, at));
    }

    static int selector(MemorySegment sregs, int at) {
        return sregs.get(SHORT, at + SregsLayout.SELECTOR) & 0xFFFF;
    }

    static long base(MemorySegment sregs, int at) {
        return sregs.get(LONG, at + SregsLayout.BASE);
    }

    static int limit(MemorySegment sregs, int at) {
        return sregs.get(INT, at + SregsLayout.LIMIT);
    }

    /** As {@link Segment#attributes}. */
    static int attributes(MemorySegment sregs, int at) {
        int attributes = octet(sregs, at + SregsLayout.TYPE) & 0xF;
        attributes |= octet(sregs, at + SregsLayout.S) << 4;
        attributes |= (octet(sregs, at + SregsLayout.DPL) & 3) << 5;
        attributes |= octet(sregs, at + SregsLayout.PRESENT) << 7;
        attributes |= octet(sregs, at + SregsLayout.AVL) << 12;
        attributes |= octet(sregs, at + SregsLayout.L) << 13;
        attributes |= octet(sregs, at + SregsLayout.DB) << 14;
        attributes |= octet(sregs, at + SregsLayout.G) << 15;
        attributes |= octet(sregs, at + SregsLayout.UNUSABLE) != 0 ? UNUSABLE : 0;
        return attributes;
    }

    private static int octet(MemorySegment s, int at) {
        return s.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
    }

    static void write(MemorySegment sregs, int at, Segment s) {
        write(sregs, at, s.selector(), s.base(), s.limit(), s.attributes());
    }

    static void write(
            MemorySegment sregs, int at, int selector, long base, int limit, int attributes) {
        boolean unusable = (attributes & UNUSABLE) != 0;
        sregs.set(LONG, at + SregsLayout.BASE, base);
        sregs.set(INT, at + SregsLayout.LIMIT, limit);
        sregs.set(SHORT, at + SregsLayout.SELECTOR, (short) selector);
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
        return new DescriptorTable(tableBase(sregs, at), tableLimit(sregs, at));
    }

    static long tableBase(MemorySegment sregs, int at) {
        return sregs.get(LONG, at + SregsLayout.TABLE_BASE);
    }

    static int tableLimit(MemorySegment sregs, int at) {
        return sregs.get(SHORT, at + SregsLayout.TABLE_LIMIT) & 0xFFFF;
    }

    static void writeTable(MemorySegment sregs, int at, long base, int limit) {
        sregs.set(LONG, at + SregsLayout.TABLE_BASE, base);
        sregs.set(SHORT, at + SregsLayout.TABLE_LIMIT, (short) limit);
    }
}
