package dev.javisor.vmm;

import java.util.Collections;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Instructions that the accelerator refused and the software CPU executed.
 *
 * @param count times it helped, on this accelerator
 * @param perSecond lately
 * @param byMnemonic of the instruction that needed help
 */
public record VmAssists(long count, double perSecond, SortedMap<String, Long> byMnemonic) {
    /** So many mnemonics are shown to a person. */
    private static final int SHOWN = 8;

    public VmAssists {
        byMnemonic = Collections.unmodifiableSortedMap(new TreeMap<>(byMnemonic));
    }

    /** For a person, one line. */
    public String text() {
        String most =
                byMnemonic.entrySet().stream()
                        .sorted(
                                Comparator.comparing(Map.Entry<String, Long>::getValue)
                                        .reversed()
                                        .thenComparing(Map.Entry::getKey))
                        .limit(SHOWN)
                        .map(entry -> "%s %,d".formatted(entry.getKey(), entry.getValue()))
                        .collect(Collectors.joining(", "));
        return String.format(
                Locale.ROOT,
                "%,d (%.0f/s): %s%s",
                count,
                perSecond,
                most,
                byMnemonic.size() > SHOWN ? ", ..." : "");
    }
}
