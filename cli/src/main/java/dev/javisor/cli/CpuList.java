package dev.javisor.cli;

import java.util.ArrayList;
import java.util.List;

/** Lists of CPUs as taskset(1) writes them: {@code 0,2-3}. */
record CpuList(List<Integer> cpus) {
    static final CpuList ANY = new CpuList(List.of());

    private static final int MAX_CPU = 1023;

    /**
     * @throws IllegalArgumentException saying what is wrong
     */
    static CpuList parse(String text) {
        List<Integer> cpus = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            int dash = part.indexOf('-');
            int first = number(text, dash < 0 ? part : part.substring(0, dash));
            int last = dash < 0 ? first : number(text, part.substring(dash + 1));
            if (last < first) {
                throw wrong(text);
            }
            for (int cpu = first; cpu <= last; cpu++) {
                cpus.add(cpu);
            }
        }
        return new CpuList(List.copyOf(cpus));
    }

    private static int number(String text, String digits) {
        if (!digits.matches("[0-9]{1,4}") || Integer.parseInt(digits) > MAX_CPU) {
            throw wrong(text);
        }
        return Integer.parseInt(digits);
    }

    private static IllegalArgumentException wrong(String text) {
        return new IllegalArgumentException(
                "'%s' is no list of host CPUs: give numbers and ranges such as 0,2-3"
                        .formatted(text));
    }
}
