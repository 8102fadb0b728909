package dev.javisor.softcpu.run;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.Period;
import jdk.jfr.StackTrace;

/** What a vCPU of the software CPU has done since it was made: a periodic event. */
@Name("dev.javisor.VcpuStatistics")
@Label("vCPU Statistics")
@Category({"Javisor", "Software CPU"})
@Period("1 s")
@StackTrace(false)
final class VcpuStatistics extends Event {
    @Label("vCPU")
    int vcpu;

    @Label("Guest Instructions")
    long instructions;

    @Label("Of Them in Translated Code")
    long translatedInstructions;

    @Label("Blocks Decoded")
    long blocks;

    @Label("Regions Translated")
    long regions;

    @Label("Regions Evicted")
    long regionsEvicted;

    @Label("Translation Time (ms)")
    long translationMillis;

    @Label("Region Entries")
    long regionEntries;

    @Label("Region Exits for the Interpreter")
    long regionExitsAside;

    @Label("Region Exits by Request")
    long regionExitsRequested;

    @Label("Exceptions")
    long exceptions;

    @Label("Page Faults")
    long pageFaults;

    @Label("Interrupts")
    long interrupts;

    @Label("Port Accesses")
    long portAccesses;

    @Label("MMIO Accesses")
    long mmioAccesses;

    @Label("Doorbells")
    long doorbells;

    @Label("Returns to the Machine")
    long returns;

    /** One line for a log. */
    String line() {
        return ("vcpu %d: %d regions (%d evicted) in %d ms; %d entries, %d exits for tier one, %d by"
                        + " request; %d exceptions (%d page faults), %d interrupts; %d port, %d MMIO"
                        + " accesses, %d doorbells; %d returns")
                .formatted(
                        vcpu,
                        regions,
                        regionsEvicted,
                        translationMillis,
                        regionEntries,
                        regionExitsAside,
                        regionExitsRequested,
                        exceptions,
                        pageFaults,
                        interrupts,
                        portAccesses,
                        mmioAccesses,
                        doorbells,
                        returns);
    }
}
