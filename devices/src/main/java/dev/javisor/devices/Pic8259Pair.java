package dev.javisor.devices;

import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineBus;

/**
 * The two cascaded 8259A interrupt controllers of a PC with the edge/level control registers (ELCR)
 * of the PIIX/ICH. Ports 0x20-0x21, 0xA0-0xA1, 0x4D0-0x4D1.
 *
 * <p>Thread-safe; drives its output under its own lock.
 */
public final class Pic8259Pair implements BytePorts, MachineBus.InterruptAcknowledge {
    private final Pic8259 master = new Pic8259(true);
    private final Pic8259 slave = new Pic8259(false);
    private final InterruptLine output;
    private boolean outputLevel;

    /**
     * @param output the master's INT pin
     */
    public Pic8259Pair(InterruptLine output) {
        this.output = output;
    }

    /**
     * An input; IRQ 2 is the cascade and goes nowhere.
     *
     * @param irq 0 to 15
     */
    public InterruptLine input(int irq) {
        if (irq < 0 || irq > 15) {
            throw new IllegalArgumentException("no IRQ " + irq);
        }
        return irq == Pic8259.CASCADE ? InterruptLine.NONE : level -> setInput(irq, level);
    }

    private synchronized void setInput(int irq, boolean level) {
        if (irq < 8) {
            master.setLine(irq, level);
        } else {
            slave.setLine(irq - 8, level);
        }
        update();
    }

    private void update() {
        if (slave.pending() >= 0) {
            master.requestCascade();
        }
        boolean level = master.pending() >= 0;
        if (level != outputLevel) {
            outputLevel = level;
            output.set(level);
        }
    }

    /**
     * The INTA cycle. A request that vanished meanwhile is answered with the spurious vector of IR7
     * (8259A datasheet, "Interrupt sequence"); -1 only while the pair is not initialized.
     */
    @Override
    public synchronized int acknowledge() {
        if (!master.initialized()) {
            return -1;
        }
        int input = master.pending();
        if (input < 0) {
            return master.vector(7);
        }
        master.acknowledge(input);
        int vector = master.vector(input);
        if (input == Pic8259.CASCADE) {
            int slaveInput = slave.pending();
            if (slaveInput >= 0) {
                slave.acknowledge(slaveInput);
            } else {
                slaveInput = 7;
            }
            vector = slave.vector(slaveInput);
        }
        update();
        return vector;
    }

    @Override
    public synchronized int readByte(int port) {
        int value =
                switch (port) {
                    case 0x20, 0x21 -> master.read(port & 1);
                    case 0xA0, 0xA1 -> slave.read(port & 1);
                    case 0x4D0 -> master.readElcr();
                    case 0x4D1 -> slave.readElcr();
                    default -> 0xFF;
                };
        // A poll is an acknowledge.
        update();
        return value;
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        switch (port) {
            case 0x20, 0x21 -> master.write(port & 1, value);
            case 0xA0, 0xA1 -> slave.write(port & 1, value);
            case 0x4D0 -> master.writeElcr(value);
            case 0x4D1 -> slave.writeElcr(value);
            default -> {
                return;
            }
        }
        update();
    }

    public synchronized PicState state() {
        return new PicState(master.state(), slave.state());
    }

    public synchronized void restore(PicState state) {
        master.restore(state.master());
        slave.restore(state.slave());
        update();
    }
}
