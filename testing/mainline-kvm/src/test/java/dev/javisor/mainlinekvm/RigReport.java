package dev.javisor.mainlinekvm;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@link Results} told, gathered from the lines of the emulated machine's console. */
final class RigReport {
    /** How far a case has come. */
    sealed interface Outcome {}

    /** It was announced and has not begun. */
    record Planned() implements Outcome {}

    /** It has begun and not ended. */
    record Started() implements Outcome {}

    record Passed(long millis) implements Outcome {}

    /**
     * It failed.
     *
     * @param trace as printed inside
     */
    record Failed(long millis, String trace) implements Outcome {}

    /** It cannot tell anything here. */
    record Skipped(String reason) implements Outcome {}

    private final Map<String, Map<String, Outcome>> suites = new LinkedHashMap<>();
    private boolean ended;

    /** Takes one line of the console; whether it was one of ours. */
    boolean line(String line) {
        int mark = line.indexOf(Results.MARK);
        if (mark < 0) {
            return false;
        }
        String[] fields = line.substring(mark + Results.MARK.length()).strip().split(" ");
        switch (fields[0]) {
            case "plan" -> put(fields, new Planned());
            case "start" -> put(fields, new Started());
            case "pass" -> put(fields, new Passed(Long.parseLong(fields[3])));
            case "fail" -> put(fields, new Failed(Long.parseLong(fields[3]), text(fields[4])));
            case "skip" -> put(fields, new Skipped(text(fields[4])));
            case "end" -> ended = true;
            default -> throw new IllegalStateException("unknown line of results: " + line);
        }
        return true;
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }

    private void put(String[] fields, Outcome outcome) {
        suites.computeIfAbsent(fields[1], _ -> new LinkedHashMap<>()).put(fields[2], outcome);
    }

    /** Suites in their order, cases in theirs. */
    Map<String, Map<String, Outcome>> suites() {
        return suites;
    }

    /** Whether all cases have been gone through. */
    boolean ended() {
        return ended;
    }
}
