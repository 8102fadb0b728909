package dev.javisor.kvm;

import dev.javisor.linux.Mapping;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * What KVM and a vCPU's thread tell each other (struct kvm_run). Plain accesses by the vCPU's
 * thread between two KVM_RUN; only {@code immediate_exit} is written by other threads.
 */
final class RunPage implements AutoCloseable {
    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();

    private final Mapping mapping;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment page;

    @SuppressWarnings("restricted") // reinterpret: this module is inside the fence
    RunPage(Mapping mapping) {
        this.mapping = mapping;
        // SAFETY: the mapping is that long and lives until close(), which first closes the arena
        // and so waits for accesses by other threads.
        page =
                MemorySegment.ofAddress(mapping.address())
                        .reinterpret(mapping.sizeBytes(), arena, null);
    }

    int unsignedByte(int offset) {
        return page.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
    }

    int unsignedShort(int offset) {
        return page.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset) & 0xFFFF;
    }

    int int32(int offset) {
        return page.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
    }

    long int64(int offset) {
        return page.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
    }

    void setByte(int offset, int value) {
        page.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    void setInt64(int offset, long value) {
        page.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
    }

    /** Little-endian, zero-extended; {@code sizeBytes} is 1, 2, 4 or 8. */
    long value(long offset, int sizeBytes) {
        return switch (sizeBytes) {
            case 1 -> page.get(ValueLayout.JAVA_BYTE, offset) & 0xFFL;
            case 2 -> page.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset) & 0xFFFFL;
            case 4 -> page.get(ValueLayout.JAVA_INT_UNALIGNED, offset) & 0xFFFFFFFFL;
            default -> page.get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
        };
    }

    void setValue(long offset, int sizeBytes, long value) {
        switch (sizeBytes) {
            case 1 -> page.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
            case 2 -> page.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset, (short) value);
            case 4 -> page.set(ValueLayout.JAVA_INT_UNALIGNED, offset, (int) value);
            default -> page.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
        }
    }

    /**
     * Whether the next or current KVM_RUN returns without running the guest. Volatile: a kicker
     * first raises its request, then sets this; the vCPU's thread looks for requests after it has
     * cleared this. One of them sees the other.
     */
    void setImmediateExit(int value) {
        BYTE.setVolatile(page, (long) RunLayout.IMMEDIATE_EXIT, (byte) value);
    }

    /** A structure in it. */
    MemorySegment part(int offset, int sizeBytes) {
        return page.asSlice(offset, sizeBytes);
    }

    int exitReason() {
        return int32(RunLayout.EXIT_REASON);
    }

    @Override
    public void close() {
        arena.close();
        mapping.close();
    }
}
