package dev.javisor.softcpu.run;

import dev.javisor.softcpu.Translation;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.translate.Translator;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** How one virtual machine translates: its mode, and the thread that all its vCPUs share. */
final class TierTwo implements AutoCloseable {
    /**
     * {@link dev.javisor.softcpu.block.Block#heat} that asks for a translation. Measured on booting
     * Linux on two CPUs: what is translated sooner costs the JIT more than it saves.
     */
    private static final int HEAT_LIMIT = 400_000;

    /** Enough for links to be there, so that regions have several blocks. */
    private static final int LOCKSTEP_HEAT_LIMIT = 300;

    /**
     * Class files of all regions of the virtual machine, in bytes: some 4,500 regions. One takes
     * twice its class file of metaspace, and up to 12 times of machine code, for which the JVM has
     * 240 MB.
     */
    private static final long ALL_BYTES = 12L << 20;

    /** What any vCPU may have, however many there are. */
    private static final long LEAST_BYTES = 128 << 10;

    private final Translation mode;

    /** How many share it. */
    private final AtomicInteger vcpus = new AtomicInteger();

    private final @Nullable ExecutorService thread;

    TierTwo(Translation mode) {
        this.mode = mode;
        this.thread =
                mode == Translation.ON
                        ? Executors.newSingleThreadExecutor(
                                Thread.ofPlatform().daemon().name("translator").factory())
                        : null;
    }

    /** For one vCPU, or null if everything is to be interpreted. */
    @Nullable Translator translator(Cpu cpu, Translator.BlockFinder finder) {
        return switch (mode) {
            case OFF -> null;
            case ON -> translator(cpu, finder, HEAT_LIMIT);
            case EAGER -> translator(cpu, finder, 1);
            case LOCKSTEP -> {
                Translator translator = translator(cpu, finder, LOCKSTEP_HEAT_LIMIT);
                translator.keepListings();
                yield translator;
            }
        };
    }

    private Translator translator(Cpu cpu, Translator.BlockFinder finder, int heatLimit) {
        vcpus.incrementAndGet();
        Executor executor = thread != null ? thread : Runnable::run;
        return new Translator(cpu, finder, heatLimit, executor, this::limitBytes);
    }

    private long limitBytes() {
        return Math.max(LEAST_BYTES, ALL_BYTES / vcpus.get());
    }

    boolean isLockstep() {
        return mode == Translation.LOCKSTEP;
    }

    @Override
    public void close() {
        if (thread != null) {
            thread.shutdownNow();
        }
    }
}
