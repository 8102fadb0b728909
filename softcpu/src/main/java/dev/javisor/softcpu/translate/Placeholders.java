package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Region;
import dev.javisor.softcpu.block.RegionExits;
import dev.javisor.softcpu.block.RegionPages;
import dev.javisor.softcpu.core.Cpu;

/**
 * Two regions that exist before any is made and never run. Without them the JIT takes the first
 * real one for the only implementation, and throws the compiled hot loop away, a second's work,
 * when the next is loaded.
 */
final class Placeholders {
    private static final RegionPages NONE = new RegionPages(new long[0], new int[0], new int[0]);

    private Placeholders() {}

    /** Loads the classes. */
    static void load() {
        new First();
        new Second();
    }

    private static final class First extends Region {
        First() {
            super(NONE, -1, 0, false, new RegionExits(0));
        }

        @Override
        public int run(Cpu cpu, int budget) {
            return 0;
        }
    }

    private static final class Second extends Region {
        Second() {
            super(NONE, -1, 0, false, new RegionExits(0));
        }

        @Override
        public int run(Cpu cpu, int budget) {
            return 1;
        }
    }
}
