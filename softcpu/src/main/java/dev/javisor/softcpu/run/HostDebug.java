package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Seg;

/**
 * What the machine wants one vCPU to stop at. While it wants anything, the run loop executes one
 * instruction at a time. Belongs to the vCPU's thread.
 */
final class HostDebug {
    private final Cpu cpu;
    private GuestDebug asked = GuestDebug.NONE;
    private GuestDebug.Stop stop = GuestDebug.Stop.NONE;

    /** The last run ended with a stop, and nothing has changed since. */
    private boolean stopped;

    /** The next instruction is where the last run stopped: its breakpoints are past. */
    private boolean resumes;

    HostDebug(Cpu cpu) {
        this.cpu = cpu;
    }

    void ask(GuestDebug debug) {
        asked = debug;
        cpu.setHostDebug(debug);
    }

    boolean isOn() {
        return asked.isOn();
    }

    GuestDebug.Stop stop() {
        return stop;
    }

    /** The vCPU's state was replaced. */
    void forget() {
        stopped = false;
        cpu.hostHits = 0;
    }

    /** A run begins. */
    void begin() {
        resumes = stopped;
        stopped = false;
    }

    boolean holdsInterrupts() {
        return asked.singleStep() && !cpu.halted;
    }

    /**
     * @param linear of the next instruction
     */
    boolean stopsBefore(long linear) {
        int hits = resumes ? 0 : asked.at(linear);
        resumes = false;
        return hits != 0 && stopped(false, hits);
    }

    /** After an instruction, or the delivery of an event in its place. */
    boolean stopsAfter() {
        resumes = false;
        int hits = cpu.hostHits;
        cpu.hostHits = 0;
        if (hits == 0 && !asked.singleStep()) {
            return false;
        }
        // A breakpoint at the next instruction is told now: the next run begins behind it.
        return stopped(asked.singleStep(), hits | asked.at(linear()));
    }

    private boolean stopped(boolean stepped, int hits) {
        stop = new GuestDebug.Stop(stepped, hits);
        stopped = true;
        return true;
    }

    private long linear() {
        return cpu.long64 ? cpu.rip : (cpu.segBase[Seg.CS] + cpu.rip) & 0xFFFFFFFFL;
    }
}
