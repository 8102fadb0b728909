package dev.javisor.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Runs {@code javisor image} in this process. */
final class ImageVerbs {
    record Run(int status, String out, String err) {}

    private ImageVerbs() {}

    static Run image(Object... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        StandardStreams streams =
                new StandardStreams(new ByteArrayInputStream(new byte[0]), out, err);
        Launch launch =
                new Launch(
                        streams,
                        Map.of(),
                        (settings, guest, output) -> {
                            throw new IllegalStateException("no machine in this test");
                        });
        List<String> all = new ArrayList<>(List.of("image"));
        for (Object each : arguments) {
            all.add(each.toString());
        }
        int status =
                JavisorMain.commandLine(
                                launch,
                                new PrintStream(out, true, StandardCharsets.UTF_8),
                                new PrintStream(err, true, StandardCharsets.UTF_8))
                        .execute(all.toArray(String[]::new));
        return new Run(
                status, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }
}
