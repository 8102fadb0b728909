package dev.javisor.bench;

import java.nio.file.Path;

/**
 * How to measure.
 *
 * @param root of the source tree
 * @param runs repetitions of each side
 * @param only part of the names of the rows to measure, where a benchmark can leave rows out
 */
record Setting(Path root, int runs, String only) {
    /** The command line under test. */
    String launcher() {
        return root.resolve("javisor").toString();
    }

    /** Where results and built guests go. */
    Path output() {
        return root.resolve("target").resolve("bench");
    }
}
