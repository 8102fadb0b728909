package dev.javisor.softcpu.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.softcpu.block.PendingFlags;
import dev.javisor.softcpu.block.RandomInstructions;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import java.lang.foreign.ValueLayout;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Regions that are wrong on purpose, each in one way, are found; the right one is not. */
class LockstepTest {
    private static final long CODE = 0x1000;
    private static final long DATA = 0x8000;
    private static final long OTHER = 0xA000;

    private final Cpu cpu = RandomInstructions.cpu();
    private final Lockstep lockstep = new Lockstep(cpu, crew(cpu));

    private static Crew crew(Cpu cpu) {
        Crew crew = new Crew();
        crew.add(cpu);
        return crew;
    }

    /** ADD RAX, RBX; MOV [RCX], RAX; DIV RDX; NOP. */
    @BeforeEach
    void program() {
        byte[] code = {
            0x48,
            0x01,
            (byte) 0xD8,
            0x48,
            (byte) 0x89,
            0x01,
            0x48,
            (byte) 0xF7,
            (byte) 0xF2,
            (byte) 0x90
        };
        cpu.mmu.ram().memory.write(CODE, code);
        cpu.rip = CODE;
        cpu.regs[0] = 5;
        cpu.regs[3] = 6;
        cpu.regs[1] = DATA;
        cpu.regs[2] = 0;
        cpu.mmu.write64(DATA, 1);
        cpu.mmu.write64(OTHER, 1);
    }

    /** What the first two instructions do. */
    private static void addAndStore(Cpu c) {
        long sum = c.regs[0] + c.regs[3];
        c.flags.add(8, c.regs[0], c.regs[3], sum);
        c.regs[0] = sum;
        c.mmu.write64(c.regs[1], sum);
        c.rip = CODE + 6;
        c.retired += 2;
    }

    private static Region region(ToIntFunction<Cpu> body) {
        RegionExits exits = new RegionExits(1);
        exits.addIndirect(PendingFlags.STORED);
        RegionPages pages = new RegionPages(new long[0], new int[0], new int[0]);
        return new Region(pages, 0, 0, false, exits) {
            @Override
            public int run(Cpu c, int budget) {
                return body.applyAsInt(c);
            }
        };
    }

    private void isFound(ToIntFunction<Cpu> wrong, String what) {
        Region region =
                region(c -> {
                    addAndStore(c);
                    return wrong.applyAsInt(c);
                });
        assertThatThrownBy(() -> lockstep.run(region))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(what);
    }

    @Test
    void rightRegion_anyExit_leavesTheInterpretersState() {
        int why =
                lockstep.run(
                        region(c -> {
                            addAndStore(c);
                            return Region.NEXT;
                        }));
        assertThat(why).isEqualTo(Region.NEXT);
        assertThat(cpu.rip).isEqualTo(CODE + 6);
        assertThat(cpu.regs[0]).isEqualTo(11);
        assertThat(cpu.mmu.read64(DATA)).isEqualTo(11);
        assertThat(cpu.retired).isEqualTo(2);
        assertThat(lockstep.instructions()).isEqualTo(2);
    }

    @Test
    void wrongRegister_isFound() {
        isFound(
                c -> {
                    c.regs[0]++;
                    return Region.NEXT;
                },
                "general register 0: c and b");
    }

    @Test
    void wrongFlag_isFound() {
        isFound(
                c -> {
                    c.flags.setCf(true);
                    return Region.NEXT;
                },
                "status flags: 1 and 0");
    }

    @Test
    void wrongInstructionPointer_isFound() {
        isFound(
                c -> {
                    c.rip++;
                    return Region.NEXT;
                },
                "rip: 1007 and 1006");
    }

    @Test
    void wrongVector_isFound() {
        isFound(
                c -> {
                    c.vec[5] ^= 1;
                    return Region.NEXT;
                },
                "vector register 1, quarter 1");
    }

    @Test
    void strayStore_toAnOpenPage_isFound() {
        isFound(
                c -> {
                    c.mmu.backing().set(ValueLayout.JAVA_BYTE, OTHER + 100, (byte) 1);
                    return Region.NEXT;
                },
                "memory at offset 0xa060");
    }

    @Test
    void strayStore_throughTheMmu_isFound() {
        isFound(
                c -> {
                    c.mmu.write64(0xC000, 7);
                    return Region.NEXT;
                },
                "memory at offset 0xc000");
    }

    @Test
    void missingStore_isFound() {
        Region region =
                region(c -> {
                    long data = c.mmu.read64(DATA);
                    addAndStore(c);
                    c.mmu.write64(DATA, data);
                    return Region.NEXT;
                });
        assertThatThrownBy(() -> lockstep.run(region))
                .hasMessageContaining("memory at offset 0x8000");
    }

    @Test
    void wrongCount_isFound() {
        isFound(
                c -> {
                    c.retired--;
                    return Region.NEXT;
                },
                "rip: 1006 and 1003");
    }

    @Test
    void fault_thatBothHave_isRaised() {
        Region region =
                region(c -> {
                    addAndStore(c);
                    c.calledOut = new dev.javisor.softcpu.decode.Insn();
                    c.calledOut.ip = CODE + 6;
                    throw c.fault(GuestFault.DE);
                });
        assertThatThrownBy(() -> lockstep.run(region))
                .isInstanceOfSatisfying(
                        GuestFault.class, f -> assertThat(f.vector()).isEqualTo(GuestFault.DE));
        assertThat(cpu.rip).isEqualTo(CODE + 6);
    }

    @Test
    void fault_thatTheInterpreterHasNot_isFound() {
        isFound(
                c -> {
                    c.regs[2] = 0;
                    c.calledOut = new dev.javisor.softcpu.decode.Insn();
                    c.calledOut.ip = CODE + 6;
                    throw c.fault(GuestFault.GP, 0);
                },
                "the region faults with vector 13 error 0, the interpreter with vector 0");
    }

    @Test
    void forgottenFault_isFound() {
        isFound(
                c -> {
                    c.rip = CODE + 9;
                    c.retired++;
                    return Region.NEXT;
                },
                "the interpreter faults 1 instructions early");
    }
}
