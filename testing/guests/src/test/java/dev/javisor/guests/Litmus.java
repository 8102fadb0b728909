package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Asm.Cond;
import java.util.List;

/**
 * A litmus test of memory order as a guest program, one thread on each vCPU (SDM 3A §9.2.3). A
 * round uses a place of its own in each location's array, and all threads run through a batch of
 * places without waiting for one another. A store stores the batch's number, so "new" is this
 * batch's number and "old" is an earlier one.
 *
 * @param threads what each does in a round
 * @param forbidden no round may end with all of these
 */
record Litmus(String name, List<List<Step>> threads, List<Outcome> forbidden) {
    static final int PLACES = 32_768;
    private static final int BYTES = 8 * PLACES;
    private static final long LOCATIONS = 0x200000;
    private static final long RESULTS = 0x300000;
    private static final long BARRIER = 0x1F0000;

    /** Rounds that ended with the outcome: a counter in guest memory. */
    static final long COUNT = 0x1F8000;

    /** One instruction, or two. */
    sealed interface Step {}

    record Store(int location) implements Step {}

    record Load(int location, int result) implements Step {}

    record Fence() implements Step {}

    /** A store by a locked exchange, which orders as well. */
    record Exchange(int location) implements Step {}

    /** What a load saw. */
    record Outcome(int result, boolean isNew) {}

    static Step store(int location) {
        return new Store(location);
    }

    static Step load(int location, int result) {
        return new Load(location, result);
    }

    static Outcome isNew(int result) {
        return new Outcome(result, true);
    }

    static Outcome isOld(int result) {
        return new Outcome(result, false);
    }

    /** Program of one thread: RBX is the place's offset, R8 the batch, from 1. */
    private Asm program(int thread, int batches) {
        Asm a = new Asm(64, LongMode.CODE + 0x1000L * thread);
        a.mov(R8, 1).label("batch");
        meet(a, BARRIER, "begin");
        // Odd threads go backwards, so that they meet the others at some place.
        boolean backwards = (thread & 1) != 0;
        a.mov(RBX, backwards ? BYTES : 0).label("place");
        if (backwards) {
            a.aluImm(Alu.SUB, 8, RBX, 8);
        }
        for (Step step : threads.get(thread)) {
            switch (step) {
                case Store s -> a.store(8, at(RBX, location(s.location)), R8);
                case Load l ->
                        a.load(8, RAX, at(RBX, location(l.location)))
                                .store(8, at(RBX, result(l.result)), RAX);
                case Fence f -> a.mfence();
                case Exchange x -> a.movReg(RAX, R8).xchg(8, at(RBX, location(x.location)), RAX);
            }
        }
        if (backwards) {
            a.test(8, RBX, RBX).jcc(Cond.NE, "place");
        } else {
            a.aluImm(Alu.ADD, 8, RBX, 8).aluImm(Alu.CMP, 8, RBX, BYTES).jcc(Cond.B, "place");
        }
        meet(a, BARRIER + 64, "end");
        if (thread == 0) {
            count(a);
        }
        meet(a, BARRIER + 128, "counted");
        a.inc(8, R8).aluImm(Alu.CMP, 8, R8, batches).jcc(Cond.BE, "batch").exit(1);
        return a;
    }

    private void count(Asm a) {
        a.mov(RBX, 0).label("check");
        for (Outcome outcome : forbidden) {
            a.aluMem(Alu.CMP, 8, at(RBX, result(outcome.result)), R8);
            a.jcc(outcome.isNew ? Cond.NE : Cond.E, "other");
        }
        a.incMem(8, abs(COUNT)).label("other");
        a.aluImm(Alu.ADD, 8, RBX, 8).aluImm(Alu.CMP, 8, RBX, BYTES).jcc(Cond.B, "check");
    }

    private static int location(int n) {
        return (int) LOCATIONS + n * BYTES;
    }

    private static int result(int n) {
        return (int) RESULTS + n * BYTES;
    }

    /** All threads wait for one another: counts up, waits for this batch's last. */
    private void meet(Asm a, long at, String label) {
        a.lock().incMem(8, abs(at)).mov(R10, 0);
        for (int i = 0; i < threads.size(); i++) {
            a.alu(Alu.ADD, 8, R10, R8);
        }
        a.label(label).pause().aluMem(Alu.CMP, 8, abs(at), R10).jcc(Cond.B, label);
    }

    /** Runs {@code batches} on a fresh machine; returns how many rounds ended as forbidden. */
    long run(Testbed bed, int batches) {
        int n = threads.size();
        Testbed.Run[] runs = new Testbed.Run[n];
        for (int i = 0; i < n; i++) {
            Asm a = program(i, batches);
            bed.load(a);
            bed.start64(i, a.origin(), LongMode.STACK + 0x1000L * i);
        }
        for (int i = 0; i < n; i++) {
            runs[i] = bed.start(i);
        }
        for (int i = 0; i < n; i++) {
            Check.same(runs[i].exit(), 1, "vCPU " + i);
        }
        return bed.memory.readLong(COUNT);
    }
}
