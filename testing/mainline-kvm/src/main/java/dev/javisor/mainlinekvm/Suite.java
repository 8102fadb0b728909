package dev.javisor.mainlinekvm;

import java.util.List;

/**
 * Cases that belong together.
 *
 * @param name without spaces
 */
record Suite(String name, List<TestCase> cases) {
    /** What one case does; it fails by what it throws. */
    @FunctionalInterface
    interface Body {
        void run() throws Exception;
    }

    /**
     * One case.
     *
     * @param name without spaces, unique in its suite
     */
    record TestCase(String name, Body body) {}
}
