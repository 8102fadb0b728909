package dev.javisor.devices;

import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineBus;
import dev.javisor.machine.MmioDevice;
import dev.javisor.machine.MsiSink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The I/O APIC: an 82093AA with 24 pins and, as its successors have it, version 0x20 with an EOI
 * register. A pin's interrupt leaves as a message to the local APICs.
 *
 * <p>DEVIATION: pin polarity is stored but not applied: a line is asserted or not, and the board
 * has the inverters that the ACPI tables promise.
 *
 * <p>Thread-safe; sends under its own lock.
 */
public final class IoApic implements MmioDevice, MachineBus.EndOfInterrupt {
    public static final int PINS = 24;

    private static final int SELECT = 0x00;
    private static final int WINDOW = 0x10;
    private static final int EOI = 0x40;

    private static final int VERSION = (PINS - 1) << 16 | 0x20;

    private static final long REMOTE_IRR = 1L << 14;
    private static final long LEVEL = 1L << 15;
    private static final long MASKED = 1L << 16;

    /** Delivery status and remote IRR are the hardware's; bits 17 to 55 do not exist. */
    private static final long WRITABLE = 0xFF00_0000_0001_AFFFL;

    private final MsiSink sink;
    private final RouteObserver routes;
    private final long[] redirections = new long[PINS];
    private int select;
    private int id;
    private int lines;

    public IoApic(MsiSink sink, RouteObserver routes) {
        this.sink = sink;
        this.routes = routes;
        Arrays.fill(redirections, MASKED);
    }

    /**
     * @param pin 0 to 23
     */
    public InterruptLine pin(int pin) {
        if (pin < 0 || pin >= PINS) {
            throw new IllegalArgumentException("no pin " + pin);
        }
        return level -> setPin(pin, level);
    }

    private synchronized void setPin(int pin, boolean level) {
        int bit = 1 << pin;
        boolean was = (lines & bit) != 0;
        if (was == level) {
            return;
        }
        lines ^= bit;
        if (!level) {
            return;
        }
        if ((redirections[pin] & LEVEL) != 0) {
            serveLevel(pin);
        } else if ((redirections[pin] & MASKED) == 0) {
            // An edge at a masked pin is lost (82093AA §3.2.4, interrupt mask).
            send(pin);
        }
    }

    /** Sends a level-triggered pin's message unless one is in service already. */
    private void serveLevel(int pin) {
        long entry = redirections[pin];
        if ((entry & (LEVEL | MASKED | REMOTE_IRR)) == LEVEL && (lines & 1 << pin) != 0) {
            redirections[pin] = entry | REMOTE_IRR;
            send(pin);
        }
    }

    private void send(int pin) {
        long entry = redirections[pin];
        sink.signal(messageAddress(entry), messageData(entry));
    }

    /** SDM 3A §12.11.1: destination and destination mode. */
    private static long messageAddress(long entry) {
        return 0xFEE0_0000L | (entry >>> 56) << 12 | (entry >>> 11 & 1) << 2;
    }

    /** SDM 3A §12.11.2: vector, delivery mode, trigger mode; the level is "assert". */
    private static int messageData(long entry) {
        int data = (int) entry & 0x7FF;
        return (entry & LEVEL) != 0 ? data | 1 << 15 | 1 << 14 : data;
    }

    @Override
    public synchronized void endOfInterrupt(int vector) {
        for (int pin = 0; pin < PINS; pin++) {
            long entry = redirections[pin];
            if ((entry & 0xFF) == vector && (entry & REMOTE_IRR) != 0) {
                redirections[pin] = entry & ~REMOTE_IRR;
                serveLevel(pin);
            }
        }
    }

    @Override
    public synchronized long readMemory(long offset, int sizeBytes) {
        long value =
                switch ((int) offset & ~3) {
                    case SELECT -> select;
                    case WINDOW -> readRegister();
                    default -> 0;
                };
        return value >>> 8 * (offset & 3) & -1L >>> 64 - 8 * sizeBytes;
    }

    @Override
    public synchronized void writeMemory(long offset, int sizeBytes, long value) {
        if ((offset & 3) != 0) {
            return;
        }
        switch ((int) offset) {
            case SELECT -> select = (int) value & 0xFF;
            case WINDOW -> writeRegister((int) value);
            case EOI -> endOfInterrupt((int) value & 0xFF);
            default -> {
                // Reserved.
            }
        }
    }

    private long readRegister() {
        int entry = (select - 0x10) >> 1;
        if (select >= 0x10 && entry < PINS) {
            long value = redirections[entry];
            return ((select & 1) != 0 ? value >>> 32 : value) & 0xFFFF_FFFFL;
        }
        return switch (select) {
            case 0, 2 -> (long) id << 24;
            case 1 -> VERSION;
            default -> 0;
        };
    }

    private void writeRegister(int value) {
        int pin = (select - 0x10) >> 1;
        if (select == 0) {
            id = value >>> 24 & 0x0F;
        } else if (select >= 0x10 && pin < PINS) {
            long old = redirections[pin];
            long entry =
                    (select & 1) != 0
                            ? (old & 0xFFFF_FFFFL) | (long) value << 32
                            : (old & ~0xFFFF_FFFFL) | (value & 0xFFFF_FFFFL);
            entry = (entry & WRITABLE) | (old & REMOTE_IRR);
            if ((entry & LEVEL) == 0) {
                // As hardware does: a pin made edge-triggered has no level interrupt in service.
                entry &= ~REMOTE_IRR;
            }
            redirections[pin] = entry;
            if (entry != old) {
                route(pin);
            }
            serveLevel(pin);
        }
    }

    private void route(int pin) {
        long entry = redirections[pin];
        routes.routed(
                pin,
                (entry & MASKED) != 0
                        ? null
                        : new MsiMessage(messageAddress(entry), messageData(entry)));
    }

    public synchronized IoApicState state() {
        List<Long> entries = new ArrayList<>(PINS);
        for (long entry : redirections) {
            entries.add(entry);
        }
        return new IoApicState(select, id, lines, entries);
    }

    public synchronized void restore(IoApicState state) {
        select = state.select();
        id = state.id();
        lines = state.lines();
        for (int pin = 0; pin < PINS; pin++) {
            long entry = state.redirections().get(pin);
            boolean level = (entry & LEVEL) != 0;
            redirections[pin] = entry & (level ? WRITABLE | REMOTE_IRR : WRITABLE);
            route(pin);
        }
    }
}
