package dev.javisor.net.lan;

import java.util.IdentityHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * At which port an address was seen last. A port that shows more addresses than a machine has
 * reason to gets no more entries, and none takes the place of another port's address: otherwise it
 * could crowd the others out, and their frames would be sent to all.
 *
 * @param <P> of ports
 */
final class AddressTable<P> {
    static final int MOST_PER_PORT = 32;

    private static final int SLOTS = 4096;
    private static final int PROBES = 8;

    private record Entry<P>(long address, P port) {}

    private final AtomicReferenceArray<@Nullable Entry<P>> slots =
            new AtomicReferenceArray<>(SLOTS);

    /** Entries of each port. Guarded by this. */
    private final Map<P, Integer> counts = new IdentityHashMap<>();

    private static int slot(long address, int probe) {
        long mixed = address * 0x9E37_79B9_7F4A_7C15L;
        return (int) (mixed >>> 52) + probe & SLOTS - 1;
    }

    @Nullable P find(long address) {
        for (int i = 0; i < PROBES; i++) {
            Entry<P> entry = slots.get(slot(address, i));
            if (entry != null && entry.address == address) {
                return entry.port;
            }
        }
        return null;
    }

    /** The address was seen at this port. Does nothing, at no cost, if that is known. */
    void learn(long address, P port) {
        if (find(address) != port) {
            add(address, port);
        }
    }

    private synchronized void add(long address, P port) {
        int free = -1;
        for (int i = PROBES - 1; i >= 0; i--) {
            Entry<P> entry = slots.get(slot(address, i));
            if (entry == null) {
                free = slot(address, i);
            } else if (entry.address == address) {
                // It has moved.
                free = slot(address, i);
                break;
            }
        }
        if (free < 0 || counts.getOrDefault(port, 0) >= MOST_PER_PORT) {
            return;
        }
        Entry<P> old = slots.get(free);
        if (old != null) {
            counts.merge(old.port, -1, Integer::sum);
        }
        counts.merge(port, 1, Integer::sum);
        slots.set(free, new Entry<>(address, port));
    }

    synchronized void forget(P port) {
        counts.remove(port);
        for (int i = 0; i < SLOTS; i++) {
            Entry<P> entry = slots.get(i);
            if (entry != null && entry.port == port) {
                slots.set(i, null);
            }
        }
    }
}
