package dev.javisor.devices;

/** One 8259A. Not thread-safe: the pair guards it. */
final class Pic8259 {
    /** Input of the master that the slave is wired to. */
    static final int CASCADE = 2;

    private final boolean master;

    /** Which inputs ELCR can make level-triggered (ICH9 §13.4.9). */
    private final int elcrWritable;

    private int irr;
    private int imr = 0xFF;
    private int isr;
    private int lines;
    private int elcr;
    private int vectorBase;

    /** The input with the highest priority. */
    private int top;

    /** 0 when initialized, else the number of the ICW expected next (2 to 4). */
    private int nextIcw;

    private boolean initialized;
    private boolean single;
    private boolean expectIcw4;
    private boolean autoEoi;
    private boolean rotateOnAutoEoi;
    private boolean fullyNested;
    private boolean levelTriggered;
    private boolean specialMask;
    private boolean readIsr;
    private boolean poll;

    Pic8259(boolean master) {
        this.master = master;
        this.elcrWritable = master ? 0xF8 : 0xDE;
    }

    private int levelInputs() {
        return levelTriggered ? 0xFF : elcr;
    }

    void setLine(int input, boolean level) {
        int bit = 1 << input;
        boolean was = (lines & bit) != 0;
        if (level) {
            lines |= bit;
            if (!was || (levelInputs() & bit) != 0) {
                irr |= bit;
            }
        } else {
            lines &= ~bit;
            // DEVIATION: an 8259A drops an edge request whose line falls before INTA and answers
            // IR7; here the edge stays latched, so that a pulse of no length is not lost.
            if ((levelInputs() & bit) != 0) {
                irr &= ~bit;
            }
        }
    }

    /** Makes the cascade input follow the slave's INT: a request is an edge, latched until INTA. */
    void requestCascade() {
        irr |= 1 << CASCADE;
    }

    /** Priority of the best input in {@code set}, 0 is best, 8 if it is empty. */
    private int priority(int set) {
        if (set == 0) {
            return 8;
        }
        int rotated = ((set >>> top) | (set << (8 - top))) & 0xFF;
        return Integer.numberOfTrailingZeros(rotated);
    }

    /** The input to be served now, or -1. */
    int pending() {
        int best = priority(irr & ~imr);
        if (best == 8) {
            return -1;
        }
        int inService = isr;
        if (specialMask) {
            inService &= ~imr;
        }
        if (fullyNested && master) {
            inService &= ~(1 << CASCADE);
        }
        return best < priority(inService) ? (best + top) & 7 : -1;
    }

    /** The INTA cycle for {@link #pending()}. */
    void acknowledge(int input) {
        int bit = 1 << input;
        if ((levelInputs() & bit) == 0) {
            irr &= ~bit;
        }
        if (!autoEoi) {
            isr |= bit;
        } else if (rotateOnAutoEoi) {
            top = (input + 1) & 7;
        }
    }

    boolean initialized() {
        return initialized;
    }

    int vector(int input) {
        return vectorBase + input;
    }

    int readElcr() {
        return elcr;
    }

    void writeElcr(int value) {
        elcr = value & elcrWritable;
        int level = levelInputs();
        irr = (irr & ~level) | (lines & level);
    }

    /** A0 = 0 reads IRR, ISR or a poll answer; A0 = 1 reads the mask. */
    int read(int a0) {
        if (poll) {
            poll = false;
            int input = pending();
            if (input < 0) {
                return 0;
            }
            acknowledge(input);
            return 0x80 | input;
        }
        if (a0 == 1) {
            return imr;
        }
        return readIsr ? isr : irr;
    }

    void write(int a0, int value) {
        if (a0 == 1) {
            writeData(value);
        } else if ((value & 0x10) != 0) {
            writeIcw1(value);
        } else if ((value & 0x08) != 0) {
            writeOcw3(value);
        } else {
            writeOcw2(value);
        }
    }

    private void writeIcw1(int value) {
        imr = 0;
        isr = 0;
        top = 0;
        specialMask = false;
        readIsr = false;
        poll = false;
        autoEoi = false;
        rotateOnAutoEoi = false;
        fullyNested = false;
        expectIcw4 = (value & 0x01) != 0;
        single = (value & 0x02) != 0;
        levelTriggered = (value & 0x08) != 0;
        // The edge sense is reset: a line that is high must fall and rise again.
        irr = lines & levelInputs();
        nextIcw = 2;
        initialized = false;
    }

    private void writeData(int value) {
        switch (nextIcw) {
            case 0 -> imr = value;
            case 2 -> {
                vectorBase = value & 0xF8;
                nextIcw = single ? (expectIcw4 ? 4 : 0) : 3;
                initialized = nextIcw == 0;
            }
            case 3 -> {
                // The wiring of the cascade is fixed on a PC, so ICW3 changes nothing.
                nextIcw = expectIcw4 ? 4 : 0;
                initialized = nextIcw == 0;
            }
            default -> {
                autoEoi = (value & 0x02) != 0;
                fullyNested = (value & 0x10) != 0;
                nextIcw = 0;
                initialized = true;
            }
        }
    }

    private void writeOcw2(int value) {
        int input = value & 7;
        switch (value >>> 5) {
            case 0 -> rotateOnAutoEoi = false;
            case 4 -> rotateOnAutoEoi = true;
            case 1, 5 -> {
                int best = priority(specialMask ? isr & ~imr : isr);
                if (best < 8) {
                    int served = (best + top) & 7;
                    isr &= ~(1 << served);
                    if (value >>> 5 == 5) {
                        top = (served + 1) & 7;
                    }
                }
            }
            case 3 -> isr &= ~(1 << input);
            case 6 -> top = (input + 1) & 7;
            case 7 -> {
                isr &= ~(1 << input);
                top = (input + 1) & 7;
            }
            default -> {
                // 2: no operation.
            }
        }
    }

    private void writeOcw3(int value) {
        if ((value & 0x02) != 0) {
            readIsr = (value & 0x01) != 0;
        }
        if ((value & 0x40) != 0) {
            specialMask = (value & 0x20) != 0;
        }
        poll = (value & 0x04) != 0;
    }

    PicState.Chip state() {
        return new PicState.Chip(
                irr,
                imr,
                isr,
                lines,
                elcr,
                vectorBase,
                top,
                nextIcw,
                initialized,
                single,
                expectIcw4,
                autoEoi,
                rotateOnAutoEoi,
                fullyNested,
                levelTriggered,
                specialMask,
                readIsr,
                poll);
    }

    void restore(PicState.Chip state) {
        irr = state.irr();
        imr = state.imr();
        isr = state.isr();
        lines = state.lines();
        elcr = state.elcr() & elcrWritable;
        vectorBase = state.vectorBase() & 0xF8;
        top = state.top();
        nextIcw = state.nextIcw();
        initialized = state.initialized();
        single = state.single();
        expectIcw4 = state.expectIcw4();
        autoEoi = state.autoEoi();
        rotateOnAutoEoi = state.rotateOnAutoEoi();
        fullyNested = state.fullyNested();
        levelTriggered = state.levelTriggered();
        specialMask = state.specialMask();
        readIsr = state.readIsr();
        poll = state.poll();
    }
}
