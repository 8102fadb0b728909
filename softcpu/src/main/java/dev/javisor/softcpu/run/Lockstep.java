package dev.javisor.softcpu.run;

import static java.util.Objects.requireNonNull;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.exec.UndefinedFlags;
import org.jspecify.annotations.Nullable;

/**
 * Runs each region twice, translated and interpreted, from the same state, and stops at the first
 * difference in registers, flags, memory, inputs or faults. The region goes first; what it stored
 * is taken back ({@link OpenPages}), its inputs are kept ({@link RecordedInputs}); then the
 * interpreter executes exactly as many instructions, from blocks of its own, and its state is the
 * one that stays. No other vCPU runs meanwhile. A device's DMA may still come in between; so a
 * difference counts if it shows again when both are repeated.
 *
 * <p>Interrupts need no record: they are taken between regions. Belongs to the vCPU's thread.
 */
final class Lockstep {
    private static final int ATTEMPTS = 3;

    /** Of one vCPU: what DMA may have disturbed where inputs forbid to repeat it. */
    private static final int MOST_UNCLEAR = 3;

    private static final int NO_FAULT = -2;

    private final Cpu cpu;
    private final Mmu mmu;
    private final Crew crew;
    private final BlockBuilder builder;
    private final BlockCache cache;
    private final HotLoop interpreter;
    private final OpenPages pages;
    private final RecordedInputs inputs;
    private final RegisterCheckpoint start = new RegisterCheckpoint();
    private final RegisterCheckpoint translated = new RegisterCheckpoint();
    private final RegisterCheckpoint interpreted = new RegisterCheckpoint();
    private final Runnable compare = this::compare;

    // Of the run under way.
    private @Nullable Region region;
    private int why;
    private int faultVector;
    private int faultCode;
    private long executed;

    private long runs;
    private long instructions;
    private int unclear;

    Lockstep(Cpu cpu, Crew crew) {
        this.cpu = cpu;
        this.mmu = cpu.mmu;
        this.crew = crew;
        this.builder = new BlockBuilder(cpu);
        this.cache = new BlockCache(cpu, builder);
        this.interpreter = new HotLoop(cpu, cache, null);
        this.pages = new OpenPages(mmu);
        this.inputs = new RecordedInputs(cpu);
        mmu.setFillWatch(pages);
    }

    /** Regions compared so far. */
    long runs() {
        return runs;
    }

    /** Guest instructions compared so far. */
    long instructions() {
        return instructions;
    }

    /** In place of {@link Region#enter}. */
    int run(Region next) {
        region = next;
        crew.runExclusiveFromInside(compare);
        if (faultVector != NO_FAULT) {
            throw cpu.fault(faultVector, faultCode);
        }
        return why;
    }

    private void compare() {
        Region now = requireNonNull(region);
        faultVector = NO_FAULT;
        why = Region.SIDE_EXIT;
        if (!crew.isAlone()) {
            // Our own exclusion has asked for it; another's would be waiting for us to end.
            cpu.acknowledge(Cpu.REQUEST_EXCLUSIVE);
            if (!now.isUsable(cpu)) {
                // Another vCPU has written to its code before we were alone.
                return;
            }
        }
        start.capture(cpu);
        long retired = cpu.retired;
        for (int attempt = 1; true; attempt++) {
            pages.begin();
            inputs.record();
            String difference;
            try {
                difference = attempt(now);
            } finally {
                inputs.end();
            }
            if (difference.isEmpty()) {
                runs++;
                instructions += executed;
                return;
            }
            if (inputs.any() ? ++unclear > MOST_UNCLEAR : attempt == ATTEMPTS) {
                throw new IllegalStateException(report(now, difference));
            }
            if (inputs.any()) {
                return;
            }
            pages.rollBack();
            start.restore(cpu);
            cpu.retired = retired;
        }
    }

    private String attempt(Region now) {
        long retired = cpu.retired;
        faultVector = NO_FAULT;
        try {
            // Without renewals: short runs, so that others seldom write what they read.
            why = now.enter(cpu, now.budget() & (1 << Region.ROUNDS_SHIFT) - 1);
        } catch (GuestFault fault) {
            faultVector = fault.vector();
            faultCode = fault.errorCode();
            why = Region.SIDE_EXIT;
        }
        executed = cpu.retired - retired;
        var faulting = cpu.calledOut;
        if (faultVector != NO_FAULT && faulting != null) {
            cpu.rip = faulting.ip;
        }
        translated.capture(cpu);
        if (executed < 0) {
            return "%d instructions executed%n".formatted(executed);
        }
        pages.takeBack();
        start.restore(cpu);
        if (pages.filled()) {
            // The interpreter must walk as well: accessed and dirty flags were taken back too.
            mmu.flushAll();
        }
        inputs.replay();
        String early = interpret(executed);
        cpu.calledOut = faulting;
        interpreted.capture(cpu);
        String elsewhere = early + pages.difference() + inputs.difference();
        String registers = translated.difference(interpreted);
        if (!registers.isEmpty() && elsewhere.isEmpty() && onlyUndefinedFlags()) {
            registers = "";
        }
        return registers + elsewhere;
    }

    /**
     * Whether the registers differ in nothing but flags that the SDM leaves undefined; finds out by
     * interpreting once more, one instruction after the other.
     */
    private boolean onlyUndefinedFlags() {
        int different = translated.onlyFlags(interpreted);
        if (different == 0) {
            return false;
        }
        pages.rollBack();
        start.restore(cpu);
        inputs.replay();
        int undefined = 0;
        cpu.request(Cpu.REQUEST_STEP);
        try {
            for (long n = 0; n < executed; n++) {
                Block block = part(cache.lookup(), 1);
                Insn in = block.code[block.code.length - 1];
                int cl = (int) cpu.regs[1] & 0xFF;
                long result = cpu.flags.result;
                long aux = cpu.flags.aux;
                if (interpreter.run(block) == HotLoop.FAULT) {
                    return false;
                }
                if (result != cpu.flags.result || aux != cpu.flags.aux) {
                    undefined &= UndefinedFlags.kept(in);
                }
                undefined |= UndefinedFlags.of(in, cl);
            }
        } finally {
            cpu.acknowledge(Cpu.REQUEST_STEP);
        }
        return (different & ~undefined) == 0;
    }

    /** Empty, or what went wrong before the registers could be compared. */
    private String interpret(long count) {
        cpu.request(Cpu.REQUEST_STEP);
        try {
            long left = count;
            while (left > 0) {
                Block block = block(left);
                if (interpreter.run(block) == HotLoop.FAULT) {
                    Insn in = requireNonNull(interpreter.faulting);
                    return "the interpreter faults %d instructions early: %s%n"
                            .formatted(left - in.ordinal, interpreter.fault.getMessage());
                }
                left -= block.instructions;
            }
            return faultVector == NO_FAULT ? "" : interpretFault();
        } catch (GuestFault fetch) {
            return "the interpreter cannot fetch: %s%n".formatted(fetch.getMessage());
        } finally {
            cpu.acknowledge(Cpu.REQUEST_STEP);
        }
    }

    private Block block(long most) {
        Block block = cache.lookup();
        return block.instructions <= most ? block : part(block, (int) most);
    }

    private Block part(Block block, int count) {
        return builder.build(
                block.linear, block.ip, block.key, mmu.translateFetch(block.linear), count);
    }

    /** The instruction at RIP must fault as the region's did. */
    private String interpretFault() {
        Block block = block(1);
        boolean faults = interpreter.run(block) == HotLoop.FAULT;
        GuestFault fault = interpreter.fault;
        if (faults && fault.vector() == faultVector && fault.errorCode() == faultCode) {
            return "";
        }
        return "the region faults with vector %d error %d, the interpreter %s%n"
                .formatted(
                        faultVector, faultCode, faults ? "with " + fault.getMessage() : "does not");
    }

    private String report(Region now, String difference) {
        start.restore(cpu);
        return """
        translated and interpreted code differ after %d instructions, seen from the start %x
        the translated code's value, then the interpreter's:
        %sstate before:
        %s
        %s
        """
                .formatted(executed, cpu.rip, difference, cpu.dump(), now.listing());
    }
}
