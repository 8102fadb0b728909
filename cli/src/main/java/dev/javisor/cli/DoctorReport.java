package dev.javisor.cli;

import dev.javisor.cli.Finding.Level;
import dev.javisor.hypervisor.Availability;
import dev.javisor.vmm.AcceleratorReport;
import dev.javisor.vmm.AcceleratorSpeed;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** All findings, and what follows from them. */
record DoctorReport(List<Finding> findings, boolean canRun, String accelerator, String verdict) {
    DoctorReport {
        findings = List.copyOf(findings);
    }

    static DoctorReport of(List<Finding> host, AcceleratorReport kvm, AcceleratorReport soft) {
        List<Finding> findings = new ArrayList<>(host);
        findings.add(accelerator(kvm));
        capabilities(kvm, findings);
        findings.add(accelerator(soft));
        boolean canRun = kvm.isAvailable() || soft.isAvailable();
        String auto = kvm.isNative() ? "kvm" : soft.isAvailable() ? "soft" : "none";
        String verdict;
        if (kvm.isNative()) {
            verdict = "Guests run on KVM, at the speed of the processor.";
        } else if (!soft.isAvailable()) {
            verdict = canRun ? "Guests run with --accel kvm only." : "No guest can run here.";
        } else if (kvm.isAvailable()) {
            verdict =
                    "Guests run on the software CPU: this KVM only emulates guest kernels, more"
                            + " slowly. --accel kvm uses it all the same.";
        } else {
            verdict = "Guests run on the software CPU; KVM cannot be used, see above.";
        }
        return new DoctorReport(findings, canRun, auto, verdict);
    }

    private static Finding accelerator(AcceleratorReport report) {
        String id = report.name();
        return switch (report.availability()) {
            case Availability.Unavailable unavailable ->
                    Finding.of(
                                    id,
                                    id.equals("soft") ? Level.FAIL : Level.WARN,
                                    id + ": " + unavailable.message())
                            .remedy(unavailable.remedy())
                            .with("available", false)
                            .with("reason", unavailable.reason().name());
            case Availability.Available _ ->
                    report.speed()
                            .map(speed -> measured(id, speed))
                            .orElseGet(() ->
                                    Finding.of(
                                                    id,
                                                    Level.WARN,
                                                    id + ": a tiny guest did not come to its end")
                                            .with("available", true));
        };
    }

    private static Finding measured(String id, AcceleratorSpeed speed) {
        boolean kvm = id.equals("kvm");
        String how =
                !kvm
                        ? "available, cold: "
                        : speed.isNative()
                                ? "executes guest code natively: "
                                : "only emulates guest kernels: ";
        return Finding.of(
                        id,
                        kvm && !speed.isNative() ? Level.WARN : Level.OK,
                        "%s: %sexit and back %.1f us, an iteration of a loop %.1f ns"
                                .formatted(
                                        id, how, speed.exitNanos() / 1e3, speed.iterationNanos()))
                .with("available", true)
                .with("native", kvm && speed.isNative())
                .with("exitNanos", Math.round(speed.exitNanos()))
                .with("iterationNanos", Math.round(speed.iterationNanos() * 100) / 100.0);
    }

    /** One line for what is there, one for each that is missing. */
    private static void capabilities(AcceleratorReport report, List<Finding> findings) {
        Map<String, Integer> all = report.capabilities();
        if (all.isEmpty()) {
            return;
        }
        List<String> missing = new ArrayList<>();
        all.forEach((name, value) -> {
            if (value <= 0) {
                missing.add(name.toLowerCase(Locale.ROOT));
            }
        });
        String text =
                "%d of %d KVM capabilities that can be used are there"
                        .formatted(all.size() - missing.size(), all.size());
        Finding finding =
                Finding.of(
                        "capabilities",
                        Level.OK,
                        missing.isEmpty() ? text : text + "; not: " + String.join(", ", missing));
        for (var entry : all.entrySet()) {
            finding = finding.with(entry.getKey(), entry.getValue());
        }
        findings.add(finding);
    }

    String text() {
        StringBuilder text = new StringBuilder();
        for (Finding finding : findings) {
            text.append(
                    "%-6s%s%n"
                            .formatted(
                                    finding.level().name().toLowerCase(Locale.ROOT),
                                    finding.text()));
            finding.remedy().ifPresent(remedy -> text.append("      -> %s%n".formatted(remedy)));
        }
        return text.append('\n').append(verdict).append('\n').toString();
    }

    String json() {
        JsonMapper mapper = JsonMapper.builder().build();
        ObjectNode root = mapper.createObjectNode();
        root.put("canRun", canRun);
        root.put("accelerator", accelerator);
        root.put("verdict", verdict);
        var list = root.putArray("findings");
        for (Finding finding : findings) {
            ObjectNode node = list.addObject();
            node.put("id", finding.id());
            node.put("level", finding.level().name().toLowerCase(Locale.ROOT));
            node.put("text", finding.text());
            finding.remedy().ifPresent(remedy -> node.put("remedy", remedy));
            ObjectNode values = node.putObject("values");
            finding.values().forEach(values::putPOJO);
        }
        return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
    }
}
