package dev.javisor.devices;

/** The 8259A pair, saved. */
public record PicState(Chip master, Chip slave) {
    /**
     * One 8259A.
     *
     * @param lines levels of the eight inputs
     * @param top the input with the highest priority
     * @param nextIcw initialization word expected next (2 to 4), 0 for none
     */
    public record Chip(
            int irr,
            int imr,
            int isr,
            int lines,
            int elcr,
            int vectorBase,
            int top,
            int nextIcw,
            boolean initialized,
            boolean single,
            boolean expectIcw4,
            boolean autoEoi,
            boolean rotateOnAutoEoi,
            boolean fullyNested,
            boolean levelTriggered,
            boolean specialMask,
            boolean readIsr,
            boolean poll) {
        public Chip {
            StateCheck.byteValue("irr", irr);
            StateCheck.byteValue("imr", imr);
            StateCheck.byteValue("isr", isr);
            StateCheck.byteValue("lines", lines);
            StateCheck.byteValue("elcr", elcr);
            StateCheck.byteValue("vectorBase", vectorBase);
            StateCheck.range("top", top, 0, 7);
            if (nextIcw != 0) {
                StateCheck.range("nextIcw", nextIcw, 2, 4);
            }
        }
    }
}
