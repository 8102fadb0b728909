package dev.javisor.bench;

import java.io.IOException;
import java.util.List;

/** One benchmark: measures ours and the peer in the same run, alternating. */
interface Benchmark {
    String name();

    String description();

    /** Progress goes to standard error. */
    List<Row> run(Setting setting) throws IOException, InterruptedException;
}
