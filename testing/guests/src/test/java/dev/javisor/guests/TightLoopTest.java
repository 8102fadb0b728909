package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A loop with interrupts off that has become one region and never leaves it by itself. */
class TightLoopTest {
    private static final long PAGE = 0x100000;
    private static final long COUNTER = DATA;

    /** Rounds by which the loop is translated: some 25,000 make it hot. */
    private static final int HOT = 3_000_000;

    private static final int KICKS = 40;

    /** Of the fastest kick: the others' time is the host's scheduler's. */
    private static final long LONGEST_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** Counts at {@link #COUNTER} until the immediate of its first instruction is not zero. */
    private static Testbed.Run startLoop(Testbed bed) {
        Asm a = new Asm(64, PAGE);
        a.label("loop").mov(RAX, 0).mov(RBX, COUNTER);
        a.load(4, RCX, at(RBX, 0)).inc(4, RCX).store(4, at(RBX, 0), RCX);
        a.aluImm(Alu.CMP, 4, RAX, 0).jcc(Cond.E, "loop").exit();
        bed.load(a);
        bed.start64(0, PAGE, STACK);
        Testbed.Run run = bed.start(0);
        await(bed, HOT);
        return run;
    }

    private static void await(Testbed bed, int count) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (bed.memory.readIntAcquire(COUNTER) < count) {
            assertThat(System.nanoTime()).as("time for %d rounds", count).isLessThan(deadline);
            Thread.yield();
        }
    }

    @Test
    void kick_returnsWithinAMillisecond_andTheLoopGoesOn() {
        try (Testbed bed = new Testbed(new SoftHypervisor(Translation.ON), 1)) {
            Testbed.Run run = startLoop(bed);
            long[] nanos = new long[KICKS];
            for (int i = 0; i < KICKS; i++) {
                long start = System.nanoTime();
                assertThat(bed.stop(0, run)).isEqualTo(ExitReason.KICKED);
                nanos[i] = System.nanoTime() - start;
                int count = bed.memory.readInt(COUNTER);
                run = bed.start(0);
                await(bed, count + 1000);
            }
            bed.stop(0, run);
            Arrays.sort(nanos);
            System.out.printf(
                    "kick: fastest %d us, median %d us%n",
                    nanos[0] / 1000, nanos[KICKS / 2] / 1000);
            assertThat(nanos[0]).as("nanoseconds of the fastest kick").isLessThan(LONGEST_NANOS);
        }
    }

    @Test
    void loopPatchedByAnotherVcpu_seesIt() {
        try (Testbed bed = new Testbed(new SoftHypervisor(Translation.ON), 2)) {
            Testbed.Run run = startLoop(bed);
            Asm patch = new Asm(64, CODE);
            patch.mov(RBX, PAGE).mov(RCX, 0x5A).store(4, at(RBX, 1), RCX);
            patch.mov(RAX, 1).exit();
            bed.load(patch);
            bed.start64(1, CODE, STACK - 0x1000);
            assertThat(bed.run(1)).isEqualTo(1);
            assertThat(run.exit()).isEqualTo(0x5A);
        }
    }

    @Test
    void loopPatchedByADevice_seesIt() {
        try (Testbed bed = new Testbed(new SoftHypervisor(Translation.ON), 1)) {
            Testbed.Run run = startLoop(bed);
            bed.memory.write(PAGE + 1, new byte[] {0x5A});
            assertThat(run.exit()).isEqualTo(0x5A);
        }
    }
}
