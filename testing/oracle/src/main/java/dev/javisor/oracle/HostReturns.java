package dev.javisor.oracle;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * To which states of user code the host's kernel can return. Hardware can to both; a host that is
 * itself a guest without hardware virtualization (PVM) may raise #GP in their place, and then no
 * instruction can be compared in them.
 *
 * @param code32 code in compatibility mode
 * @param anyStackPointer 64-bit code whose RSP is not canonical
 */
record HostReturns(boolean code32, boolean anyStackPointer) {
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long NOT_CANONICAL = 0x1234_5678_DABC_DEF0L;
    private static final long IP = OracleLayout.CODE + 0x800;
    private static final long NOP = 0xCCCC_CCCC_CCCC_CC90L;
    private static final int BREAKPOINT = 3;

    /** Tries with a NOP each. */
    static HostReturns probe(Silicon silicon) throws IOException {
        MemorySegment shared = silicon.shared();
        write(shared, 0, OracleLayout.CS_32, OracleLayout.DATA);
        write(shared, 1, OracleLayout.CS_64, NOT_CANONICAL);
        silicon.run(2);
        return new HostReturns(stopped(shared, 0), stopped(shared, 1));
    }

    private static void write(MemorySegment shared, int index, long cs, long rsp) {
        long at = OracleLayout.CASES + (long) index * OracleLayout.CASE_BYTES;
        shared.asSlice(at, OracleLayout.CASE_BYTES).fill((byte) 0);
        shared.set(LONG, at + OracleLayout.GPR[4], rsp);
        shared.set(LONG, at + OracleLayout.RIP, IP);
        shared.set(LONG, at + OracleLayout.RFLAGS, 0x202);
        shared.set(LONG, at + OracleLayout.SELECTORS, cs | (long) OracleLayout.SS_USER << 48);
        long codeInFile = OracleLayout.SHARED + OracleLayout.CODE_IN_FILE;
        shared.set(LONG, at + OracleLayout.CODE_ADDRESS, codeInFile + (IP & 0xFFF));
        shared.set(LONG, at + OracleLayout.CODE_BYTES, NOP);
        shared.set(LONG, at + OracleLayout.CODE_BYTES + 8, -1L / 0xFF * 0xCC);
        FloatingState.write(shared, at + OracleLayout.FX, new SplittableRandom(0));
    }

    private static boolean stopped(MemorySegment shared, int index) {
        long at = OracleLayout.RESULTS + (long) index * OracleLayout.RESULT_BYTES;
        return shared.get(LONG, at + OracleLayout.TRAP) == BREAKPOINT;
    }

    /** Whether silicon can be given this state. */
    boolean to(int mode, long rsp) {
        return mode == 64 ? anyStackPointer || rsp << 16 >> 16 == rsp : code32;
    }

    /** What cannot be compared here. */
    List<String> missing() {
        List<String> missing = new ArrayList<>();
        if (!code32) {
            missing.add("32-bit code");
        }
        if (!anyStackPointer) {
            missing.add("RSP that is not canonical");
        }
        return missing;
    }
}
