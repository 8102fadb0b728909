package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import dev.javisor.guests.Conformance.Case;
import dev.javisor.hypervisor.GuestMemory.Region;
import java.util.BitSet;
import java.util.List;
import java.util.Random;

/** Which pages were written, exactly: the same set on every accelerator, however it keeps it. */
final class DirtyCases {
    static final List<Case> CASES =
            List.of(
                    new Case("dirty-log-of-random-pages", 1, bed -> randomPages(bed, 1)),
                    new Case("dirty-log-of-two-vcpus", 2, bed -> randomPages(bed, 2)));

    /** Behind code, tables and lists. */
    private static final int FIRST_PAGE = 0x300;

    private static final int PAGES = (int) (Testbed.RAM_BYTES >> 12) - FIRST_PAGE;

    /** Addresses to write to, ended by 0; one list for each vCPU. */
    private static final long LISTS = 0x200000;

    private static final long LIST_BYTES = 0x10000;
    private static final int ROUNDS = 6;

    private DirtyCases() {}

    /** RSI: list. */
    private static Asm writer() {
        Asm a = new Asm(64, CODE);
        a.label("next").load(8, RBX, at(RSI, 0)).test(8, RBX, RBX).jcc(Cond.E, "end");
        a.incMem(8, at(RBX, 0)).aluImm(Alu.ADD, 8, RSI, 8).jmp("next");
        return a.label("end").exit(1);
    }

    private static void randomPages(Testbed bed, int vcpus) {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        bed.load(writer());
        Region ram = bed.memory.regions().getFirst();
        long[] bits = new long[(int) (ram.sizeBytes() >> 18)];
        bed.vm.setDirtyTracking(true);
        for (int round = 0; round < ROUNDS; round++) {
            BitSet expected = new BitSet();
            for (int id = 0; id < vcpus; id++) {
                list(bed, id, random, expected);
            }
            Testbed.Run[] runs = new Testbed.Run[vcpus];
            for (int id = 0; id < vcpus; id++) {
                runs[id] = bed.start(id);
            }
            for (int i = random.nextInt(20); i >= 0; i--) {
                int page = random.nextInt(PAGES);
                bed.memory.writeByte((long) (FIRST_PAGE + page) << 12 | 0x800, i);
                expected.set(page);
            }
            for (Testbed.Run run : runs) {
                Check.same(run.exit(), 1, "exit");
            }
            bed.vm.fetchDirty(ram, bits);
            BitSet got = BitSet.valueOf(bits).get(FIRST_PAGE, FIRST_PAGE + PAGES);
            Check.same(got, expected, "pages, seed %d round %d".formatted(seed, round));
        }
        bed.vm.setDirtyTracking(false);
    }

    /** From few pages to more than there are, some of them several times. */
    private static void list(Testbed bed, int id, Random random, BitSet expected) {
        long at = LISTS + id * LIST_BYTES;
        int count = 1 << random.nextInt(12);
        for (int i = 0; i < count; i++, at += 8) {
            int page = random.nextInt(PAGES);
            bed.memory.writeLong(at, (long) (FIRST_PAGE + page) << 12 | 8 * random.nextInt(200));
            expected.set(page);
        }
        bed.memory.writeLong(at, 0);
        bed.start64(id, CODE, STACK - 0x1000L * id);
        bed.on(
                id,
                () -> {
                    var s = bed.vcpu(id).save();
                    s.gpr()[RSI] = LISTS + id * LIST_BYTES;
                    bed.vcpu(id).restore(s);
                    return true;
                });
    }
}
