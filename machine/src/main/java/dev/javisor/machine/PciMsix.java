package dev.javisor.machine;

import java.util.Arrays;

/**
 * MSI-X of one function (PCI 3.0 §6.8.2): the vector table and the pending bit array as one memory
 * BAR, table first. Guards itself; {@link #signal} comes from any thread.
 */
public final class PciMsix implements MmioDevice {
    private static final int ENTRY_BYTES = 16;
    private static final int ENTRY_WORDS = 4;
    private static final int ADDRESS_LOW = 0;
    private static final int ADDRESS_HIGH = 1;
    private static final int DATA = 2;
    private static final int CONTROL = 3;
    private static final int CONTROL_MASK = 1;
    private static final int MAX_VECTORS = 2048;

    private final int vectors;
    private final MsiSink sink;
    private final int[] table;
    private final long[] pending;
    private final int tableSpanBytes;
    private boolean functionMask;

    /** Written under the monitor; read without by {@link #isEnabled}. */
    private volatile boolean enabled;

    PciMsix(int vectors, MsiSink sink) {
        if (vectors < 1 || vectors > MAX_VECTORS) {
            throw new IllegalArgumentException("vectors out of range 1..2048: " + vectors);
        }
        this.vectors = vectors;
        this.sink = sink;
        table = new int[vectors * ENTRY_WORDS];
        pending = new long[(vectors + 63) / 64];
        // A page of its own for the table, as §6.8.2 recommends.
        tableSpanBytes = Math.max(4096, Integer.highestOneBit(vectors * ENTRY_BYTES * 2 - 1));
        reset();
    }

    int barBytes() {
        return 2 * tableSpanBytes;
    }

    int pendingOffset() {
        return tableSpanBytes;
    }

    public int vectors() {
        return vectors;
    }

    /** Whether the guest uses MSI-X; if not, the function interrupts by INTx. */
    public boolean isEnabled() {
        return enabled;
    }

    /**
     * Interrupts by a vector, or keeps it pending while masked. Does nothing while MSI-X is off or
     * if there is no such vector.
     */
    public synchronized void signal(int vector) {
        if (!enabled || vector < 0 || vector >= vectors) {
            return;
        }
        if (functionMask || isMasked(vector)) {
            pending[vector >>> 6] |= 1L << vector;
        } else {
            send(vector);
        }
    }

    private boolean isMasked(int vector) {
        return (table[vector * ENTRY_WORDS + CONTROL] & CONTROL_MASK) != 0;
    }

    private void send(int vector) {
        int at = vector * ENTRY_WORDS;
        long address =
                (table[at + ADDRESS_LOW] & 0xFFFF_FFFCL) | (long) table[at + ADDRESS_HIGH] << 32;
        sink.signal(address, table[at + DATA]);
    }

    /** Sends what was pending if nothing masks it any more. */
    private void sendPending(int vector) {
        long bit = 1L << vector;
        if ((pending[vector >>> 6] & bit) != 0 && enabled && !functionMask && !isMasked(vector)) {
            pending[vector >>> 6] &= ~bit;
            send(vector);
        }
    }

    /** Message control was written. */
    synchronized void control(boolean nowEnabled, boolean nowMasked) {
        enabled = nowEnabled;
        functionMask = nowMasked;
        if (nowEnabled && !nowMasked) {
            for (int vector = 0; vector < vectors; vector++) {
                sendPending(vector);
            }
        }
    }

    /** All vectors masked, as after reset. */
    synchronized void reset() {
        enabled = false;
        functionMask = false;
        Arrays.fill(table, 0);
        Arrays.fill(pending, 0);
        for (int vector = 0; vector < vectors; vector++) {
            table[vector * ENTRY_WORDS + CONTROL] = CONTROL_MASK;
        }
    }

    @Override
    public synchronized long readMemory(long offset, int sizeBytes) {
        int shift = (int) (offset & 3) * 8;
        long low = word(offset & ~3L) & 0xFFFF_FFFFL;
        if (sizeBytes <= 4) {
            return low >>> shift;
        }
        return low | (long) word((offset & ~3L) + 4) << 32;
    }

    private int word(long offset) {
        if (offset < (long) table.length * 4) {
            return table[(int) (offset >>> 2)];
        }
        long in = offset - tableSpanBytes;
        if (in >= 0 && in < pending.length * 8L) {
            return (int) (pending[(int) (in >>> 3)] >>> ((in & 4) * 8));
        }
        return 0;
    }

    /** Only aligned 32- and 64-bit writes are defined (§6.8.2); others do nothing. */
    @Override
    public synchronized void writeMemory(long offset, int sizeBytes, long value) {
        if (sizeBytes < 4 || (offset & (sizeBytes - 1)) != 0) {
            return;
        }
        setWord(offset, (int) value);
        if (sizeBytes == 8) {
            setWord(offset + 4, (int) (value >>> 32));
        }
    }

    private void setWord(long offset, int value) {
        int at = (int) (offset >>> 2);
        if (at >= table.length) {
            return;
        }
        if ((at & 3) == CONTROL) {
            table[at] = value & CONTROL_MASK;
            sendPending(at / ENTRY_WORDS);
        } else {
            table[at] = value;
        }
    }

    synchronized int[] saveTable() {
        return table.clone();
    }

    synchronized long[] savePending() {
        return pending.clone();
    }

    /** Message control follows by {@link #control}. */
    synchronized void restore(int[] savedTable, long[] savedPending) {
        enabled = false;
        for (int i = 0; i < Math.min(table.length, savedTable.length); i++) {
            table[i] = (i & 3) == CONTROL ? savedTable[i] & CONTROL_MASK : savedTable[i];
        }
        for (int i = 0; i < Math.min(pending.length, savedPending.length); i++) {
            pending[i] = savedPending[i];
        }
        int last = vectors & 63;
        if (last != 0) {
            pending[pending.length - 1] &= (1L << last) - 1;
        }
    }
}
