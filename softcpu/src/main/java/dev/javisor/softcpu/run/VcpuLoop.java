package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.apic.LocalApic;
import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.sys.DebugRegisters;
import dev.javisor.softcpu.sys.Interrupts;
import dev.javisor.softcpu.sys.Reset;
import dev.javisor.softcpu.sys.VcpuPlatform;
import dev.javisor.softcpu.translate.Translator;
import org.jspecify.annotations.Nullable;

/**
 * What happens between blocks: requests, interrupts, halting, faults, single steps. Belongs to the
 * vCPU's thread.
 */
final class VcpuLoop {
    private static final int RFLAGS_IF = Flags.IF;

    /** Power of two. */
    private static final int SINGLES = 256;

    private final Cpu cpu;
    private final VcpuPlatform platform;
    private final LocalApic apic;
    private final Crew crew;
    private final BlockBuilder builder;
    private final BlockCache cache;
    private final @Nullable Translator translator;
    private final HotLoop hot;

    /** Exceptions delivered. */
    private long faults;

    private long pageFaults;
    private long interrupts;
    private final @Nullable Lockstep lockstep;
    private final HostDebug debug;

    /** Blocks of one instruction, by address. */
    private final @Nullable Block[] singles = new Block[SINGLES];

    VcpuLoop(Cpu cpu, VcpuPlatform platform, Crew crew, TierTwo tierTwo) {
        this.cpu = cpu;
        this.platform = platform;
        this.apic = platform.apic();
        this.crew = crew;
        this.debug = new HostDebug(cpu);
        this.builder = new BlockBuilder(cpu);
        this.cache = new BlockCache(cpu, builder);
        this.translator = tierTwo.translator(cpu, cache::known);
        this.hot = new HotLoop(cpu, cache, translator);
        this.lockstep = tierTwo.isLockstep() ? new Lockstep(cpu, crew) : null;
        if (lockstep != null) {
            hot.setLockstep(lockstep);
        }
    }

    long instructions() {
        return hot.instructions + cpu.retired;
    }

    /** Puts its figures into an event; from any thread, so a little late. */
    void tell(VcpuStatistics event) {
        event.vcpu = cpu.id;
        event.instructions = instructions();
        event.translatedInstructions = cpu.retired;
        event.blocks = cache.blocksBuilt();
        event.regionEntries = hot.entries;
        event.regionExitsAside = hot.exitsAside;
        event.regionExitsRequested = hot.exitsRequested;
        event.exceptions = faults;
        event.pageFaults = pageFaults;
        event.interrupts = interrupts;
        if (translator != null) {
            event.regions = translator.regions();
            event.regionsEvicted = translator.evicted();
            event.translationMillis = translator.nanos() / 1_000_000;
        }
    }

    @Nullable Translator translator() {
        return translator;
    }

    @Nullable Lockstep lockstep() {
        return lockstep;
    }

    HostDebug debug() {
        return debug;
    }

    BlockCache cache() {
        return cache;
    }

    ExitReason run(VcpuBus bus) {
        cpu.bus = bus;
        crew.enter();
        try {
            debug.begin();
            return loop();
        } finally {
            crew.leave();
        }
    }

    /**
     * Before a save: an INIT that has come is done, and the SIPI behind it, for neither is kept.
     */
    void settle() {
        takeInitAndSipi(cpu.requests());
    }

    private void takeInitAndSipi(int requests) {
        if ((requests & Cpu.REQUEST_INIT) != 0) {
            cpu.acknowledge(Cpu.REQUEST_INIT);
            Reset.init(cpu, platform);
        }
        if ((requests & Cpu.REQUEST_SIPI) != 0) {
            cpu.acknowledge(Cpu.REQUEST_SIPI);
            Reset.startUp(cpu, apic.takeSipi());
        }
    }

    private ExitReason loop() {
        boolean check = true;
        Block from = null;
        boolean fromTaken = false;
        while (true) {
            if (check || cpu.requests() != 0) {
                from = null;
                if (serveRequests()) {
                    return ExitReason.KICKED;
                }
                if (cpu.waitsForSipi) {
                    idle();
                    continue;
                }
                boolean owed = cpu.owedVector >= 0;
                boolean wasHalted = cpu.halted;
                if (!Interrupts.deliverOwed(cpu) || !debug.holdsInterrupts() && !deliverPending()) {
                    return ExitReason.SHUTDOWN;
                }
                if (debug.isOn() && (owed || wasHalted && !cpu.halted) && debug.stopsAfter()) {
                    return ExitReason.DEBUG;
                }
                if (cpu.halted) {
                    if (!apic.takeKick()) {
                        idle();
                        continue;
                    }
                    cpu.halted = false;
                }
                if (mustStep()) {
                    if (debug.isOn() && debug.stopsBefore(linear(cpu.rip))) {
                        return ExitReason.DEBUG;
                    }
                    if (!stepAlone()) {
                        return ExitReason.SHUTDOWN;
                    }
                    if (debug.isOn() && debug.stopsAfter()) {
                        return ExitReason.DEBUG;
                    }
                    continue;
                }
            }
            Block block;
            try {
                block = cache.lookup();
            } catch (GuestFault fault) {
                if (!deliver(fault, null)) {
                    return ExitReason.SHUTDOWN;
                }
                check = true;
                continue;
            }
            if (from != null && block.page >= 0) {
                if (fromTaken) {
                    from.taken = block;
                } else {
                    from.fallThrough = block;
                }
            }
            switch (hot.run(block)) {
                case HotLoop.LOOKUP -> {
                    from = hot.from;
                    fromTaken = hot.fromTaken;
                    check = false;
                }
                case HotLoop.FAULT -> {
                    from = null;
                    check = true;
                    boolean alive =
                            hot.fault.vector() == GuestFault.RESTART_ALONE
                                    ? stepAlone()
                                    : deliver(hot.fault, hot.faulting);
                    if (!alive) {
                        return ExitReason.SHUTDOWN;
                    }
                }
                default -> check = true;
            }
        }
    }

    /** Takes all requests but interrupts' delivery; true to leave {@link #run}. */
    private boolean serveRequests() {
        int requests = cpu.requests();
        if (requests == 0) {
            return false;
        }
        if ((requests & Cpu.REQUEST_EXCLUSIVE) != 0) {
            cpu.acknowledge(Cpu.REQUEST_EXCLUSIVE);
            crew.stepAside();
        }
        if ((requests & Cpu.REQUEST_INTERRUPT) != 0) {
            // Before deliverPending() looks: whatever comes later asks again.
            cpu.acknowledge(Cpu.REQUEST_INTERRUPT);
        }
        takeInitAndSipi(requests);
        if ((requests & Cpu.REQUEST_KICK) != 0) {
            cpu.acknowledge(Cpu.REQUEST_KICK);
            return true;
        }
        return false;
    }

    /**
     * Waits outside until something is requested; an NMI that cannot be taken yet is not enough.
     */
    private void idle() {
        boolean nmiWaits = cpu.nmiMasked || cpu.waitsForSipi;
        crew.leave();
        try {
            cpu.awaitRequest(nmiWaits ? ~Cpu.REQUEST_NMI : -1);
        } finally {
            crew.enter();
        }
    }

    /** Delivers at most one NMI or interrupt (SDM 3A §7.9); false on triple fault. */
    private boolean deliverPending() {
        if (cpu.interruptShadow) {
            return true;
        }
        if ((cpu.requests() & Cpu.REQUEST_NMI) != 0 && !cpu.nmiMasked) {
            cpu.acknowledge(Cpu.REQUEST_NMI);
            return Interrupts.deliverNmi(cpu);
        }
        if ((cpu.flags.system & RFLAGS_IF) == 0) {
            return true;
        }
        if (apic.hasInterrupt()) {
            int vector = apic.takeInterrupt(cpu.bus);
            if (vector >= 0) {
                interrupts++;
                return Interrupts.deliverExternal(cpu, vector);
            }
        }
        return true;
    }

    private boolean mustStep() {
        if (DebugRegisters.armed(cpu)) {
            return true;
        }
        // Without breakpoints to suppress, RF has nothing to do.
        cpu.flags.system &= ~Flags.RF;
        return debug.isOn() || cpu.interruptShadow || (cpu.flags.system & Flags.TF) != 0;
    }

    /**
     * Runs one instruction as a block of its own: for traps after it, for shadows that end after
     * it, and for instructions that modify their own page. False on triple fault.
     */
    private boolean stepAlone() {
        boolean trap = (cpu.flags.system & Flags.TF) != 0;
        boolean armed = DebugRegisters.armed(cpu);
        cpu.interruptShadow = false;
        try {
            if (armed) {
                DebugRegisters.checkInstruction(cpu, linear(cpu.rip));
            }
            // RF suppresses instruction breakpoints for one instruction (SDM 3B §18.3.1.1).
            Block block = single();
            cpu.flags.system &= ~Flags.RF;
            cpu.request(Cpu.REQUEST_STEP);
            cpu.mmu.alone = true;
            int why;
            try {
                why = hot.run(block);
            } finally {
                cpu.mmu.alone = false;
                cpu.acknowledge(Cpu.REQUEST_STEP);
            }
            if (why == HotLoop.FAULT) {
                return deliver(hot.fault, hot.faulting);
            }
        } catch (GuestFault fault) {
            return deliver(fault, null);
        }
        int bits = DebugRegisters.takePending(cpu, trap);
        return bits == 0 || Interrupts.deliverDebug(cpu, bits);
    }

    private long linear(long ip) {
        return cpu.long64 ? ip : (cpu.segBase[Seg.CS] + ip) & 0xFFFFFFFFL;
    }

    /** The instruction at CS:RIP: mostly the one after an STI, again and again the same few. */
    private Block single() {
        long ip = cpu.rip;
        long linear = linear(ip);
        int key = BlockCache.key(cpu);
        int index = (int) (linear ^ linear >>> 8) & SINGLES - 1;
        Block block = singles[index];
        if (block == null
                || block.linear != linear
                || block.ip != ip
                || block.key != key
                || block.generation != cpu.mmu.codeGeneration
                || !cache.isCurrent(block)) {
            block = builder.build(linear, ip, key, cpu.mmu.translateFetch(linear), 1);
            block.generation = cpu.mmu.codeGeneration;
            // Never hot: a region would run on behind the one instruction.
            block.heat = Integer.MIN_VALUE;
            singles[index] = block.page >= 0 && block.page2 < 0 ? block : null;
        }
        if (!cpu.long64 && block.endIp - 1 > cpu.segLimit[Seg.CS]) {
            throw cpu.gp0();
        }
        return block;
    }

    private boolean deliver(GuestFault fault, @Nullable Insn in) {
        faults++;
        pageFaults += fault.vector() == GuestFault.PF ? 1 : 0;
        return FaultDelivery.deliver(cpu, fault, in);
    }
}
