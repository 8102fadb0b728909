package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.AssistedVcpu;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestDebug;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.InstructionAssistant;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.hypervisor.VcpuRegisters;
import dev.javisor.hypervisor.VirtualMachineConfig;
import dev.javisor.softcpu.block.Families;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.DeclinedAccess;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.decode.Disassembly;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.sys.AssistPlatform;
import dev.javisor.softcpu.sys.AssistState;
import dev.javisor.softcpu.sys.DebugRegisters;
import dev.javisor.softcpu.sys.Interrupts;
import java.security.SecureRandom;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * Executes instructions for another accelerator's vCPU, one by one and by their general
 * definitions. Owned by that vCPU's thread, but for {@link #counts}.
 *
 * <p>Which instructions follow the first is {@link RunOn}'s to say.
 */
public final class SoftAssistant implements InstructionAssistant {
    private static final System.Logger LOG = System.getLogger("dev.javisor.assist");

    /** CR4 bits whose meaning for memory accesses the core does not know: PKE, CET, PKS. */
    private static final long CR4_UNKNOWN = 1 << 22 | 1 << 23 | 1 << 24;

    /** XCR0: x87, SSE, AVX, the components that the core has. */
    private static final long XCR0_KNOWN = 7;

    private static final int DELIVERY = -1;

    /**
     * Calls that follow each other this closely show an accelerator that refuses much: to go on is
     * then cheaper than to come back. Measured: an exit of a nested KVM, with the state moved
     * twice, costs some 50 µs, and one more instruction here less than one.
     */
    private static final long CLOSE_NANOS = 200_000;

    private final VirtualMachineConfig config;
    private final AssistedVcpu vcpu;
    private final Cpu cpu;
    private final AssistPlatform platform;
    private final InstructionFetch fetch;
    private final FpuLoan fpu;
    private final long[] debug = new long[8];
    private final AtomicLongArray counts = new AtomicLongArray(Op.values().length);
    private final boolean traces = LOG.isLoggable(System.Logger.Level.DEBUG);

    private @Nullable WatchedBus watchedBus;

    /** How many instructions the next call may execute: doubled and halved by {@link #adapt}. */
    private int reach = 1;

    /** Under {@link #step}. */
    private boolean stepping;

    private GuestDebug hostDebug = GuestDebug.NONE;
    private long lastNanos;
    private int executed;

    /** Why nothing, or nothing more, could be done; empty if there was no such reason. */
    private String declined = "";

    /** The first instruction of the last call, or null if fetching it faulted. */
    private @Nullable Insn first;

    private int firstOp = DELIVERY;

    /** The instruction under way: what a fault is of. */
    private @Nullable Insn current;

    public SoftAssistant(VirtualMachineConfig config, GuestMemory memory, AssistedVcpu vcpu) {
        this.config = config;
        this.vcpu = vcpu;
        this.cpu = new Cpu(vcpu.id(), Ram.borrowed(memory));
        this.platform = new AssistPlatform(cpu, vcpu);
        this.fetch = new InstructionFetch(cpu);
        this.fpu = new FpuLoan(cpu, vcpu);
        cpu.mmu.alone = true;
        cpu.mmu.setExclusive(vcpu::exclusively);
        cpu.random = new SecureRandom();
    }

    @Override
    public Outcome assist(VcpuBus bus, int mostInstructions) {
        stepping = false;
        return call(bus, adapt(mostInstructions));
    }

    @Override
    public Outcome step(VcpuBus bus) {
        stepping = true;
        return call(bus, 1);
    }

    @Override
    public int breakpoints() {
        return cpu.hostHits;
    }

    private Outcome call(VcpuBus bus, int most) {
        AssistEvent event = new AssistEvent();
        event.begin();
        VcpuRegisters registers = vcpu.registers();
        long rip = registers.rip;
        executed = 0;
        declined = "";
        first = null;
        firstOp = DELIVERY;
        useBus(bus);
        Outcome outcome = execute(registers, most);
        lastNanos = System.nanoTime();
        if (outcome == Outcome.EXECUTED && firstOp >= 0) {
            // The only writer: no atomic sum is needed.
            counts.lazySet(firstOp, counts.getPlain(firstOp) + 1);
        }
        if (event.shouldCommit()) {
            event.vcpu = cpu.id;
            event.rip = rip;
            event.instruction = instruction();
            event.executed = executed;
            event.outcome = outcome.name();
            event.commit();
        }
        if (traces) {
            trace(rip, outcome);
        }
        return outcome;
    }

    private int adapt(int most) {
        boolean close = System.nanoTime() - lastNanos < CLOSE_NANOS;
        reach = Math.max(1, Math.min(most, close ? 2 * reach : reach / 2));
        return reach;
    }

    private void useBus(VcpuBus bus) {
        WatchedBus watched = watchedBus;
        if (watched == null || watched.inner != bus) {
            watched = new WatchedBus(bus);
            watchedBus = watched;
        }
        watched.used = false;
        cpu.bus = watched;
    }

    /** A device that was reached may want the vCPU back. */
    private boolean hasUsedBus() {
        WatchedBus watched = watchedBus;
        return watched != null && watched.used;
    }

    private Outcome execute(VcpuRegisters registers, int most) {
        try {
            AssistState.load(cpu, platform, registers);
        } catch (GuestFault fault) {
            declined = "PAE pointers with reserved bits";
            return Outcome.DECLINED;
        }
        if ((cpu.cr4 & CR4_UNKNOWN) != 0) {
            declined = "CR4 %#x has bits that the software CPU does not know".formatted(cpu.cr4);
            return Outcome.DECLINED;
        }
        GuestDebug asked = vcpu.debug();
        if (!asked.equals(hostDebug)) {
            hostDebug = asked;
            cpu.setHostDebug(asked);
        }
        cpu.hostHits = 0;
        vcpu.readDebug(debug);
        System.arraycopy(debug, 0, cpu.dr, 0, 8);
        cpu.mmu.updateWatch();
        int flushes = cpu.mmu.flushes;
        boolean alive = run(most);
        if (executed == 0 && alive) {
            return Outcome.DECLINED;
        }
        fpu.giveBack();
        storeDebug();
        AssistState.store(cpu, platform, registers);
        if (cpu.mmu.flushes != flushes) {
            registers.changed |= VcpuRegisters.TRANSLATIONS;
        }
        return alive ? Outcome.EXECUTED : Outcome.SHUTDOWN;
    }

    /** False on a triple fault. */
    private boolean run(int most) {
        if (cpu.owedVector >= 0) {
            executed++;
            if (!Interrupts.deliverOwed(cpu)) {
                return false;
            }
        }
        while (executed < most && !hasUsedBus() && cpu.hostHits == 0) {
            boolean shadow = cpu.interruptShadow;
            int before = executed;
            boolean alive = step();
            if (!alive) {
                return false;
            }
            if (executed == before) {
                cpu.interruptShadow = shadow;
                return true;
            }
        }
        return true;
    }

    /** One instruction, or the exception that it meets. Declines by not counting one. */
    private boolean step() {
        boolean trap = (cpu.flags.system & Flags.TF) != 0;
        boolean armed = DebugRegisters.armed(cpu);
        long ip = cpu.rip;
        current = null;
        cpu.interruptShadow = false;
        try {
            if (armed) {
                DebugRegisters.checkInstruction(cpu, fetch.linear());
            }
            Insn in = fetch.next();
            current = in;
            if (!mayExecute(in)) {
                return true;
            }
            if (executed == 0) {
                first = in;
                firstOp = in.op.ordinal();
            }
            // RF suppresses instruction breakpoints for one instruction (SDM 3B §18.3.1.1).
            cpu.flags.system &= ~Flags.RF;
            perform(in, trap || armed || hostDebug.isOn());
        } catch (GuestFault fault) {
            cpu.rip = ip;
            executed++;
            return FaultDelivery.deliver(cpu, fault, current);
        } catch (DeclinedAccess access) {
            cpu.rip = ip;
            declined = String.valueOf(access.getMessage());
            return true;
        }
        executed++;
        int bits = DebugRegisters.takePending(cpu, trap);
        return bits == 0 || Interrupts.deliverDebug(cpu, bits);
    }

    private void perform(Insn in, boolean single) {
        fpu.fetchFor(in);
        platform.fetchFor(in.op);
        cpu.rip = in.nextIp;
        if (single) {
            // A repeated string instruction is left after each element.
            cpu.request(Cpu.REQUEST_STEP);
        }
        try {
            Families.execute(cpu, in);
        } finally {
            cpu.acknowledge(Cpu.REQUEST_STEP);
        }
        platform.storeFor(in.op);
    }

    private boolean mayExecute(Insn in) {
        String reason = executed > 0 && !RunOn.continuesWith(cpu, in) ? "" : reasonToDecline(in);
        if (reason == null) {
            return true;
        }
        declined = reason;
        if (executed == 0) {
            first = in;
        }
        return false;
    }

    /** Null if there is none. */
    private @Nullable String reasonToDecline(Insn in) {
        if (stepping && cpu.cpl != 3 && RunOn.mayStoreToTables(cpu, in)) {
            return "a store that the accelerator must see";
        }
        return switch (in.op) {
            case HLT, MWAIT, VMCALL, VMMCALL -> cpu.cpl == 0 ? "the accelerator's to do" : null;
            case INVALID ->
                    config.model() == CpuModel.HOST && fetch.isExtension()
                            ? "unknown instruction of the host's CPU"
                            : null;
            case XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS -> unknownComponents(xcr0());
            case XSETBV -> unknownComponents(cpu.regs[0] & 0xFFFFFFFFL | xcr0());
            default -> null;
        };
    }

    private long xcr0() {
        return (cpu.cr4 & Cpu.CR4_OSXSAVE) == 0 ? 1 : vcpu.readXcr0();
    }

    private static @Nullable String unknownComponents(long xcr0) {
        return (xcr0 & ~XCR0_KNOWN) == 0
                ? null
                : "XCR0 %#x has components that the software CPU does not know".formatted(xcr0);
    }

    private void storeDebug() {
        for (int i = 0; i < 8; i++) {
            if (i != 4 && i != 5 && debug[i] != cpu.dr[i]) {
                System.arraycopy(cpu.dr, 0, debug, 0, 8);
                vcpu.writeDebug(debug);
                return;
            }
        }
    }

    @Override
    public int executed() {
        return executed;
    }

    private String instruction() {
        Insn in = first;
        if (in == null) {
            return firstOp == DELIVERY && executed > 0 ? "(event)" : "";
        }
        return Disassembly.format(in);
    }

    @Override
    public String detail() {
        return declined.isEmpty() || executed > 0 ? instruction() : instruction() + ": " + declined;
    }

    private void trace(long rip, Outcome outcome) {
        LOG.log(
                System.Logger.Level.DEBUG,
                "vcpu %d: %s at %#x: %s, %d instructions"
                        .formatted(
                                cpu.id,
                                outcome.name().toLowerCase(Locale.ROOT),
                                rip,
                                detail(),
                                executed));
    }

    @Override
    public SortedMap<String, Long> counts() {
        SortedMap<String, Long> map = new TreeMap<>();
        for (Op op : Op.values()) {
            long count = counts.get(op.ordinal());
            if (count > 0) {
                map.put(op.name().toLowerCase(Locale.ROOT), count);
            }
        }
        return map;
    }

    /** Holds nothing outside the heap. */
    @Override
    public void close() {}
}
