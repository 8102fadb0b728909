package dev.javisor.bench;

/**
 * One line of a result.
 *
 * @param ours NaN where there is none
 * @param peer NaN where there is none
 * @param ratio above 1 means ours is better; NaN where there is nothing to compare
 * @param reference the same figure of a native program; NaN where there is none
 */
record Row(String name, double ours, double peer, String unit, double ratio, double reference) {
    Row(String name, double ours, double peer, String unit, double ratio) {
        this(name, ours, peer, unit, ratio, Double.NaN);
    }

    /** A figure of which less is better, such as a time or a size. */
    static Row lessIsBetter(String name, double ours, double peer, String unit) {
        return new Row(name, ours, peer, unit, peer / ours);
    }

    /** Beside what the host does natively. */
    Row withReference(double value) {
        return new Row(name, ours, peer, unit, ratio, value);
    }

    /** A figure of ours that has no counterpart. */
    static Row alone(String name, double ours, String unit) {
        return new Row(name, ours, Double.NaN, unit, Double.NaN);
    }

    /** A ratio over other rows. */
    static Row summary(String name, double ratio) {
        return new Row(name, Double.NaN, Double.NaN, "", ratio);
    }
}
