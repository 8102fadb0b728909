package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Instructions that a guest can execute whatever KVM says, as the processor has them and nothing
 * can take them away: those without state of their own and without a control bit. A KVM that
 * emulates level 0 does not list them, although level 3 executes them natively.
 */
final class HostProcessor {
    /** Names as Linux gives them (arch/x86/include/asm/cpufeatures.h). */
    private static final Map<CpuFeature, String> NAMES =
            Map.of(
                    CpuFeature.SSE3, "pni",
                    CpuFeature.SSSE3, "ssse3",
                    CpuFeature.SSE41, "sse4_1",
                    CpuFeature.SSE42, "sse4_2",
                    CpuFeature.POPCNT, "popcnt",
                    CpuFeature.CMPXCHG16B, "cx16",
                    CpuFeature.LAHF_LM, "lahf_lm",
                    CpuFeature.ABM, "abm",
                    CpuFeature.MOVBE, "movbe");

    private HostProcessor() {}

    /** What this host has of them; none if it does not say. */
    static Set<CpuFeature> read(Path cpuinfo) {
        try {
            return parse(Files.readAllLines(cpuinfo));
        } catch (IOException e) {
            return Set.of();
        }
    }

    static Set<CpuFeature> parse(List<String> cpuinfo) {
        Set<String> flags =
                cpuinfo.stream()
                        .filter(line -> line.startsWith("flags"))
                        .findFirst()
                        .map(line -> line.substring(line.indexOf(':') + 1).trim().split(" +"))
                        .map(Arrays::stream)
                        .map(names -> names.collect(Collectors.toSet()))
                        .orElse(Set.of());
        Set<CpuFeature> features = EnumSet.noneOf(CpuFeature.class);
        NAMES.forEach((feature, name) -> {
            if (flags.contains(name)) {
                features.add(feature);
            }
        });
        return features;
    }
}
