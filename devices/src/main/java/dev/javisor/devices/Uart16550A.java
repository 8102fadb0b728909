package dev.javisor.devices;

import dev.javisor.base.TimeSource;
import dev.javisor.machine.InterruptLine;
import java.util.ArrayList;
import java.util.List;

/**
 * A 16550A serial port (National PC16550D datasheet) at any 8-port base. The transmitter is
 * infinitely fast: a character is in the sink before the guest's write ends. The receiver takes
 * characters only while its FIFO has room, so input is never lost.
 *
 * <p>Thread-safe.
 */
public final class Uart16550A implements BytePorts {
    private static final int FIFO_BYTES = 16;
    private static final long INPUT_CLOCK_HZ = 1_843_200;

    private static final int IER_RECEIVED = 0x01;
    private static final int IER_TRANSMIT_EMPTY = 0x02;
    private static final int IER_LINE_STATUS = 0x04;
    private static final int IER_MODEM_STATUS = 0x08;

    private static final int IIR_NONE = 0x01;
    private static final int IIR_MODEM_STATUS = 0x00;
    private static final int IIR_TRANSMIT_EMPTY = 0x02;
    private static final int IIR_RECEIVED = 0x04;
    private static final int IIR_LINE_STATUS = 0x06;
    private static final int IIR_TIMEOUT = 0x0C;
    private static final int IIR_FIFOS_ENABLED = 0xC0;

    private static final int FCR_ENABLE = 0x01;
    private static final int FCR_CLEAR_RECEIVE = 0x02;
    private static final int FCR_TRIGGER = 0xC0;

    private static final int LCR_DIVISOR_LATCH = 0x80;

    private static final int MCR_DTR = 0x01;
    private static final int MCR_RTS = 0x02;
    private static final int MCR_OUT1 = 0x04;
    private static final int MCR_OUT2 = 0x08;
    private static final int MCR_LOOPBACK = 0x10;

    private static final int LSR_DATA_READY = 0x01;
    private static final int LSR_OVERRUN = 0x02;
    private static final int LSR_BREAK = 0x10;
    private static final int LSR_ERRORS = 0x1E;
    private static final int LSR_TRANSMIT_EMPTY = 0x60;
    private static final int LSR_FIFO_ERROR = 0x80;

    private static final int MSR_CTS = 0x10;
    private static final int MSR_DSR = 0x20;
    private static final int MSR_RI = 0x40;
    private static final int MSR_DCD = 0x80;

    private final int base;
    private final TimeSource time;
    private final InterruptLine line;
    private final SerialSink sink;
    private final TimeSource.Timer timeout;

    private int ier;
    private int fcr;
    private int lcr;
    private int mcr;
    private int msr;
    private int scratch;
    private int divisor = 12;
    private int lineErrors;
    private boolean transmitEmptyPending;
    private boolean timeoutPending;

    /** Received characters with their errors, as {@link UartState#receiveFifo}. */
    private final int[] fifo = new int[FIFO_BYTES];

    private int fifoHead;
    private int fifoCount;

    /** Deadline of the character timeout; a run before it is stale. */
    private long timeoutDeadlineNanos = Long.MAX_VALUE;

    /** Modem inputs as MSR bits 4 to 7: a terminal that is always ready. */
    private int modemInputs = MSR_CTS | MSR_DSR | MSR_DCD;

    /**
     * @param basePort the first of its eight ports
     * @param line the interrupt, driven to the exact level of INTR
     */
    public Uart16550A(int basePort, TimeSource time, InterruptLine line, SerialSink sink) {
        this.base = basePort;
        this.time = time;
        this.line = line;
        this.sink = sink;
        this.timeout = time.timer("uart-" + Integer.toHexString(basePort), this::timedOut);
        this.msr = modemInputs;
    }

    // --- the other end of the wire ---

    /**
     * Gives the port characters, as many as it has room for.
     *
     * @return how many it took
     */
    public synchronized int offer(byte[] bytes, int offset, int length) {
        if ((mcr & MCR_LOOPBACK) != 0) {
            return 0;
        }
        int taken = Math.min(length, fifoCapacity() - fifoCount);
        for (int i = 0; i < taken; i++) {
            push(bytes[offset + i] & 0xFF);
        }
        if (taken > 0) {
            updateInterrupt();
        }
        return Math.max(taken, 0);
    }

    /** Gives the port characters, waiting for room. */
    public synchronized void receive(byte[] bytes, int offset, int length)
            throws InterruptedException {
        int done = 0;
        while (true) {
            done += offer(bytes, offset + done, length - done);
            if (done == length) {
                return;
            }
            // Notified whenever the guest makes room.
            wait();
        }
    }

    /** Gives the port one character, waiting for room. */
    public void receive(byte value) throws InterruptedException {
        receive(new byte[] {value}, 0, 1);
    }

    /**
     * A break condition on the line.
     *
     * @return false if the receiver has no room for it
     */
    public synchronized boolean offerBreak() {
        if ((mcr & MCR_LOOPBACK) != 0 || fifoCount == fifoCapacity()) {
            return false;
        }
        push(LSR_BREAK << 8);
        updateInterrupt();
        return true;
    }

    /** Sets what the other end drives: clear to send, data set ready, ring, carrier. */
    public synchronized void setModemInputs(
            boolean cts, boolean dsr, boolean ring, boolean carrier) {
        modemInputs =
                (cts ? MSR_CTS : 0)
                        | (dsr ? MSR_DSR : 0)
                        | (ring ? MSR_RI : 0)
                        | (carrier ? MSR_DCD : 0);
        updateModemStatus();
        updateInterrupt();
    }

    // --- the guest's side ---

    @Override
    public synchronized int readByte(int port) {
        return switch (port - base) {
            case 0 -> divisorLatch() ? divisor & 0xFF : readReceived();
            case 1 -> divisorLatch() ? divisor >>> 8 : ier;
            case 2 -> readInterruptId();
            case 3 -> lcr;
            case 4 -> mcr;
            case 5 -> readLineStatus();
            case 6 -> readModemStatus();
            case 7 -> scratch;
            default -> 0xFF;
        };
    }

    @Override
    public synchronized void writeByte(int port, int value) {
        switch (port - base) {
            case 0 -> {
                if (divisorLatch()) {
                    divisor = (divisor & 0xFF00) | value;
                } else {
                    transmit(value);
                }
            }
            case 1 -> {
                if (divisorLatch()) {
                    divisor = (divisor & 0x00FF) | value << 8;
                } else {
                    writeInterruptEnable(value);
                }
            }
            case 2 -> writeFifoControl(value);
            case 3 -> lcr = value;
            case 4 -> writeModemControl(value);
            case 7 -> scratch = value;
            default -> {
                // LSR and MSR are for reading; writes are the factory's.
            }
        }
    }

    private boolean divisorLatch() {
        return (lcr & LCR_DIVISOR_LATCH) != 0;
    }

    private boolean fifosEnabled() {
        return (fcr & FCR_ENABLE) != 0;
    }

    private int fifoCapacity() {
        return fifosEnabled() ? FIFO_BYTES : 1;
    }

    private int triggerLevel() {
        if (!fifosEnabled()) {
            return 1;
        }
        return switch (fcr >>> 6) {
            case 0 -> 1;
            case 1 -> 4;
            case 2 -> 8;
            default -> 14;
        };
    }

    /** Room must be there, except in loopback, where the character overruns. */
    private void push(int entry) {
        if (fifoCount == fifoCapacity()) {
            lineErrors |= LSR_OVERRUN;
            if (!fifosEnabled()) {
                fifo[fifoHead] = entry;
            }
            return;
        }
        fifo[(fifoHead + fifoCount) % FIFO_BYTES] = entry;
        fifoCount++;
        if (fifoCount == 1) {
            revealErrors();
        }
        timeoutPending = false;
        armTimeout();
    }

    /** The errors of a character appear in LSR when it is the next to be read. */
    private void revealErrors() {
        if (fifoCount > 0) {
            lineErrors |= fifo[fifoHead] >>> 8;
            fifo[fifoHead] &= 0xFF;
        }
    }

    private int readReceived() {
        if (fifoCount == 0) {
            return 0;
        }
        int value = fifo[fifoHead] & 0xFF;
        fifoHead = (fifoHead + 1) % FIFO_BYTES;
        fifoCount--;
        revealErrors();
        timeoutPending = false;
        armTimeout();
        updateInterrupt();
        notifyAll();
        return value;
    }

    /** Four character times without activity below the trigger level: PC16550D §8.6, B. */
    private void armTimeout() {
        if (!fifosEnabled() || fifoCount == 0 || fifoCount >= triggerLevel()) {
            timeoutDeadlineNanos = Long.MAX_VALUE;
            return;
        }
        int bits = 2 + 5 + (lcr & 3) + ((lcr >>> 2) & 1) + ((lcr >>> 3) & 1);
        long bitNanos = Math.max(divisor, 1) * 16L * 1_000_000_000L / INPUT_CLOCK_HZ;
        timeoutDeadlineNanos = time.nanos() + 4 * bits * bitNanos;
        timeout.arm(timeoutDeadlineNanos);
    }

    private synchronized void timedOut() {
        if (time.nanos() - timeoutDeadlineNanos < 0 || timeoutDeadlineNanos == Long.MAX_VALUE) {
            return;
        }
        timeoutDeadlineNanos = Long.MAX_VALUE;
        if (fifosEnabled() && fifoCount > 0) {
            timeoutPending = true;
            updateInterrupt();
        }
    }

    private void transmit(int value) {
        // The write clears the THRE interrupt, and the holding register is empty again at once. The
        // two cancel out while the interrupt was not acknowledged; after the guest acknowledged it
        // by reading IIR, which lowered the line, this is a new edge.
        if ((mcr & MCR_LOOPBACK) != 0) {
            push(value);
        } else {
            sink.write(value);
        }
        transmitEmptyPending = true;
        updateInterrupt();
    }

    private void writeInterruptEnable(int value) {
        int rising = value & ~ier;
        ier = value & 0x0F;
        // Enabling while the holding register is empty interrupts at once, also after the same
        // condition was acknowledged (PC16550D §8.5; Linux tests for it).
        if ((rising & IER_TRANSMIT_EMPTY) != 0) {
            transmitEmptyPending = true;
        }
        updateInterrupt();
    }

    private void writeFifoControl(int value) {
        boolean toggled = ((value ^ fcr) & FCR_ENABLE) != 0;
        if (toggled || (value & FCR_ENABLE) != 0 && (value & FCR_CLEAR_RECEIVE) != 0) {
            fifoHead = 0;
            fifoCount = 0;
            timeoutPending = false;
            notifyAll();
        }
        // The other bits are written only together with the enable bit.
        fcr = (value & FCR_ENABLE) != 0 ? value & (FCR_ENABLE | FCR_TRIGGER) : 0;
        armTimeout();
        updateInterrupt();
    }

    private void writeModemControl(int value) {
        mcr = value & 0x1F;
        updateModemStatus();
        updateInterrupt();
        notifyAll();
    }

    /** MSR follows the inputs, or in loopback the outputs; changes set the delta bits. */
    private void updateModemStatus() {
        int inputs = modemInputs;
        if ((mcr & MCR_LOOPBACK) != 0) {
            inputs =
                    ((mcr & MCR_RTS) != 0 ? MSR_CTS : 0)
                            | ((mcr & MCR_DTR) != 0 ? MSR_DSR : 0)
                            | ((mcr & MCR_OUT1) != 0 ? MSR_RI : 0)
                            | ((mcr & MCR_OUT2) != 0 ? MSR_DCD : 0);
        }
        int changed = (msr ^ inputs) & 0xF0;
        // TERI (bit 2) reports only the trailing edge of RI.
        if ((inputs & MSR_RI) != 0) {
            changed &= ~MSR_RI;
        }
        msr = inputs | (msr & 0x0F) | changed >>> 4;
    }

    private int readInterruptId() {
        int source = interruptSource();
        if (source == IIR_TRANSMIT_EMPTY) {
            transmitEmptyPending = false;
            updateInterrupt();
        }
        return source | (fifosEnabled() ? IIR_FIFOS_ENABLED : 0);
    }

    private int readLineStatus() {
        int value = LSR_TRANSMIT_EMPTY | lineErrors;
        if (fifoCount > 0) {
            value |= LSR_DATA_READY;
        }
        if (fifosEnabled() && fifoHasError()) {
            value |= LSR_FIFO_ERROR;
        }
        if (lineErrors != 0) {
            lineErrors = 0;
            updateInterrupt();
        }
        return value;
    }

    private boolean fifoHasError() {
        if ((lineErrors & ~LSR_OVERRUN) != 0) {
            return true;
        }
        for (int i = 0; i < fifoCount; i++) {
            if (fifo[(fifoHead + i) % FIFO_BYTES] > 0xFF) {
                return true;
            }
        }
        return false;
    }

    private int readModemStatus() {
        int value = msr;
        msr &= 0xF0;
        updateInterrupt();
        return value;
    }

    /** PC16550D table IV: the pending interrupt of the highest priority, as IIR shows it. */
    private int interruptSource() {
        if ((ier & IER_LINE_STATUS) != 0 && (lineErrors & LSR_ERRORS) != 0) {
            return IIR_LINE_STATUS;
        }
        if ((ier & IER_RECEIVED) != 0) {
            if (fifoCount >= triggerLevel()) {
                return IIR_RECEIVED;
            }
            if (timeoutPending) {
                return IIR_TIMEOUT;
            }
        }
        if ((ier & IER_TRANSMIT_EMPTY) != 0 && transmitEmptyPending) {
            return IIR_TRANSMIT_EMPTY;
        }
        if ((ier & IER_MODEM_STATUS) != 0 && (msr & 0x0F) != 0) {
            return IIR_MODEM_STATUS;
        }
        return IIR_NONE;
    }

    private void updateInterrupt() {
        // A PC's board enables the driver of the interrupt line with OUT2, whose pin is inactive
        // in loopback.
        boolean enabled = (mcr & (MCR_OUT2 | MCR_LOOPBACK)) == MCR_OUT2;
        line.set(enabled && interruptSource() != IIR_NONE);
    }

    public synchronized UartState state() {
        List<Integer> received = new ArrayList<>();
        for (int i = 0; i < fifoCount; i++) {
            received.add(fifo[(fifoHead + i) % FIFO_BYTES]);
        }
        return new UartState(
                ier,
                fcr,
                lcr,
                mcr,
                msr,
                scratch,
                divisor,
                lineErrors,
                received,
                transmitEmptyPending,
                timeoutPending);
    }

    public synchronized void restore(UartState state) {
        ier = state.ier();
        fcr = state.fcr() & (FCR_ENABLE | FCR_TRIGGER);
        lcr = state.lcr();
        mcr = state.mcr();
        msr = state.msr();
        scratch = state.scratch();
        divisor = state.divisor();
        lineErrors = state.lineErrors() & LSR_ERRORS;
        transmitEmptyPending = state.transmitEmptyPending();
        timeoutPending = state.timeoutPending();
        fifoHead = 0;
        fifoCount = state.receiveFifo().size();
        for (int i = 0; i < fifoCount; i++) {
            fifo[i] = state.receiveFifo().get(i);
        }
        if (!timeoutPending) {
            armTimeout();
        }
        updateInterrupt();
        notifyAll();
    }
}
