package dev.javisor.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A result as a Markdown table and as JSON. */
final class Report {
    private Report() {}

    static void print(PrintStream out, List<Row> rows) {
        int width = rows.stream().mapToInt(row -> row.name().length()).max().orElse(4);
        boolean references = rows.stream().anyMatch(row -> !Double.isNaN(row.reference()));
        String more = references ? " %12s | %11s |%n" : "%n";
        String format = "| %-" + width + "s | %12s | %12s | %-6s | %6s |";
        out.printf(Locale.ROOT, format, "name", "ours", "peer", "unit", "ratio");
        out.printf(Locale.ROOT, more, "native", "ours/native");
        out.printf(
                Locale.ROOT,
                "|-%s-|-%s:|-%s:|-%s-|-%s:|",
                "-".repeat(width),
                "-".repeat(12),
                "-".repeat(12),
                "-".repeat(6),
                "-".repeat(6));
        out.print(references ? "-%s:|-%s:|%n".formatted("-".repeat(12), "-".repeat(11)) : "\n");
        for (Row row : rows) {
            out.printf(
                    Locale.ROOT,
                    format,
                    row.name(),
                    number(row.ours(), "%.3f"),
                    number(row.peer(), "%.3f"),
                    row.unit(),
                    number(row.ratio(), "%.2f"));
            out.printf(
                    Locale.ROOT,
                    more,
                    number(row.reference(), "%.3f"),
                    number(row.ours() / row.reference(), "%.2f"));
        }
    }

    private static String number(double value, String format) {
        return Double.isNaN(value) ? "" : format.formatted(value);
    }

    static void write(Path file, String name, List<Row> rows) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        root.put("benchmark", name);
        ArrayNode list = root.putArray("rows");
        for (Row row : rows) {
            ObjectNode node = list.addObject();
            node.put("name", row.name());
            put(node, "ours", row.ours());
            put(node, "peer", row.peer());
            node.put("unit", row.unit());
            put(node, "ratio", row.ratio());
            put(node, "native", row.reference());
        }
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(
                file, mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n");
    }

    private static void put(ObjectNode node, String key, double value) {
        if (Double.isNaN(value)) {
            node.putNull(key);
        } else {
            node.put(key, value);
        }
    }
}
