package dev.javisor.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine;

/** Guesses what was meant by a word that is no option or command. */
final class Suggestions {
    /** More changes than this make another word. */
    private static final int MAX_DISTANCE = 3;

    private Suggestions() {}

    /**
     * What was wrong with the command line: {@code unknown option '--memry': did you mean
     * --memory?}, else the exception's own message.
     */
    static String explain(CommandLine.ParameterException e) {
        if (!(e instanceof CommandLine.UnmatchedArgumentException unmatched)
                || unmatched.getUnmatched().isEmpty()) {
            return String.valueOf(e.getMessage());
        }
        String word = unmatched.getUnmatched().getFirst().replaceFirst("=.*", "");
        String what = word.startsWith("-") ? "option" : "command";
        CommandLine line = e.getCommandLine();
        List<String> known = new ArrayList<>(line.getCommandSpec().optionsMap().keySet());
        known.addAll(line.getSubcommands().keySet());
        return "unknown %s '%s'%s"
                .formatted(
                        what,
                        word,
                        nearest(word, known).map(n -> ": did you mean " + n + "?").orElse(""));
    }

    static Optional<String> nearest(String word, List<String> known) {
        Optional<String> best = Optional.empty();
        int bestDistance = Math.min(MAX_DISTANCE, Math.max(1, word.length() / 2));
        for (String candidate : known) {
            boolean begun = word.length() > 3 && candidate.startsWith(word);
            int distance = begun ? 1 : distance(word, candidate);
            if (distance <= bestDistance && (best.isEmpty() || distance < bestDistance)) {
                best = Optional.of(candidate);
                bestDistance = distance;
            }
        }
        return best;
    }

    /** Single characters put in, left out, exchanged, or two neighbours swapped. */
    static int distance(String a, String b) {
        int[][] cost = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    cost[i][j] = i + j;
                    continue;
                }
                boolean same = a.charAt(i - 1) == b.charAt(j - 1);
                int best = cost[i - 1][j - 1] + (same ? 0 : 1);
                best = Math.min(best, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
                if (i > 1
                        && j > 1
                        && a.charAt(i - 1) == b.charAt(j - 2)
                        && a.charAt(i - 2) == b.charAt(j - 1)) {
                    best = Math.min(best, cost[i - 2][j - 2] + 1);
                }
                cost[i][j] = best;
            }
        }
        return cost[a.length()][b.length()];
    }
}
