package dev.javisor.realguests;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Many results from one boot. In the guest, {@code section NAME COMMAND...} runs a command and
 * prints its name, status and size in bytes, then all it printed.
 */
final class Sections {
    /** Defines {@code section} for the guest's shell. */
    static final String SHELL =
            """
            section() {
                name=$1
                shift
                "$@" > /tmp/section 2>&1
                status=$?
                printf '\\n@ %s %d %d\\n' "$name" $status "$(wc -c < /tmp/section)"
                cat /tmp/section
            }
            """;

    private final Map<String, HostTools.Output> byName = new LinkedHashMap<>();

    static Sections parse(byte[] output) {
        Sections sections = new Sections();
        int at = 0;
        while (at < output.length) {
            int end = at + 1;
            while (end < output.length && output[end] != '\n') {
                end++;
            }
            String head = new String(output, at, end - at, StandardCharsets.UTF_8);
            String[] fields = head.split(" ");
            if (fields.length != 4 || !fields[0].equals("\n@")) {
                throw new AssertionError("no section where one should begin: " + head);
            }
            int size = Integer.parseInt(fields[3]);
            if (size > output.length - end - 1) {
                throw new AssertionError("section " + fields[1] + " is cut off");
            }
            sections.byName.put(
                    fields[1],
                    new HostTools.Output(
                            Integer.parseInt(fields[2]),
                            Arrays.copyOfRange(output, end + 1, end + 1 + size)));
            at = end + 1 + size;
        }
        return sections;
    }

    HostTools.Output get(String name) {
        HostTools.Output output = byName.get(name);
        if (output == null) {
            throw new AssertionError("no section " + name + " among " + byName.keySet());
        }
        return output;
    }

    String text(String name) {
        return get(name).text();
    }
}
