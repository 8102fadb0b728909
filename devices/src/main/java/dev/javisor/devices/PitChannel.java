package dev.javisor.devices;

/**
 * One counter of an 8254 (Intel 231164), as a function of the tick it is looked at. Ticks are those
 * of the 1193182 Hz clock since an arbitrary origin. Not thread-safe: the PIT guards it.
 */
final class PitChannel {
    /** No event to come. */
    static final long NEVER = Long.MAX_VALUE;

    private int mode;
    private int access = 3;
    private boolean bcd;
    private boolean gate;

    /** A count was loaded (modes 1 and 5: written) since the control word. */
    private boolean counting;

    /** Modes 1 and 5: a gate edge started the count. */
    private boolean triggered;

    /** Modes 0, 2, 3, 4 with the gate low: {@link #pausedElapsed} stands still. */
    private boolean paused;

    private long pausedElapsed;

    /** The initial count N, 1 to 65536; see {@link PitState.Channel}. */
    private int count;

    private int nextCount;
    private long switchTick;
    private boolean switchToLow;

    /** The tick at which the counting element holds N. */
    private long startTick;

    private boolean writeHighNext;
    private boolean readHighNext;
    private int pendingLow;
    private boolean countLatched;
    private int latchedCount;
    private boolean statusLatched;
    private int latchedStatus;

    PitChannel(boolean gate) {
        this.gate = gate;
    }

    private long elapsed(long now) {
        return paused ? pausedElapsed : now - startTick;
    }

    private int modulus() {
        return bcd ? 10_000 : 65_536;
    }

    private int highTicks(int n) {
        return (n + 1) / 2;
    }

    /** Lets a count that waited for the end of its cycle take over. */
    void sync(long now) {
        if (nextCount != 0 && !paused && (mode == 2 || mode == 3) && now >= switchTick) {
            count = nextCount;
            nextCount = 0;
            startTick = switchToLow ? switchTick - highTicks(count) : switchTick;
        }
    }

    // --- what the guest writes ---

    void writeControl(int control, long now) {
        int operation = (control >>> 4) & 3;
        if (operation == 0) {
            latchCount(now);
            return;
        }
        access = operation;
        int coded = (control >>> 1) & 7;
        // The upper bit of modes 2 and 3 does not matter.
        mode = coded > 5 ? coded & 3 : coded;
        bcd = (control & 1) != 0;
        counting = false;
        triggered = false;
        count = 0;
        nextCount = 0;
        writeHighNext = false;
        readHighNext = false;
        countLatched = false;
        statusLatched = false;
        paused = levelGated() && !gate;
        pausedElapsed = -1;
    }

    void latchCount(long now) {
        if (!countLatched) {
            sync(now);
            countLatched = true;
            latchedCount = countNow(now);
        }
    }

    void latchStatus(long now) {
        if (!statusLatched) {
            sync(now);
            statusLatched = true;
            boolean nullCount = !counting || nextCount != 0 || elapsed(now) < 0;
            latchedStatus =
                    (out(now) ? 0x80 : 0)
                            | (nullCount ? 0x40 : 0)
                            | access << 4
                            | mode << 1
                            | (bcd ? 1 : 0);
        }
    }

    void writeCount(int value, long now) {
        sync(now);
        switch (access) {
            case 1 -> load(value, now);
            case 2 -> load(value << 8, now);
            default -> {
                if (writeHighNext) {
                    writeHighNext = false;
                    load(value << 8 | pendingLow, now);
                } else {
                    writeHighNext = true;
                    pendingLow = value;
                    if (mode == 0) {
                        // The first byte stops the count and drives OUT low.
                        counting = false;
                    }
                }
            }
        }
    }

    private void load(int raw, long now) {
        int n = raw;
        if (bcd) {
            n =
                    (raw >>> 12) * 1000
                            + ((raw >>> 8) & 15) * 100
                            + ((raw >>> 4) & 15) * 10
                            + (raw & 15);
        }
        if (n == 0) {
            n = modulus();
        }
        switch (mode) {
            case 0, 4 -> start(n, now);
            case 1, 5 -> {
                nextCount = n;
                if (!triggered) {
                    count = n;
                    counting = true;
                }
            }
            default -> {
                if (!counting) {
                    start(n, now);
                } else {
                    if (nextCount == 0 && !paused) {
                        findSwitch(now);
                    }
                    nextCount = n;
                }
            }
        }
    }

    private void start(int n, long now) {
        count = n;
        counting = true;
        // The clock after the write loads the counting element.
        startTick = now + 1;
        pausedElapsed = -1;
        nextCount = 0;
    }

    /** The end of the running cycle (mode 2) or half-cycle (mode 3). */
    private void findSwitch(long now) {
        long e = Math.max(elapsed(now), 0);
        long cycleStart = startTick + e / count * count;
        int phase = (int) (e % count);
        if (mode == 3 && phase < highTicks(count)) {
            switchTick = cycleStart + highTicks(count);
            switchToLow = true;
        } else {
            switchTick = cycleStart + count;
            switchToLow = false;
        }
    }

    void setGate(boolean level, long now) {
        if (level == gate) {
            return;
        }
        sync(now);
        gate = level;
        switch (mode) {
            case 1, 5 -> {
                if (level && counting) {
                    if (nextCount != 0) {
                        count = nextCount;
                        nextCount = 0;
                    }
                    triggered = true;
                    startTick = now + 1;
                }
            }
            case 0, 4 -> {
                if (level) {
                    startTick = now - pausedElapsed;
                    paused = false;
                } else {
                    pausedElapsed = now - startTick;
                    paused = true;
                }
            }
            default -> {
                if (level) {
                    paused = false;
                    if (counting) {
                        start(nextCount != 0 ? nextCount : count, now);
                    }
                } else {
                    pausedElapsed = now - startTick;
                    paused = true;
                }
            }
        }
    }

    /** Modes in which a low gate stops the count. */
    private boolean levelGated() {
        return mode != 1 && mode != 5;
    }

    // --- what the guest reads ---

    int read(long now) {
        if (statusLatched) {
            statusLatched = false;
            return latchedStatus;
        }
        sync(now);
        int value = countLatched ? latchedCount : countNow(now);
        switch (access) {
            case 1 -> {
                countLatched = false;
                return value & 0xFF;
            }
            case 2 -> {
                countLatched = false;
                return value >>> 8;
            }
            default -> {
                if (readHighNext) {
                    readHighNext = false;
                    countLatched = false;
                    return value >>> 8;
                }
                readHighNext = true;
                return value & 0xFF;
            }
        }
    }

    private int countNow(long now) {
        long value;
        long e = elapsed(now);
        if (!counting) {
            value = 0;
        } else if (e < 0 || !levelGated() && !triggered) {
            value = count;
        } else if (mode == 2) {
            value = count - e % count;
        } else if (mode == 3) {
            int phase = (int) (e % count);
            int high = highTicks(count);
            // Both halves start at the count, or the even number below it, and step by two.
            value = (count & ~1) - 2L * (phase < high ? phase : phase - high);
        } else {
            value = Math.floorMod(count - e, (long) modulus());
        }
        int n = (int) Math.floorMod(value, (long) modulus());
        return bcd ? n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10 : n;
    }

    /** The OUT pin. */
    boolean out(long now) {
        sync(now);
        if (!counting) {
            return mode != 0;
        }
        long e = elapsed(now);
        return switch (mode) {
            case 0 -> e >= count;
            case 1 -> !triggered || e < 0 || e >= count;
            case 2 -> !gate || e < 0 || e % count != count - 1;
            case 3 -> !gate || e < 0 || e % count < highTicks(count);
            case 4 -> e != count;
            default -> !triggered || e != count;
        };
    }

    /** Whether OUT rises again and again. */
    boolean periodic() {
        return (mode == 2 || mode == 3) && counting && !paused;
    }

    /** The next tick after {@code now} at which OUT rises, as far as it is known now. */
    long nextRise(long now) {
        sync(now);
        if (!counting || paused || !levelGated() && !triggered) {
            return NEVER;
        }
        long e = now - startTick;
        return switch (mode) {
            case 0, 1 -> e < count ? startTick + count : NEVER;
            case 2, 3 -> {
                long rise = startTick + (Math.max(e, 0) / count + 1) * count;
                if (nextCount != 0 && switchToLow && mode == 3) {
                    rise = switchTick + nextCount - highTicks(nextCount);
                }
                yield rise;
            }
            default -> e <= count ? startTick + count + 1 : NEVER;
        };
    }

    PitState.Channel state(long now) {
        sync(now);
        return new PitState.Channel(
                mode,
                access,
                bcd,
                gate,
                counting,
                triggered,
                paused,
                count,
                nextCount,
                Math.max(elapsed(now), -1),
                nextCount != 0 && !paused && (mode == 2 || mode == 3) ? switchTick - now : 0,
                switchToLow,
                writeHighNext,
                readHighNext,
                pendingLow,
                countLatched,
                latchedCount,
                statusLatched,
                latchedStatus);
    }

    void restore(PitState.Channel state, long now) {
        mode = state.mode();
        access = state.access();
        bcd = state.bcd();
        gate = state.gate();
        counting = state.counting();
        triggered = state.triggered();
        paused = levelGated() && !gate;
        count = state.count();
        nextCount = state.nextCount();
        pausedElapsed = state.elapsed();
        startTick = now - state.elapsed();
        switchTick = now + state.switchIn();
        switchToLow = state.switchToLow();
        writeHighNext = state.writeHighNext();
        readHighNext = state.readHighNext();
        pendingLow = state.pendingLow();
        countLatched = state.countLatched();
        latchedCount = state.latchedCount();
        statusLatched = state.statusLatched();
        latchedStatus = state.latchedStatus();
    }
}
