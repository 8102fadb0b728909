package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.softcpu.SoftHypervisor;
import dev.javisor.softcpu.Translation;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import org.junit.jupiter.api.Test;

/**
 * A guest that writes new code for ever takes no more memory after a while. Property {@code
 * churn.rounds}: how long (a million takes about an hour).
 */
class TranslationChurnTest {
    private static final int ROUNDS = Integer.getInteger("churn.rounds", 2_000);
    private static final int BATCHES = 3;

    /** Classes of the JVM's and the test's own that may come meanwhile. */
    private static final int OTHER_CLASSES = 300;

    private static final long METASPACE_SLACK = 4 << 20;

    @Test
    void codeRewrittenForEver_itsClassesAreUnloaded() {
        try (Testbed bed = new Testbed(new SoftHypervisor(Translation.EAGER), 1)) {
            long page = 0x100000;
            bed.memory.write(page, new Asm(64, page).mov(RAX, 0xFFFFFF).ret().assemble());
            churn(bed, page);
            Usage first = Usage.now();
            for (int i = 0; i < BATCHES; i++) {
                churn(bed, page);
            }
            Usage last = Usage.now();
            System.out.printf("churn: first %s, last %s%n", first, last);
            // Each round translated its new code.
            assertThat(last.everLoaded - first.everLoaded).isGreaterThan((long) BATCHES * ROUNDS);
            assertThat(last.loaded).isLessThan(first.loaded + OTHER_CLASSES);
            assertThat(last.metaspace).isLessThan(first.metaspace + METASPACE_SLACK);
        }
    }

    /** Rewrites a function and calls it, round after round. */
    private static void churn(Testbed bed, long page) {
        Asm a = new Asm(64, CODE);
        a.mov(RBX, page).mov(RCX, 0).mov(R8, 0);
        a.label("loop").store(4, at(RBX, 1), RCX).callReg(RBX).alu(Alu.ADD, 8, R8, RAX);
        a.inc(4, RCX).aluImm(Alu.CMP, 4, RCX, ROUNDS).jcc(Cond.B, "loop");
        a.movReg(RAX, R8).exit();
        int sum = (int) ((long) ROUNDS * (ROUNDS - 1) / 2);
        assertThat(bed.run64(a)).as("sum of what the functions return").isEqualTo(sum);
    }

    /** What the JVM holds after a collection. */
    private record Usage(int loaded, long everLoaded, long metaspace) {
        static Usage now() {
            System.gc();
            var classes = ManagementFactory.getClassLoadingMXBean();
            long metaspace =
                    ManagementFactory.getMemoryPoolMXBeans().stream()
                            .filter(pool -> pool.getName().equals("Metaspace"))
                            .map(MemoryPoolMXBean::getUsage)
                            .mapToLong(usage -> usage.getUsed())
                            .sum();
            return new Usage(
                    classes.getLoadedClassCount(), classes.getTotalLoadedClassCount(), metaspace);
        }
    }
}
