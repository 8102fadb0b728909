package dev.javisor.guests;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.CpuState.Segment;
import dev.javisor.hypervisor.CpuState.Segments;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * Compares the states of two vCPUs that have executed the same. What may differ, and why:
 *
 * <ul>
 *   <li>the TSC's offset, TSC deadline and the APIC timer's current count: they are times;
 *   <li>MSRs that only one side names, and IA32_MISC_ENABLE, the MTRR capabilities and AMD's
 *       configuration registers, which are the model's; paravirtual clock registers, which KVM's
 *       list names twice;
 *   <li>a segment register that is unusable: only that it is (SDM 3C §26.3.1.2 leaves the rest);
 *       bit 0 of the type of code and data segments, as KVM's state of real mode has it set; the
 *       AVL bit;
 *   <li>the local APIC's version, the arbitration priority and the reserved registers; the ID and
 *       the ICR's upper half below bit 24 outside x2APIC mode; TMR, which only matters for vectors
 *       in IRR or ISR;
 *   <li>x87 instruction and data pointers, opcode and selectors (SDM 1 §8.1.8 lets processors keep
 *       them only for exceptions); the XSAVE header, where a component in its initial state may or
 *       may not be named; MXCSR_MASK;
 *   <li>CR2 after a task switch and the reserved bits of DR6, DR7 above 31.
 * </ul>
 */
final class SideBySide {
    private static final TreeSet<Integer> MODEL_MSRS = new TreeSet<>(Integer::compareUnsigned);

    static {
        MODEL_MSRS.addAll(
                List.of(
                        0x10,
                        0x11,
                        0x12,
                        0x17,
                        0x1A0,
                        0x6E0,
                        0x4B564D00,
                        0x4B564D01,
                        0x8B,
                        0xFE,
                        0x179,
                        0x17A,
                        0xC0010010,
                        0xC0010015,
                        0xC001001A,
                        0xC001001D,
                        0xC001001F,
                        0xC0010055,
                        0xC0011020,
                        0xC0011022,
                        0xC0011029,
                        0xC001102A));
    }

    private static final int UNUSABLE = 0x10000;
    private static final int AVL = 0x1000;
    private static final int ACCESSED = 1;
    private static final int S = 0x10;
    private static final int X2APIC = 1 << 10;

    private SideBySide() {}

    /** The differences, one line each. */
    static List<String> differences(CpuState a, CpuState b) {
        List<String> found = new ArrayList<>();
        String[] names = {
            "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12",
            "R13", "R14", "R15"
        };
        for (int i = 0; i < 16; i++) {
            compare(found, names[i], a.gpr()[i], b.gpr()[i]);
        }
        compare(found, "RIP", a.rip(), b.rip());
        compare(found, "RFLAGS", a.rflags(), b.rflags());
        segments(found, a.segments(), b.segments());
        compare(found, "GDTR", a.gdt(), b.gdt());
        compare(found, "IDTR", a.idt(), b.idt());
        compare(found, "CR0", a.cr0(), b.cr0());
        compare(found, "CR2", a.cr2(), b.cr2());
        compare(found, "CR3", a.cr3(), b.cr3());
        compare(found, "CR4", a.cr4(), b.cr4());
        compare(found, "CR8", a.cr8(), b.cr8());
        compare(found, "EFER", a.efer(), b.efer());
        compare(found, "XCR0", a.xcr0(), b.xcr0());
        for (int i = 0; i < 8; i++) {
            if (i < 4 || i > 5) {
                compare(found, "DR" + i, a.debug()[i] & mask(i), b.debug()[i] & mask(i));
            }
        }
        for (Map.Entry<Integer, Long> msr : a.msrs().entrySet()) {
            Long other = b.msrs().get(msr.getKey());
            if (other != null && !MODEL_MSRS.contains(msr.getKey())) {
                compare(found, "MSR %#x".formatted(msr.getKey()), msr.getValue(), other);
            }
        }
        compare(found, "events", a.events(), b.events());
        compare(found, "activity", a.activity(), b.activity());
        vectors(found, a.xsave(), b.xsave());
        localApic(found, a, b);
        return found;
    }

    private static long mask(int debugRegister) {
        return debugRegister < 4 ? -1L : 0xFFFFFFFFL;
    }

    private static void compare(List<String> found, String what, long a, long b) {
        if (a != b) {
            found.add("%s: %#x against %#x".formatted(what, a, b));
        }
    }

    private static void compare(List<String> found, String what, Object a, Object b) {
        if (!Objects.equals(a, b)) {
            found.add("%s: %s against %s".formatted(what, a, b));
        }
    }

    private static void segments(List<String> found, Segments a, Segments b) {
        compare(found, "ES", neutral(a.es()), neutral(b.es()));
        compare(found, "CS", neutral(a.cs()), neutral(b.cs()));
        compare(found, "SS", neutral(a.ss()), neutral(b.ss()));
        compare(found, "DS", neutral(a.ds()), neutral(b.ds()));
        compare(found, "FS", neutral(a.fs()), neutral(b.fs()));
        compare(found, "GS", neutral(a.gs()), neutral(b.gs()));
        compare(found, "TR", neutral(a.tr()), neutral(b.tr()));
        compare(found, "LDTR", neutral(a.ldtr()), neutral(b.ldtr()));
    }

    private static Segment neutral(Segment s) {
        if ((s.attributes() & UNUSABLE) != 0) {
            return new Segment(s.selector(), 0, 0, UNUSABLE);
        }
        int attributes = s.attributes() & ~AVL;
        if ((attributes & S) != 0) {
            attributes |= ACCESSED;
        }
        return new Segment(s.selector(), s.base(), s.limit(), attributes);
    }

    private static void vectors(List<String> found, byte[] a, byte[] b) {
        ByteBuffer x = canonical(a);
        ByteBuffer y = canonical(b);
        for (int at = 0; at < x.capacity(); at += 8) {
            if (x.getLong(at) != y.getLong(at)) {
                found.add(
                        "XSAVE area at %d: %#x against %#x"
                                .formatted(at, x.getLong(at), y.getLong(at)));
            }
        }
    }

    /** 832 bytes with components that are not named put into their initial state. */
    private static ByteBuffer canonical(byte[] area) {
        byte[] bytes = java.util.Arrays.copyOf(area, 832);
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long present = buffer.getLong(512);
        if ((present & 1) == 0) {
            java.util.Arrays.fill(bytes, 0, 24, (byte) 0);
            buffer.putShort(0, (short) 0x37F);
            java.util.Arrays.fill(bytes, 32, 160, (byte) 0);
        }
        if ((present & 2) == 0) {
            java.util.Arrays.fill(bytes, 160, 416, (byte) 0);
        }
        if ((present & 6) == 0) {
            buffer.putInt(24, 0x1F80);
        }
        if ((present & 4) == 0) {
            java.util.Arrays.fill(bytes, 576, 832, (byte) 0);
        }
        buffer.putShort(6, (short) 0); // FOP
        buffer.putLong(8, 0); // FIP
        buffer.putLong(16, 0); // FDP
        buffer.putInt(28, 0); // MXCSR_MASK
        java.util.Arrays.fill(bytes, 416, 576, (byte) 0); // available to software, header
        for (int i = 0; i < 8; i++) {
            // Above each 80-bit register.
            java.util.Arrays.fill(bytes, 32 + 16 * i + 10, 48 + 16 * i, (byte) 0);
        }
        return buffer;
    }

    private static void localApic(List<String> found, CpuState a, CpuState b) {
        ByteBuffer x = ByteBuffer.wrap(a.lapic()).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer y = ByteBuffer.wrap(b.lapic()).order(ByteOrder.LITTLE_ENDIAN);
        Long base = a.msrs().get(0x1B);
        boolean x2 = base != null && (base & X2APIC) != 0;
        for (int offset = 0x80; offset <= 0x3E0; offset += 0x10) {
            int mask = -1;
            switch (offset) {
                case 0x90, 0xA0, 0xB0, 0xC0, 0x280, 0x390 -> mask = 0;
                case 0xD0, 0xE0 -> mask = x2 ? 0 : -1;
                case 0x310 -> mask = x2 ? -1 : 0xFF000000;
                case 0x2F0, 0x3F0 -> mask = 0;
                default -> {
                    if (offset >= 0x180 && offset < 0x200) {
                        mask = active(x, offset) | active(y, offset);
                    } else if (offset > 0x280 && offset < 0x300
                            || offset > 0x390 && offset < 0x3E0) {
                        mask = 0;
                    }
                }
            }
            compare(
                    found,
                    "local APIC register %#x".formatted(offset),
                    x.getInt(offset) & mask,
                    y.getInt(offset) & mask);
        }
    }

    /** Vectors of a TMR register's row that are in service or requested. */
    private static int active(ByteBuffer page, int tmrOffset) {
        return page.getInt(tmrOffset - 0x80) | page.getInt(tmrOffset + 0x80);
    }
}
