package dev.javisor.block;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Keeps every write and flush, to replay what a crash at any moment would leave. */
public final class RecordingStorage implements Storage {
    /** One thing that was done; a flush has no bytes. */
    public record Event(long offset, byte[] bytes, boolean flush) {}

    private static final int SECTOR = 512;

    private final MemoryStorage now = new MemoryStorage();
    private final List<Event> events = new ArrayList<>();

    public RecordingStorage() {}

    public List<Event> events() {
        return events;
    }

    /** What the file holds if the first events are done, and the host reordered nothing. */
    public static byte[] prefix(List<Event> events, int count) {
        MemoryStorage file = new MemoryStorage();
        for (Event event : events.subList(0, count)) {
            apply(file, event);
        }
        return file.contents();
    }

    /**
     * What the file may hold after a loss of power: all that was written before the last flush, and
     * of the rest any sectors.
     */
    public static byte[] reordered(List<Event> events, int count, Random random) {
        int flushed = 0;
        for (int i = 0; i < count; i++) {
            if (events.get(i).flush) {
                flushed = i;
            }
        }
        MemoryStorage file = new MemoryStorage(prefix(events, flushed));
        int style = random.nextInt(3);
        for (Event event : events.subList(flushed, count)) {
            if (event.flush) {
                continue;
            }
            if (style == 0) {
                if (random.nextBoolean()) {
                    apply(file, event);
                }
                continue;
            }
            int keep = style == 1 ? 1 + random.nextInt(7) : 7;
            for (int at = 0; at < event.bytes.length; ) {
                int n =
                        (int)
                                Math.min(
                                        event.bytes.length - at,
                                        SECTOR - (event.offset + at) % SECTOR);
                if (random.nextInt(8) < keep) {
                    file.write(
                            event.offset + at, MemorySegment.ofArray(event.bytes).asSlice(at, n));
                }
                at += n;
            }
        }
        return file.contents();
    }

    private static void apply(MemoryStorage file, Event event) {
        if (!event.flush) {
            file.write(event.offset, MemorySegment.ofArray(event.bytes));
        }
    }

    @Override
    public String name() {
        return "recording";
    }

    @Override
    public long sizeBytes() {
        return now.sizeBytes();
    }

    @Override
    public boolean isReadOnly() {
        return false;
    }

    @Override
    public void read(long offset, MemorySegment into) {
        now.read(offset, into);
    }

    @Override
    public synchronized void write(long offset, MemorySegment from) {
        events.add(new Event(offset, from.toArray(ValueLayout.JAVA_BYTE), false));
        now.write(offset, from);
    }

    @Override
    public synchronized void resize(long sizeBytes) {
        if (sizeBytes < now.sizeBytes()) {
            throw new IllegalStateException("a file that shrinks is not recorded");
        }
        now.resize(sizeBytes);
    }

    @Override
    public synchronized void flush() {
        events.add(new Event(0, new byte[0], true));
    }

    @Override
    public void close() {}
}
