package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A running Linux on two CPUs moves between accelerators, again and again, and notices nothing. */
class SwitchIT {
    /** Where it goes, in turn. */
    private static final List<String> TARGETS = List.of("soft:off", "soft:on");

    private static final int SWITCHES = 12;

    /**
     * On each CPU a loop that counts and reads the clock, while a third sleeps for tenths of
     * seconds; until the guest has been up for longer than the last switch takes to come. The
     * kernel's own clock must never step back, timers must fire all along.
     */
    private static final String SCRIPT =
            Sections.SHELL
                    + """
                    UNTIL=%d
                    now() { read -r up rest < /proc/uptime; echo ${up%%.*}${up#*.}; }
                    # A slow host has booted after the last switch: some work is to be done anyway.
                    LEAST=$(($(now) + 400))
                    [ $LEAST -gt $UNTIL ] && UNTIL=$LEAST
                    watch() {
                        last=0 rounds=0 back=0
                        while [ $last -lt $UNTIL ]; do
                            at=$(now)
                            [ $at -lt $last ] && back=$((back + 1))
                            last=$at
                            rounds=$((rounds + 1))
                        done
                        echo $back $rounds
                    }
                    naps() {
                        count=0 longest=0
                        while at=$(now); [ $at -lt $UNTIL ]; do
                            sleep 0.1
                            took=$(($(now) - at))
                            [ $took -gt $longest ] && longest=$took
                            count=$((count + 1))
                        done
                        echo $count $longest
                    }
                    (watch > /tmp/watch0) &
                    (watch > /tmp/watch1) &
                    (naps > /tmp/naps) &
                    wait
                    section watch0 cat /tmp/watch0
                    section watch1 cat /tmp/watch1
                    section naps cat /tmp/naps
                    section interrupts cat /proc/interrupts
                    section clocksource cat /sys/devices/system/clocksource/clocksource0/current_clocksource
                    section online cat /sys/devices/system/cpu/online
                    section log dmesg
                    """
                            .formatted((SWITCHES + 4) * 100);

    @Test
    void twoCpus_manySwitches_clocksTimersAndLogAreRight() throws Exception {
        List<String> arguments = new ArrayList<>(List.of("run", "--cpus", "2", "--trace", "vmm"));
        for (int i = 0; i < SWITCHES; i++) {
            arguments.add("--switch-to");
            arguments.add("%s@%ds".formatted(TARGETS.get(i % TARGETS.size()), i + 1));
        }
        arguments.addAll(List.of("--", "sh", "-c", SCRIPT));
        Javisor.Run run = Javisor.of(arguments.toArray(String[]::new)).run();
        assertThat(run.status()).as(run.err()).isZero();
        assertThat(run.err().lines().filter(line -> line.contains("moved from soft to soft")))
                .as(run.err())
                .hasSize(SWITCHES);

        Sections sections = Sections.parse(run.out());
        for (String name : List.of("watch0", "watch1")) {
            String[] fields = sections.text(name).strip().split(" ");
            assertThat(fields[0]).as("times the clock stepped back").isEqualTo("0");
            assertThat(Integer.parseInt(fields[1])).as("rounds").isPositive();
        }
        String[] naps = sections.text("naps").strip().split(" ");
        assertThat(Integer.parseInt(naps[0])).as("naps").isGreaterThan(3);
        // As chosen at boot: one that had stood still or jumped would have been given up.
        assertThat(sections.text("clocksource").strip()).isIn("tsc", "kvm-clock");
        assertThat(sections.text("online").strip()).isEqualTo("0-1");
        assertThat(KernelLog.complaints(sections.text("log"))).isEmpty();
    }
}
