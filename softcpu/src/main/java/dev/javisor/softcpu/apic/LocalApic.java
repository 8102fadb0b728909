package dev.javisor.softcpu.apic;

import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.core.PageWalker;
import dev.javisor.softcpu.core.Tsc;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * One vCPU's local APIC (SDM 3A chapter 12), in xAPIC and x2APIC mode.
 *
 * <p>Threads: registers are written by the vCPU's thread. Other threads only read what routing
 * needs (volatile), set IRR and TMR bits and the error status, and raise requests. Who sets an IRR
 * bit does so before it requests attention; the vCPU clears the request before it looks at IRR.
 */
public final class LocalApic implements Mmu.ApicPage {
    /** IA32_APIC_BASE bits. */
    public static final long BASE_BSP = 1 << 8;

    public static final long BASE_X2APIC = 1 << 10;
    public static final long BASE_ENABLE = 1 << 11;

    static final long DEFAULT_ADDRESS = 0xFEE00000L;
    private static final long BASE_ADDRESS_MASK = ((1L << PageWalker.PHYSICAL_BITS) - 1) & ~0xFFFL;

    private static final int SVR_ENABLE = 1 << 8;
    private static final int LVT_MASKED = 1 << 16;
    private static final int REMOTE_IRR = 1 << 14;
    private static final int LEVEL_TRIGGERED = 1 << 15;

    // LVT entries, in the order of their registers at 0x320.
    private static final int LVT_TIMER = 0;
    private static final int LVT_LINT0 = 3;
    private static final int LVT_LINT1 = 4;
    private static final int LVT_ERROR = 5;
    private static final int LVT_ENTRIES = 6;

    /** Bits of each LVT entry that can be written. */
    private static final int[] LVT_WRITABLE = {
        0x000700FF, 0x000107FF, 0x000107FF, 0x0001A7FF, 0x0001A7FF, 0x000100FF
    };

    /** Integrated APIC, six LVT entries, no suppression of EOI broadcasts. */
    private static final int VERSION = (LVT_ENTRIES - 1) << 16 | 0x14;

    // Error status bits.
    private static final int ESR_SEND_ILLEGAL = 1 << 5;
    private static final int ESR_RECEIVE_ILLEGAL = 1 << 6;
    private static final int ESR_ILLEGAL_REGISTER = 1 << 7;

    private final Cpu cpu;
    private final ApicFabric fabric;
    private final ApicTimer timer;
    private final int id;

    private volatile long base;
    private volatile int svr;
    private volatile int logicalDestination;
    private volatile int destinationFormat;
    private volatile int tpr;
    private final VectorSet irr = new VectorSet();
    private final VectorSet isr = new VectorSet();
    private final VectorSet tmr = new VectorSet();
    private final AtomicIntegerArray lvt = new AtomicIntegerArray(LVT_ENTRIES);
    private final AtomicInteger errors = new AtomicInteger();
    private int errorStatus;
    private int icrLow;
    private int icrHigh;

    /** Start-up vector of a pending SIPI. */
    private volatile int sipiVector = -1;

    /** An ExtINT message (not the wire) waits. */
    private volatile boolean externalMessage;

    /** A paravirtual kick that has not ended a halt yet. */
    private final AtomicBoolean kicked = new AtomicBoolean();

    public LocalApic(Cpu cpu, ApicFabric fabric, Tsc tsc) {
        this.cpu = cpu;
        this.fabric = fabric;
        this.id = cpu.id;
        this.timer = new ApicTimer(id, tsc, this::timerFired);
        this.base = powerOnBase();
        reset();
        fabric.add(this);
        cpu.mmu.apicPage = this;
    }

    private long powerOnBase() {
        return DEFAULT_ADDRESS | BASE_ENABLE | (id == 0 ? BASE_BSP : 0);
    }

    /** The initial APIC id. */
    public int id() {
        return id;
    }

    /** Power-on state. */
    public void powerOn() {
        base = powerOnBase();
        reset();
    }

    /** State after INIT: as after power-on, but IA32_APIC_BASE stays (SDM 3A §12.4.7.3). */
    public void reset() {
        timer.reset();
        irr.clearAll();
        isr.clearAll();
        tmr.clearAll();
        for (int i = 0; i < LVT_ENTRIES; i++) {
            lvt.set(i, LVT_MASKED);
        }
        if (id == 0) {
            // DEVIATION: masked in the SDM; firmware opens it for the 8259 pair ("virtual wire
            // mode", MultiProcessor Specification §3.6.2.2), and kernels loaded without firmware
            // expect that.
            lvt.set(LVT_LINT0, ApicFabric.EXT_INT << 8);
        }
        svr = 0xFF;
        logicalDestination = 0;
        destinationFormat = -1;
        tpr = 0;
        errors.set(0);
        errorStatus = 0;
        icrLow = 0;
        icrHigh = 0;
        externalMessage = false;
        kicked.set(false);
    }

    /** Stops the timer for good. */
    public void close() {
        timer.close();
    }

    // ------------------------------------------------------------------ routing, any thread

    public boolean isEnabled() {
        return (base & BASE_ENABLE) != 0;
    }

    private boolean isX2() {
        return (base & BASE_X2APIC) != 0;
    }

    boolean isSoftwareEnabled() {
        return isEnabled() && (svr & SVR_ENABLE) != 0;
    }

    /** Roughly the processor priority: for lowest-priority arbitration. */
    int priorityHint() {
        return Math.max(tpr >>> 4, Math.max(isr.highest(), 0) >>> 4);
    }

    boolean matches(int destination, boolean logical, boolean broadcast) {
        if (!isEnabled()) {
            return false;
        }
        if (broadcast) {
            return true;
        }
        if (!logical) {
            return destination == id;
        }
        if (isX2()) {
            int own = x2LogicalId();
            return destination >>> 16 == own >>> 16 && (destination & own & 0xFFFF) != 0;
        }
        int own = logicalDestination >>> 24;
        if (destinationFormat >>> 28 == 0xF) {
            return (destination & own) != 0;
        }
        return destination >>> 4 == own >>> 4 && (destination & own & 0xF) != 0;
    }

    private int x2LogicalId() {
        return (id >>> 4) << 16 | 1 << (id & 15);
    }

    /** A message arrives. */
    void accept(int mode, int vector, boolean level) {
        switch (mode) {
            case ApicFabric.FIXED, ApicFabric.LOWEST_PRIORITY -> acceptFixed(vector, level);
            case ApicFabric.NMI -> {
                if (isEnabled()) {
                    cpu.request(Cpu.REQUEST_NMI);
                }
            }
            case ApicFabric.INIT -> {
                sipiVector = -1;
                cpu.request(Cpu.REQUEST_INIT);
            }
            case ApicFabric.START_UP -> {
                sipiVector = vector;
                cpu.request(Cpu.REQUEST_SIPI);
            }
            case ApicFabric.EXT_INT -> {
                externalMessage = true;
                cpu.request(Cpu.REQUEST_INTERRUPT);
            }
            default -> {
                // SMI and the reserved mode: there is no system management mode to enter.
            }
        }
    }

    private void acceptFixed(int vector, boolean level) {
        if (!isSoftwareEnabled()) {
            return;
        }
        if (vector < 16) {
            error(ESR_RECEIVE_ILLEGAL);
            return;
        }
        if (level) {
            tmr.set(vector);
        } else {
            tmr.clear(vector);
        }
        irr.set(vector);
        cpu.request(Cpu.REQUEST_INTERRUPT);
    }

    private void error(int bit) {
        int old = errors.getAndAccumulate(bit, (a, b) -> a | b);
        int entry = lvt.get(LVT_ERROR);
        if ((old & bit) == 0 && (entry & LVT_MASKED) == 0 && (entry & 0xFF) >= 16) {
            acceptFixed(entry & 0xFF, false);
        }
    }

    /** On the timer thread or, for a deadline already past, on the vCPU's. */
    private void timerFired() {
        int entry = lvt.get(LVT_TIMER);
        if ((entry & LVT_MASKED) == 0) {
            acceptFixed(entry & 0xFF, false);
        }
    }

    void externalInterruptRaised(boolean rising) {
        int entry = lvt.get(LVT_LINT0);
        int mode = (entry >>> 8) & 7;
        if (acceptsExternalInterrupt()) {
            cpu.request(Cpu.REQUEST_INTERRUPT);
        } else if (rising && isSoftwareEnabled() && (entry & LVT_MASKED) == 0) {
            accept(mode, entry & 0xFF, (entry & LEVEL_TRIGGERED) != 0);
        }
    }

    /** LINT1: the machine's NMI. */
    void localInterrupt1() {
        int entry = lvt.get(LVT_LINT1);
        if (!isEnabled()) {
            cpu.request(Cpu.REQUEST_NMI);
        } else if ((entry & LVT_MASKED) == 0) {
            accept((entry >>> 8) & 7, entry & 0xFF, false);
        }
    }

    /** Ends the current or the next halt, whatever RFLAGS.IF is: KVM_HC_KICK_CPU. */
    public void kick() {
        kicked.set(true);
        cpu.request(Cpu.REQUEST_INTERRUPT);
    }

    /** Own thread, halted: whether a {@link #kick} ends this halt. */
    public boolean takeKick() {
        // At once: a kick that came between a look and a reset would be lost.
        return kicked.get() && kicked.getAndSet(false);
    }

    /** Whether the next halt ends at once. */
    public boolean isKicked() {
        return kicked.get();
    }

    // ------------------------------------------------------------------ taking, own thread

    /**
     * The vector that would be delivered now if RFLAGS.IF allows, or -1: the highest in IRR whose
     * class is above the processor priority.
     */
    public int pendingVector() {
        int vector = irr.highest();
        if (vector < 0 || !isSoftwareEnabled()) {
            return -1;
        }
        return vector >>> 4 > ppr() >>> 4 ? vector : -1;
    }

    /** Takes {@link #pendingVector}: IRR to ISR. */
    public int acknowledge() {
        int vector = pendingVector();
        if (vector >= 0) {
            irr.clear(vector);
            isr.set(vector);
        }
        return vector;
    }

    /** Whether LINT0 passes the 8259 pair's interrupt, or the APIC is out of the way. */
    public boolean acceptsExternalInterrupt() {
        int entry = lvt.get(LVT_LINT0);
        boolean open = (entry & LVT_MASKED) == 0 && ((entry >>> 8) & 7) == ApicFabric.EXT_INT;
        return !isEnabled() || open;
    }

    /** Whether an interrupt waits that RFLAGS.IF alone can hold back. */
    public boolean hasInterrupt() {
        return externalMessage
                || (fabric.externalInterrupt() && acceptsExternalInterrupt())
                || pendingVector() >= 0;
    }

    /**
     * Takes the interrupt to deliver now, external ones first.
     *
     * @return its vector, or -1 if there is none any more
     */
    public int takeInterrupt(VcpuBus bus) {
        if (externalMessage || (fabric.externalInterrupt() && acceptsExternalInterrupt())) {
            externalMessage = false;
            int vector = bus.acknowledgeExternalInterrupt();
            if (vector >= 0) {
                return vector & 0xFF;
            }
        }
        return acknowledge();
    }

    /** Whether an ExtINT message (not the wire) waits. */
    public boolean hasExternalMessage() {
        return externalMessage;
    }

    public void setExternalMessage(boolean waits) {
        externalMessage = waits;
    }

    /** Takes the vector of a pending SIPI, or -1. */
    public int takeSipi() {
        int vector = sipiVector;
        sipiVector = -1;
        return vector;
    }

    /** The vector of a pending SIPI, or -1. */
    public int pendingSipi() {
        return sipiVector;
    }

    /** Restores a pending SIPI. */
    public void setPendingSipi(int vector) {
        sipiVector = vector;
    }

    /** After the priority fell: something in IRR may now be deliverable. */
    private void recheck() {
        if (pendingVector() >= 0) {
            cpu.request(Cpu.REQUEST_INTERRUPT);
        }
    }

    private int ppr() {
        int inService = isr.highest();
        int task = tpr;
        int service = inService < 0 ? 0 : inService & 0xF0;
        return task >>> 4 >= service >>> 4 ? task : service;
    }

    private void endOfInterrupt() {
        int vector = isr.highest();
        if (vector < 0) {
            return;
        }
        isr.clear(vector);
        if (tmr.contains(vector)) {
            cpu.bus.endOfInterrupt(vector);
        }
        recheck();
    }

    /** CR8. */
    public int taskPriorityClass() {
        return tpr >>> 4;
    }

    public void setTaskPriorityClass(int value) {
        setTaskPriority(value << 4);
    }

    private void setTaskPriority(int value) {
        tpr = value & 0xFF;
        recheck();
    }

    /** The time-stamp counter or the guest clock was moved: deadlines are at other host times. */
    public void clockMoved() {
        timer.clockMoved();
    }

    public long tscDeadline() {
        return timer.tscDeadline();
    }

    public void setTscDeadline(long value) {
        timer.setTscDeadline(value);
    }

    // ------------------------------------------------------------------ IA32_APIC_BASE

    public long base() {
        return base;
    }

    /**
     * WRMSR to IA32_APIC_BASE (SDM 3A §12.12.5).
     *
     * @throws GuestFault #GP(0) on reserved bits and illegal transitions
     */
    public void writeBase(long value) {
        long reserved = ~(BASE_ADDRESS_MASK | BASE_BSP | BASE_X2APIC | BASE_ENABLE);
        long mode = BASE_X2APIC | BASE_ENABLE;
        long oldMode = base & mode;
        long newMode = value & mode;
        boolean illegal =
                newMode == BASE_X2APIC
                        || (oldMode == mode && newMode == BASE_ENABLE)
                        || (oldMode == 0 && newMode == mode);
        if ((value & reserved) != 0 || illegal) {
            throw cpu.gp0();
        }
        setBase(value);
        if (oldMode != 0 && newMode == 0) {
            reset();
        }
    }

    private void setBase(long value) {
        boolean moved = base != value;
        base = value;
        if (moved) {
            // The page may have been, or may now be, RAM in the soft TLB.
            cpu.mmu.flushAll();
        }
        recheck();
    }

    // ------------------------------------------------------------------ memory-mapped registers

    @Override
    public boolean claims(long physical) {
        long b = base;
        return (b & (BASE_ENABLE | BASE_X2APIC)) == BASE_ENABLE
                && (physical & ~0xFFFL) == (b & BASE_ADDRESS_MASK);
    }

    @Override
    public long read(long physical, int sizeBytes) {
        int offset = (int) physical & 0xFFF;
        int within = offset & 0xF;
        if (within >= 4) {
            return 0;
        }
        long value = readRegister(offset & 0xFF0) & 0xFFFFFFFFL;
        value >>>= 8 * within;
        return sizeBytes >= 4 ? value : value & ((1L << (8 * sizeBytes)) - 1);
    }

    @Override
    public void write(long physical, int sizeBytes, long value) {
        int offset = (int) physical & 0xFFF;
        if ((offset & 0xF) == 0 && sizeBytes >= 4) {
            writeRegister(offset, (int) value);
        }
    }

    private int readRegister(int offset) {
        return switch (offset) {
            case 0x20 -> isX2() ? id : id << 24;
            case 0x30 -> VERSION;
            case 0x80 -> tpr;
            case 0x90 -> 0; // arbitration priority: not on this bus
            case 0xA0 -> ppr();
            case 0xB0 -> 0;
            case 0xC0 -> 0; // remote read: not supported, as on every processor since Pentium 4
            case 0xD0 -> isX2() ? x2LogicalId() : logicalDestination;
            case 0xE0 -> destinationFormat;
            case 0xF0 -> svr;
            case 0x100, 0x110, 0x120, 0x130, 0x140, 0x150, 0x160, 0x170 ->
                    isr.register((offset >>> 4) & 7);
            case 0x180, 0x190, 0x1A0, 0x1B0, 0x1C0, 0x1D0, 0x1E0, 0x1F0 ->
                    tmr.register((offset >>> 4) & 7);
            case 0x200, 0x210, 0x220, 0x230, 0x240, 0x250, 0x260, 0x270 ->
                    irr.register((offset >>> 4) & 7);
            case 0x280 -> errorStatus;
            case 0x300 -> icrLow;
            case 0x310 -> icrHigh;
            case 0x320, 0x330, 0x340, 0x350, 0x360, 0x370 -> lvt.get((offset - 0x320) >>> 4);
            case 0x380 -> timer.initialCount();
            case 0x390 -> timer.currentCount();
            case 0x3E0 -> timer.divide();
            default -> {
                error(ESR_ILLEGAL_REGISTER);
                yield 0;
            }
        };
    }

    private void writeRegister(int offset, int value) {
        switch (offset) {
            case 0x20, 0x30, 0x90, 0xA0, 0xC0, 0x390 -> {
                // Read-only.
            }
            case 0x80 -> setTaskPriority(value);
            case 0xB0 -> endOfInterrupt();
            case 0xD0 -> logicalDestination = value & 0xFF000000;
            case 0xE0 -> destinationFormat = value | 0x0FFFFFFF;
            case 0xF0 -> writeSpurious(value);
            case 0x280 -> errorStatus = errors.getAndSet(0);
            case 0x300 -> {
                icrLow = value & 0x000CCFFF;
                sendIpi((icrHigh >>> 24) & 0xFF, ((icrHigh >>> 24) & 0xFF) == 0xFF);
            }
            case 0x310 -> icrHigh = value & 0xFF000000;
            case 0x320, 0x330, 0x340, 0x350, 0x360, 0x370 ->
                    writeLvt((offset - 0x320) >>> 4, value);
            case 0x380 -> timer.setInitialCount(value);
            case 0x3E0 -> timer.setDivide(value);
            default -> error(ESR_ILLEGAL_REGISTER);
        }
    }

    private void writeSpurious(int value) {
        svr = value & 0x3FF;
        if ((value & SVR_ENABLE) == 0) {
            for (int i = 0; i < LVT_ENTRIES; i++) {
                lvt.set(i, lvt.get(i) | LVT_MASKED);
            }
        }
        recheck();
    }

    private void writeLvt(int entry, int value) {
        int writable = LVT_WRITABLE[entry];
        int next = (value & writable) | (lvt.get(entry) & REMOTE_IRR);
        if ((svr & SVR_ENABLE) == 0) {
            next |= LVT_MASKED;
        }
        lvt.set(entry, next);
        if (entry == LVT_TIMER) {
            timer.setMode((next >>> 17) & 3);
        } else if (entry == LVT_LINT0 && fabric.externalInterrupt()) {
            cpu.request(Cpu.REQUEST_INTERRUPT);
        }
    }

    private void sendIpi(int destination, boolean broadcast) {
        int low = icrLow;
        int mode = (low >>> 8) & 7;
        int vector = low & 0xFF;
        boolean asserted = (low & 1 << 14) != 0;
        boolean level = (low & LEVEL_TRIGGERED) != 0;
        if (mode == ApicFabric.INIT && level && !asserted) {
            return; // INIT level de-assert: ignored since Pentium 4
        }
        if (mode <= ApicFabric.LOWEST_PRIORITY && vector < 16) {
            error(ESR_SEND_ILLEGAL);
            return;
        }
        switch ((low >>> 18) & 3) {
            case 0 -> {
                boolean logical = (low & 1 << 11) != 0;
                fabric.send(destination, logical, broadcast, mode, vector, false);
            }
            case 1 -> accept(mode, vector, false);
            case 2 -> fabric.sendToAll(null, mode, vector);
            default -> fabric.sendToAll(this, mode, vector);
        }
    }

    // ------------------------------------------------------------------ x2APIC MSRs

    /**
     * @param index 0x800 .. 0x8FF
     * @throws GuestFault #GP(0) outside x2APIC mode and for registers that cannot be read
     */
    public long readMsr(int index) {
        int offset = (index & 0xFF) << 4;
        if (!isX2() || !isX2Readable(offset)) {
            throw cpu.gp0();
        }
        long value = readRegister(offset) & 0xFFFFFFFFL;
        return offset == 0x300 ? value | (long) icrHigh << 32 : value;
    }

    private static boolean isX2Readable(int offset) {
        return switch (offset) {
            case 0x20, 0x30, 0x80, 0xA0, 0xD0, 0xF0, 0x280, 0x300 -> true;
            case 0x380, 0x390, 0x3E0 -> true;
            default -> (offset >= 0x100 && offset < 0x280) || (offset >= 0x320 && offset <= 0x370);
        };
    }

    /**
     * @throws GuestFault #GP(0) outside x2APIC mode, for registers that cannot be written, and for
     *     reserved bits
     */
    public void writeMsr(int index, long value) {
        int offset = (index & 0xFF) << 4;
        if (!isX2()) {
            throw cpu.gp0();
        }
        if (offset == 0x300) {
            if ((value & 0xFFF33000L) != 0) {
                throw cpu.gp0();
            }
            icrLow = (int) value & 0x000CCFFF;
            icrHigh = (int) (value >>> 32);
            sendIpi(icrHigh, icrHigh == -1);
            return;
        }
        boolean ok =
                switch (offset) {
                    case 0x80 -> (value & ~0xFFL) == 0;
                    case 0xB0, 0x280 -> value == 0;
                    case 0xF0 -> (value & ~0x3FFL) == 0;
                    case 0x320, 0x330, 0x340, 0x350, 0x360, 0x370 -> value >>> 19 == 0;
                    case 0x380 -> value >>> 32 == 0;
                    case 0x3E0 -> (value & ~0xBL) == 0;
                    case 0x3F0 -> (value & ~0xFFL) == 0;
                    default -> false;
                };
        if (!ok) {
            throw cpu.gp0();
        }
        if (offset == 0x3F0) {
            if (value < 16) {
                error(ESR_SEND_ILLEGAL);
            } else {
                acceptFixed((int) value, false);
            }
        } else {
            writeRegister(offset, (int) value);
        }
    }

    // ------------------------------------------------------------------ saving

    /** The register page, as {@code CpuState.lapic} wants it. */
    public byte[] save() {
        byte[] page = new byte[1024];
        for (int offset = 0x20; offset < 0x400; offset += 0x10) {
            boolean known = isX2Readable(offset) || offset == 0xE0 || offset == 0x310;
            if (known) {
                put(page, offset, readRegister(offset));
            }
        }
        return page;
    }

    /**
     * Takes over a saved page and IA32_APIC_BASE.
     *
     * @throws IllegalArgumentException if a register cannot have that value
     */
    public void restore(byte[] page, long newBase) {
        long reserved = ~(BASE_ADDRESS_MASK | BASE_BSP | BASE_X2APIC | BASE_ENABLE);
        boolean x2WithoutEnable = (newBase & (BASE_X2APIC | BASE_ENABLE)) == BASE_X2APIC;
        if (page.length != 1024 || (newBase & reserved) != 0 || x2WithoutEnable) {
            throw new IllegalArgumentException("local APIC: base %#x".formatted(newBase));
        }
        reset();
        boolean x2 = (newBase & BASE_X2APIC) != 0;
        int savedId = get(page, 0x20);
        if ((x2 ? savedId : savedId >>> 24) != id) {
            throw new IllegalArgumentException("local APIC: id %#x on %d".formatted(savedId, id));
        }
        setBase(newBase);
        svr = get(page, 0xF0) & 0x3FF;
        logicalDestination = x2 ? 0 : get(page, 0xD0) & 0xFF000000;
        destinationFormat = get(page, 0xE0) | 0x0FFFFFFF;
        tpr = get(page, 0x80) & 0xFF;
        for (int n = 0; n < 8; n++) {
            int illegal = n == 0 ? 0xFFFF : 0;
            isr.setRegister(n, get(page, 0x100 + 0x10 * n) & ~illegal);
            tmr.setRegister(n, get(page, 0x180 + 0x10 * n) & ~illegal);
            irr.setRegister(n, get(page, 0x200 + 0x10 * n) & ~illegal);
        }
        errorStatus = get(page, 0x280) & 0xFF;
        icrLow = get(page, 0x300) & 0x000CCFFF;
        icrHigh = x2 ? get(page, 0x310) : get(page, 0x310) & 0xFF000000;
        for (int i = 0; i < LVT_ENTRIES; i++) {
            int kept = LVT_WRITABLE[i] | REMOTE_IRR;
            lvt.set(i, get(page, 0x320 + 0x10 * i) & kept);
        }
        timer.restore(
                (lvt.get(LVT_TIMER) >>> 17) & 3,
                get(page, 0x3E0),
                get(page, 0x380),
                get(page, 0x390));
        cpu.request(Cpu.REQUEST_INTERRUPT);
    }

    private static void put(byte[] page, int offset, int value) {
        for (int i = 0; i < 4; i++) {
            page[offset + i] = (byte) (value >>> (8 * i));
        }
    }

    private static int get(byte[] page, int offset) {
        return (page[offset] & 0xFF)
                | (page[offset + 1] & 0xFF) << 8
                | (page[offset + 2] & 0xFF) << 16
                | page[offset + 3] << 24;
    }
}
