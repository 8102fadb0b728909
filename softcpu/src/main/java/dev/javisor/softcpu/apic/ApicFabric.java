package dev.javisor.softcpu.apic;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What connects the local APICs of one virtual machine: routes message-signalled and
 * inter-processor interrupts to their destinations (SDM 3A §12.6.2, §12.11). All methods may be
 * called from any thread and never block.
 */
public final class ApicFabric {
    // Delivery modes (SDM 3A table 12-1).
    static final int FIXED = 0;
    static final int LOWEST_PRIORITY = 1;
    static final int NMI = 4;
    static final int INIT = 5;
    static final int START_UP = 6;
    static final int EXT_INT = 7;

    /** Replaced as a whole when a vCPU is added. */
    private volatile LocalApic[] apics = new LocalApic[0];

    private volatile boolean externalInterrupt;

    /** Where the search for a lowest-priority target starts: spreads equal ones. */
    private final AtomicInteger turn = new AtomicInteger();

    public ApicFabric() {}

    /** Called by {@link LocalApic}'s constructor. */
    synchronized void add(LocalApic apic) {
        LocalApic[] old = apics;
        LocalApic[] next = Arrays.copyOf(old, old.length + 1);
        next[old.length] = apic;
        apics = next;
    }

    /** The local APIC with this initial id, or null. */
    public @Nullable LocalApic apic(int id) {
        for (LocalApic apic : apics) {
            if (apic.id() == id) {
                return apic;
            }
        }
        return null;
    }

    /**
     * A write of {@code data} to {@code address} in 0xFEE00000 .. 0xFEEFFFFF. Other addresses are
     * not interrupts and are ignored.
     */
    public void signalMsi(long address, int data) {
        if ((address & ~0xFFFFFL) != 0xFEE00000L) {
            return;
        }
        int destination = (int) (address >>> 12) & 0xFF;
        boolean logical = (address & 4) != 0;
        int mode = (data >>> 8) & 7;
        if ((address & 8) != 0 && mode == FIXED) {
            // Redirection hint: one of the destinations.
            mode = LOWEST_PRIORITY;
        }
        boolean level = (data & 0x8000) != 0;
        send(destination, logical, destination == 0xFF, mode, data & 0xFF, level);
    }

    void send(
            int destination,
            boolean logical,
            boolean broadcast,
            int mode,
            int vector,
            boolean level) {
        LocalApic[] all = apics;
        if (mode == LOWEST_PRIORITY) {
            sendToOne(all, destination, logical, broadcast, vector, level);
            return;
        }
        for (LocalApic apic : all) {
            if (apic.matches(destination, logical, broadcast)) {
                apic.accept(mode, vector, level);
            }
        }
    }

    private void sendToOne(
            LocalApic[] all,
            int destination,
            boolean logical,
            boolean broadcast,
            int vector,
            boolean level) {
        int start = turn.getAndIncrement() & 0x7FFFFFFF;
        LocalApic best = null;
        for (int i = 0; i < all.length; i++) {
            LocalApic apic = all[(start + i) % all.length];
            if (apic.matches(destination, logical, broadcast)
                    && apic.isSoftwareEnabled()
                    && (best == null || apic.priorityHint() < best.priorityHint())) {
                best = apic;
            }
        }
        if (best != null) {
            best.accept(FIXED, vector, level);
        }
    }

    /** To all, or to all but {@code self}. */
    void sendToAll(@Nullable LocalApic self, int mode, int vector) {
        if (mode == LOWEST_PRIORITY) {
            mode = FIXED;
        }
        for (LocalApic apic : apics) {
            if (apic != self) {
                apic.accept(mode, vector, false);
            }
        }
    }

    /** The level of the 8259 pair's output, wired to LINT0 of all. */
    public void setExternalInterrupt(boolean level) {
        boolean rising = level && !externalInterrupt;
        externalInterrupt = level;
        if (level) {
            for (LocalApic apic : apics) {
                apic.externalInterruptRaised(rising);
            }
        }
    }

    boolean externalInterrupt() {
        return externalInterrupt;
    }

    /** A pulse on LINT1 of all. */
    public void signalNmi() {
        for (LocalApic apic : apics) {
            apic.localInterrupt1();
        }
    }
}
