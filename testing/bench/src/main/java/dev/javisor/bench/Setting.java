package dev.javisor.bench;

import java.nio.file.Path;

/**
 * How to measure.
 *
 * @param root of the source tree
 * @param runs repetitions of each side
 */
record Setting(Path root, int runs) {
    /** The command line under test. */
    String launcher() {
        return root.resolve("javisor").toString();
    }

    /** Where results and built guests go. */
    Path output() {
        return root.resolve("target").resolve("bench");
    }
}
