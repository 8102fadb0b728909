package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import java.util.Map;
import java.util.TreeMap;

/** A power-on state as an accelerator would save it (SDM 3A table 10-1), as far as it matters. */
final class TestCpu {
    private TestCpu() {}

    static CpuState powerOn() {
        CpuState.Segment data = new CpuState.Segment(0, 0, 0xFFFF, 0x93);
        CpuState.Segment code = new CpuState.Segment(0xF000, 0xFFFF_0000L, 0xFFFF, 0x9B);
        return new CpuState(
                new long[16],
                0xFFF0,
                2,
                new CpuState.Segments(data, code, data, data, data, data, data, data),
                new CpuState.DescriptorTable(0, 0xFFFF),
                new CpuState.DescriptorTable(0, 0xFFFF),
                0x6000_0010,
                0,
                0,
                0,
                0,
                0,
                1,
                new long[8],
                new TreeMap<>(Map.of(0x1B, 0xFEE0_0900L, 0x2FF, 0L)),
                new byte[576],
                new byte[1024],
                new CpuState.Events(-1, -1, -1, false, false, false, -1),
                CpuState.Activity.RUNNING,
                77);
    }
}
