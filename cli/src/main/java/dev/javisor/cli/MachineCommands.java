package dev.javisor.cli;

import dev.javisor.base.JavisorException;
import dev.javisor.base.Sizes;
import java.util.Arrays;
import java.util.List;

/** What a person may type behind {@code Ctrl-] :} about a running machine, a line each. */
final class MachineCommands {
    static final String HELP =
            """
            balloon SIZE       leaves the guest that much of its memory, the rest goes to the host
            resize DISK SIZE   makes a disk larger: DISK is its number from 0 or its serial
            continue           goes on after a disk error has stopped the machine
            state              what the machine is doing\
            """;

    private final Machine machine;

    MachineCommands(Machine machine) {
        this.machine = machine;
    }

    /** What to show, lines separated by {@code \n}; never throws for what was typed. */
    String run(String line) {
        List<String> words = Arrays.stream(line.strip().split("\\s+")).toList();
        try {
            return run(words.getFirst(), words.subList(1, words.size()));
        } catch (JavisorException | IllegalArgumentException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private String run(String verb, List<String> values) {
        return switch (verb) {
            case "balloon" -> {
                need(verb, values, 1);
                machine.balloon(Sizes.parse(values.getFirst()));
                yield "the guest gives up what it can; 'state' tells how far it is";
            }
            case "resize" -> {
                need(verb, values, 2);
                long size = Sizes.parse(values.get(1));
                machine.resizeDisk(values.getFirst(), size);
                yield "disk %s has %,d bytes now".formatted(values.getFirst(), size);
            }
            case "continue" -> {
                machine.resume();
                yield "the guest goes on";
            }
            case "state" -> machine.status().strip();
            default -> HELP;
        };
    }

    private static void need(String verb, List<String> values, int count) {
        if (values.size() != count) {
            throw new IllegalArgumentException(
                    "'%s' takes %d values, not %d:%n%s"
                            .formatted(verb, count, values.size(), HELP));
        }
    }
}
