package dev.javisor.devices;

import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.PlatformLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The board's interrupt wiring. An ISA IRQ goes to its 8259 input and to its I/O APIC pin (IRQ 0 to
 * pin 2), a GSI from 16 on to its pin only. Each call for a line makes another source of it; the
 * wire is asserted while any source is.
 *
 * <p>The HPET's legacy replacement (IA-PC HPET 1.0a §2.3.3) disconnects the PIT from IRQ 0 and the
 * RTC from IRQ 8 and puts HPET timers 0 and 1 there.
 */
public final class InterruptRouter {
    private final List<Wire> wires = new ArrayList<>();
    private final Gate pit;
    private final Gate rtc;

    public InterruptRouter(Pic8259Pair pic, IoApic ioApic) {
        for (int gsi = 0; gsi < IoApic.PINS; gsi++) {
            InterruptLine pin = ioApic.pin(gsi);
            InterruptLine input = InterruptLine.NONE;
            if (gsi == PlatformLayout.GSI_PIT) {
                input = pic.input(PlatformLayout.IRQ_PIT);
            } else if (gsi != 0 && gsi < 16) {
                input = pic.input(gsi);
            }
            wires.add(new Wire(input, pin));
        }
        pit = new Gate(isa(PlatformLayout.IRQ_PIT));
        rtc = new Gate(isa(PlatformLayout.IRQ_RTC));
    }

    /** A new source of a global system interrupt, 0 to 23. */
    public InterruptLine gsi(int gsi) {
        return new Source(wires.get(gsi));
    }

    /** A new source of an ISA IRQ, 0 to 15 without the cascade's 2. */
    public InterruptLine isa(int irq) {
        if (irq < 0 || irq > 15 || irq == 2) {
            throw new IllegalArgumentException("no IRQ " + irq);
        }
        return gsi(PlatformLayout.isaGsi(irq));
    }

    /** A new source of the GSI that pin INTA# (0) to INTD# (3) of a device on bus 0 has. */
    public InterruptLine pci(int device, int pin) {
        return gsi(PlatformLayout.pciGsi(device, pin));
    }

    /** IRQ 0 as the PIT sees it: disconnected in legacy replacement. */
    public InterruptLine pit() {
        return pit;
    }

    /** IRQ 8 as the RTC sees it: disconnected in legacy replacement. */
    public InterruptLine rtc() {
        return rtc;
    }

    /** For the HPET: switches legacy replacement. */
    public void setLegacyReplacement(boolean enabled) {
        pit.open(!enabled);
        rtc.open(!enabled);
    }

    /** A wired-or of sources, to one 8259 input and one I/O APIC pin. */
    private static final class Wire {
        private final InterruptLine pic;
        private final InterruptLine ioApic;
        private int asserted;

        private Wire(InterruptLine pic, InterruptLine ioApic) {
            this.pic = pic;
            this.ioApic = ioApic;
        }

        /** A source's level changed. Holds the lock so that both targets see the same order. */
        private synchronized void changed(boolean level) {
            asserted += level ? 1 : -1;
            if (asserted == (level ? 1 : 0)) {
                pic.set(level);
                ioApic.set(level);
            }
        }
    }

    private static final class Source implements InterruptLine {
        private final Wire wire;
        private boolean level;

        private Source(Wire wire) {
            this.wire = wire;
        }

        @Override
        public synchronized void set(boolean newLevel) {
            if (newLevel != level) {
                level = newLevel;
                wire.changed(newLevel);
            }
        }
    }

    /** Passes a level on while open. */
    private static final class Gate implements InterruptLine {
        private final InterruptLine target;
        private boolean open = true;
        private boolean level;

        private Gate(InterruptLine target) {
            this.target = target;
        }

        @Override
        public synchronized void set(boolean newLevel) {
            level = newLevel;
            target.set(open && newLevel);
        }

        private synchronized void open(boolean nowOpen) {
            open = nowOpen;
            target.set(open && level);
        }
    }
}
