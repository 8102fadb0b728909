package dev.javisor.softcpu.run;

import dev.javisor.softcpu.Translation;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.translate.Translator;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** How one virtual machine translates: its mode, and the thread that all its vCPUs share. */
final class TierTwo implements AutoCloseable {
    /**
     * Executions of a loop head, eight times over, that make it hot. Measured on booting Linux on
     * two CPUs: what is translated sooner costs the JIT more than it saves.
     */
    private static final int HEAT_LIMIT = 200_000;

    /** Enough for links to be there, so that regions have several blocks. */
    private static final int LOCKSTEP_HEAT_LIMIT = 300;

    private final Translation mode;
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
        Executor executor = thread != null ? thread : Runnable::run;
        return switch (mode) {
            case OFF -> null;
            case ON -> new Translator(cpu, finder, HEAT_LIMIT, executor);
            case EAGER -> new Translator(cpu, finder, 1, executor);
            case LOCKSTEP -> {
                Translator translator = new Translator(cpu, finder, LOCKSTEP_HEAT_LIMIT, executor);
                translator.keepListings();
                yield translator;
            }
        };
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
