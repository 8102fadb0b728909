package dev.javisor.oracle;

import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.decode.Op.Family;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A longer run by hand: {@code [cases=N] [seed=N] [only=OP,...] [family=F,...] [strict]
 * [translated]}.
 */
public final class OracleMain {
    static final Set<Family> FAMILIES =
            EnumSet.of(
                    Family.INTEGER,
                    Family.DECIMAL,
                    Family.BRANCH,
                    Family.STRING,
                    Family.X87,
                    Family.SSE,
                    Family.CRYPTO,
                    Family.AVX,
                    Family.STATE);

    private OracleMain() {}

    /** Prints differences and a table; exit status 1 if there are any. */
    public static void main(String[] arguments) throws IOException {
        long cases = 10_000_000;
        long seed = System.nanoTime();
        Set<Op> only = EnumSet.noneOf(Op.class);
        Set<Family> families = EnumSet.copyOf(FAMILIES);
        boolean strict = false;
        boolean translated = false;
        for (String argument : arguments) {
            String value = argument.substring(argument.indexOf('=') + 1);
            switch (argument.substring(0, argument.length() - value.length())) {
                case "cases=" -> cases = Long.parseLong(value);
                case "seed=" -> seed = Long.parseLong(value);
                case "only=" -> {
                    for (String name : value.split(",")) {
                        only.add(Op.valueOf(name.toUpperCase(Locale.ROOT)));
                    }
                }
                case "family=" -> {
                    families.clear();
                    for (String name : value.split(",")) {
                        families.add(Family.valueOf(name.toUpperCase(Locale.ROOT)));
                    }
                }
                default -> {
                    if (argument.equals("translated")) {
                        translated = true;
                    } else if (argument.equals("strict")) {
                        strict = true;
                    } else {
                        System.err.println("oracle: unknown argument " + argument);
                        System.exit(2);
                    }
                }
            }
        }
        System.out.println("seed " + seed);
        HostProcessor host = HostProcessor.here();
        if (!host.missing().isEmpty()) {
            System.out.println("not compared, the host lacks it: " + host.missing());
        }
        Oracle oracle = new Oracle(new Selection(families, only, host), strict, translated);
        long start = System.nanoTime();
        oracle.run(seed, cases, System.out::println);
        if (!oracle.notCompared().isEmpty()) {
            System.out.println(
                    "not compared, the host cannot return to it: " + oracle.notCompared());
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        for (Map.Entry<Op, long[]> entry : oracle.counts().entrySet()) {
            long[] count = entry.getValue();
            if (count[1] != 0) {
                System.out.printf(
                        "%-12s %8d cases %8d differ%n", entry.getKey(), count[0], count[1]);
            }
        }
        System.out.printf(
                "%d cases of %d operations in %.1f s, %d faults, %d differences%n",
                oracle.cases(),
                oracle.counts().size(),
                seconds,
                oracle.faults(),
                oracle.differences());
        System.exit(oracle.differences() == 0 ? 0 : 1);
    }
}
