package dev.javisor.bench;

import java.util.List;

/** Medians and geometric means. */
final class Statistics {
    private Statistics() {}

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int n = sorted.size();
        if (n == 0) {
            return Double.NaN;
        }
        return n % 2 == 1 ? sorted.get(n / 2) : (sorted.get(n / 2 - 1) + sorted.get(n / 2)) / 2;
    }

    static double minimum(List<Double> values) {
        return values.stream().mapToDouble(Double::doubleValue).min().orElse(Double.NaN);
    }

    static double geometricMean(List<Double> values) {
        double logs = 0;
        for (double value : values) {
            logs += Math.log(value);
        }
        return Math.exp(logs / values.size());
    }
}
