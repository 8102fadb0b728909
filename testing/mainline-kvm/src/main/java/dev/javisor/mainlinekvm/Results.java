package dev.javisor.mainlinekvm;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Tells the host how the cases went: lines on standard output that begin with {@value #MARK}. What
 * follows is {@code plan SUITE CASE} for every case, then for each {@code start SUITE CASE} and
 * {@code pass SUITE CASE MILLIS}, {@code fail SUITE CASE MILLIS BASE64} or {@code skip SUITE CASE
 * MILLIS BASE64}, and {@code end} at last. Anything else on the console is log.
 */
final class Results {
    static final String MARK = "@rig ";

    private final PrintStream out;

    Results(PrintStream out) {
        this.out = out;
    }

    void plan(String suite, String testCase) {
        line("plan " + suite + ' ' + testCase);
    }

    void start(String suite, String testCase) {
        line("start " + suite + ' ' + testCase);
    }

    void pass(String suite, String testCase, long millis) {
        line("pass %s %s %d".formatted(suite, testCase, millis));
    }

    void fail(String suite, String testCase, long millis, Throwable cause) {
        StringWriter trace = new StringWriter();
        cause.printStackTrace(new PrintWriter(trace));
        line("fail %s %s %d %s".formatted(suite, testCase, millis, base64(trace.toString())));
    }

    void skip(String suite, String testCase, long millis, String reason) {
        line("skip %s %s %d %s".formatted(suite, testCase, millis, base64(reason)));
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    void end() {
        line("end");
    }

    private void line(String text) {
        out.print('\n' + MARK + text + '\n');
        out.flush();
    }
}
