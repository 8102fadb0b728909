package dev.javisor.virtio;

/**
 * The device status field as a state machine (VIRTIO 1.2 §2.1, §3.1.1). Guarded by its {@link
 * VirtioEndpoint}.
 *
 * <pre>
 *               write(ACKNOWLEDGE)    write(DRIVER)     write(FEATURES_OK)   write(DRIVER_OK)
 *   RESET ----------------> ACKNOWLEDGED ------> DRIVER --------------> FEATURES_OK -------> LIVE
 *     ^                                                                                       |
 *     |  finishReset()                              write(0)                                  |
 *     +---------------- RESETTING <-----------------------------------------------------------+
 * </pre>
 *
 * Invariants:
 *
 * <ol>
 *   <li>A phase is only ever left for the next one to the right, or for RESET or RESETTING.
 *   <li>Bits are only set; a write that would clear some but not all is refused and counted.
 *   <li>Queues and driver features can change in exactly one phase each: {@link
 *       #queuesConfigurable}, {@link #featuresNegotiable}.
 *   <li>Queues are served only in LIVE, and not once NEEDS_RESET or FAILED is set.
 *   <li>In RESETTING nothing the driver writes has an effect, and the status reads non-zero.
 * </ol>
 */
final class VirtioStatus {
    static final int ACKNOWLEDGE = 1;
    static final int DRIVER = 2;
    static final int DRIVER_OK = 4;
    static final int FEATURES_OK = 8;
    static final int NEEDS_RESET = 64;
    static final int FAILED = 128;

    /** What a write did. */
    enum Outcome {
        /** Nothing beyond the bits. */
        NONE,
        /** Entered LIVE: the device starts. */
        STARTED,
        /** Entered RESET: all registers clear. */
        RESET,
        /** Entered RESETTING: the device stops, then {@link #finishReset}. */
        STOPPING,
        /** Refused: the driver broke the protocol. */
        ILLEGAL
    }

    private enum Phase {
        RESET,
        ACKNOWLEDGED,
        DRIVER,
        FEATURES_OK,
        LIVE,
        RESETTING
    }

    private Phase phase = Phase.RESET;
    private int bits;

    int value() {
        return bits;
    }

    boolean featuresNegotiable() {
        return phase == Phase.DRIVER;
    }

    boolean queuesConfigurable() {
        return phase == Phase.FEATURES_OK;
    }

    boolean isLive() {
        return phase == Phase.LIVE && (bits & (NEEDS_RESET | FAILED)) == 0;
    }

    boolean isResetting() {
        return phase == Phase.RESETTING;
    }

    /** DRIVER_OK was set, whatever happened since: the driver listens to interrupts. */
    boolean isDriverOk() {
        return phase == Phase.LIVE;
    }

    /**
     * The driver writes the register.
     *
     * @param featuresAcceptable whether its features are ones we can work with; decides FEATURES_OK
     */
    Outcome write(int value, boolean featuresAcceptable) {
        if (phase == Phase.RESETTING) {
            return value == 0 ? Outcome.NONE : Outcome.ILLEGAL;
        }
        if (value == 0) {
            if (phase == Phase.LIVE) {
                phase = Phase.RESETTING;
                return Outcome.STOPPING;
            }
            finishReset();
            return Outcome.RESET;
        }
        // NEEDS_RESET is ours: a driver may write it back or not.
        if ((bits & ~NEEDS_RESET & ~value) != 0) {
            return Outcome.ILLEGAL;
        }
        int added = value & ~bits;
        bits |= added & FAILED;
        if ((added & ACKNOWLEDGE) != 0) {
            bits |= ACKNOWLEDGE;
            phase = Phase.ACKNOWLEDGED;
        }
        if ((added & DRIVER) != 0) {
            if (phase != Phase.ACKNOWLEDGED) {
                return Outcome.ILLEGAL;
            }
            bits |= DRIVER;
            phase = Phase.DRIVER;
        }
        if ((added & FEATURES_OK) != 0) {
            if (phase != Phase.DRIVER) {
                return Outcome.ILLEGAL;
            }
            if (featuresAcceptable) {
                bits |= FEATURES_OK;
                phase = Phase.FEATURES_OK;
            }
        }
        if ((added & DRIVER_OK) != 0) {
            if (phase != Phase.FEATURES_OK) {
                return Outcome.ILLEGAL;
            }
            bits |= DRIVER_OK;
            phase = Phase.LIVE;
            return Outcome.STARTED;
        }
        return Outcome.NONE;
    }

    /** The device cannot go on with this driver (§2.1.2). */
    void needsReset() {
        if (phase != Phase.RESETTING && phase != Phase.RESET) {
            bits |= NEEDS_RESET;
        }
    }

    /** The device has stopped, or was never started. */
    void finishReset() {
        phase = Phase.RESET;
        bits = 0;
    }

    /** Takes a saved value over if a device can be in it. */
    boolean restore(int saved) {
        Phase restored =
                switch (saved & (ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)) {
                    case 0 -> Phase.RESET;
                    case ACKNOWLEDGE -> Phase.ACKNOWLEDGED;
                    case ACKNOWLEDGE | DRIVER -> Phase.DRIVER;
                    case ACKNOWLEDGE | DRIVER | FEATURES_OK -> Phase.FEATURES_OK;
                    case ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK -> Phase.LIVE;
                    default -> null;
                };
        if (restored == null) {
            return false;
        }
        phase = restored;
        bits = saved & (ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK | NEEDS_RESET | FAILED);
        return true;
    }
}
