package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * What a region's instructions hear from outside (devices, the local APIC, random numbers), so that
 * the interpreter can be told the same: records while the region runs, answers from the record
 * while the interpreter does, and complains if that asks for something else. A device sees each
 * access once. Belongs to the vCPU's thread.
 */
final class RecordedInputs implements VcpuBus, Mmu.ApicPage, RandomGenerator {
    private static final int READ_PORT = 0;
    private static final int WRITE_PORT = 1;
    private static final int READ_MEMORY = 2;
    private static final int WRITE_MEMORY = 3;
    private static final int READ_APIC = 4;
    private static final int WRITE_APIC = 5;
    private static final int RANDOM = 6;
    private static final String[] NAMES = {
        "port read", "port write", "MMIO read", "MMIO write", "APIC read", "APIC write", "random"
    };

    /** Kind and size, address, value written, value read. */
    private static final int LONGS = 4;

    private final Cpu cpu;
    private VcpuBus bus;
    private Mmu.@Nullable ApicPage apic;
    private RandomGenerator random;
    private long[] log = new long[16 * LONGS];
    private int recorded;
    private int replayed;
    private boolean replaying;
    private String difference = "";

    RecordedInputs(Cpu cpu) {
        this.cpu = cpu;
        this.bus = cpu.bus;
        this.random = cpu.random;
    }

    /** Takes the place of the vCPU's surroundings, and records. */
    void record() {
        bus = cpu.bus;
        apic = cpu.mmu.apicPage;
        random = cpu.random;
        cpu.bus = this;
        cpu.mmu.apicPage = apic == null ? null : this;
        cpu.random = this;
        recorded = 0;
        replayed = 0;
        replaying = false;
        difference = "";
    }

    /** Answers from the record, from its beginning. */
    void replay() {
        replaying = true;
        replayed = 0;
    }

    /** Gives the vCPU its surroundings back. */
    void end() {
        cpu.bus = bus;
        cpu.mmu.apicPage = apic;
        cpu.random = random;
    }

    /** Whether there were any. */
    boolean any() {
        return recorded != 0;
    }

    /** What the interpreter asked for that the region had not, or the other way around. */
    String difference() {
        if (difference.isEmpty() && replayed != recorded) {
            return "inputs: the region took %d, the interpreter %d%n".formatted(recorded, replayed);
        }
        return difference;
    }

    private long input(int kind, int sizeBytes, long address, long written) {
        long what = kind | (long) sizeBytes << 8;
        if (!replaying) {
            long value = perform(kind, sizeBytes, address, written);
            int at = recorded++ * LONGS;
            if (at == log.length) {
                log = Arrays.copyOf(log, 2 * at);
            }
            log[at] = what;
            log[at + 1] = address;
            log[at + 2] = written;
            log[at + 3] = value;
            return value;
        }
        int at = replayed++ * LONGS;
        if (replayed <= recorded
                && log[at] == what
                && log[at + 1] == address
                && log[at + 2] == written) {
            return log[at + 3];
        }
        if (difference.isEmpty()) {
            difference =
                    "input %d: the interpreter's is a %s of %d bytes at %#x, value %#x%n"
                            .formatted(replayed, NAMES[kind], sizeBytes, address, written);
        }
        return 0;
    }

    private long perform(int kind, int sizeBytes, long address, long written) {
        switch (kind) {
            case READ_PORT -> {
                return bus.readPort((int) address, sizeBytes);
            }
            case WRITE_PORT -> bus.writePort((int) address, sizeBytes, (int) written);
            case READ_MEMORY -> {
                return bus.readMemory(address, sizeBytes);
            }
            case WRITE_MEMORY -> bus.writeMemory(address, sizeBytes, written);
            case READ_APIC -> {
                return page().read(address, sizeBytes);
            }
            case WRITE_APIC -> page().write(address, sizeBytes, written);
            case RANDOM -> {
                return random.nextLong();
            }
            default -> throw new IllegalStateException("input " + kind);
        }
        return 0;
    }

    private Mmu.ApicPage page() {
        if (apic == null) {
            throw new IllegalStateException("no local APIC");
        }
        return apic;
    }

    @Override
    public int readPort(int port, int sizeBytes) {
        return (int) input(READ_PORT, sizeBytes, port, 0);
    }

    @Override
    public void writePort(int port, int sizeBytes, int value) {
        input(WRITE_PORT, sizeBytes, port, value);
    }

    @Override
    public long readMemory(long address, int sizeBytes) {
        return input(READ_MEMORY, sizeBytes, address, 0);
    }

    @Override
    public void writeMemory(long address, int sizeBytes, long value) {
        input(WRITE_MEMORY, sizeBytes, address, value);
    }

    /** Interrupts are taken between regions. */
    @Override
    public int acknowledgeExternalInterrupt() {
        throw new IllegalStateException("an interrupt inside a region");
    }

    @Override
    public void endOfInterrupt(int vector) {
        bus.endOfInterrupt(vector);
    }

    @Override
    public boolean claims(long physical) {
        return apic != null && apic.claims(physical);
    }

    @Override
    public long read(long physical, int sizeBytes) {
        return input(READ_APIC, sizeBytes, physical, 0);
    }

    @Override
    public void write(long physical, int sizeBytes, long value) {
        input(WRITE_APIC, sizeBytes, physical, value);
    }

    @Override
    public long nextLong() {
        return input(RANDOM, 8, 0, 0);
    }
}
