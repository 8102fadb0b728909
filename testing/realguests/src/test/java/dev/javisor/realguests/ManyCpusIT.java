package dev.javisor.realguests;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Several CPUs that work at the same time; and the two ends that are not a power-off. */
class ManyCpusIT {
    private static final int GUEST_PANIC = 122;
    private static final int GUEST_RESET = 123;

    private static final String SCRIPT =
            Sections.SHELL
                    + """
                    cpus=$(nproc)
                    moves() {
                        for round in 1 2 3; do
                            cpu=0
                            while [ $cpu -lt $cpus ]; do
                                taskset -p $((1 << cpu)) $$ > /dev/null
                                read -r line < /proc/$$/stat
                                line=${line##*) }
                                set -- $line
                                echo "$cpu ${37}"
                                cpu=$((cpu + 1))
                            done
                        done
                        taskset -p $(printf %x $(((1 << cpus) - 1))) $$ > /dev/null
                    }
                    work() {
                        cpu=0
                        while [ $cpu -lt $cpus ]; do
                            taskset $((1 << cpu)) sh -c '
                                seq 1 6000 | gzip -c | gunzip -c | sha256sum' &
                            cpu=$((cpu + 1))
                        done
                        wait
                    }
                    section nproc nproc
                    section online cat /sys/devices/system/cpu/online
                    section cpuinfo grep -c ^processor /proc/cpuinfo
                    section avx grep -c '^flags.* avx ' /proc/cpuinfo
                    section before cat /proc/stat
                    section interrupts-before cat /proc/interrupts
                    section moves moves
                    section allowed grep Cpus_allowed_list /proc/self/status
                    section work work
                    section after cat /proc/stat
                    section interrupts-after cat /proc/interrupts
                    section dmesg dmesg
                    """;

    @Test
    void twoCpus_workAndReboot_endsAsAReset() throws Exception {
        works(2, "x86-64-v2", "reboot -f; sleep 60", GUEST_RESET, "the guest reset itself");
    }

    @Test
    void fourCpus_workAndPanic_endsAsAPanic() throws Exception {
        works(4, "x86-64-v3", "echo c > /proc/sysrq-trigger", GUEST_PANIC, "sysrq triggered crash");
    }

    @Test
    void sixteenCpus_moreThanTheHostHas_comeUpInTime() throws Exception {
        Javisor.Run run =
                Javisor.of("run", "--timeout", "120s", "--cpus", "16", "--", "nproc").run();
        System.out.printf("16 CPUs, all of it: %.1f s%n", run.time().toMillis() / 1000.0);
        assertThat(run.err()).isEmpty();
        assertThat(run.text()).isEqualTo("16\n");
    }

    private static void works(int cpus, String model, String end, int status, String why)
            throws Exception {
        Javisor.Run run =
                Javisor.of(
                                "run",
                                "--timeout",
                                "280s",
                                "--cpus",
                                String.valueOf(cpus),
                                "--cpu",
                                model,
                                "--",
                                "sh",
                                "-c",
                                SCRIPT + end)
                        .run();
        System.out.printf("%d CPUs, all of it: %.1f s%n", cpus, run.time().toMillis() / 1000.0);
        assertThat(run.err()).startsWith("javisor: ").contains(why).hasLineCount(1);
        assertThat(run.status()).isEqualTo(status);

        Sections sections = Sections.parse(run.out());
        String last = String.valueOf(cpus - 1);
        assertThat(sections.text("nproc")).isEqualTo(cpus + "\n");
        assertThat(sections.text("online")).isEqualTo("0-" + last + "\n");
        assertThat(sections.text("cpuinfo")).isEqualTo(cpus + "\n");
        int withAvx = model.equals("x86-64-v2") ? 0 : cpus;
        assertThat(sections.text("avx")).isEqualTo(withAvx + "\n");
        assertThat(sections.text("allowed")).endsWith("0-" + last + "\n");
        assertThat(KernelLog.complaints(sections.text("dmesg"))).isEmpty();
        assertThat(sections.text("dmesg")).contains("smp: Brought up 1 node, " + cpus + " CPUs");

        // Where the shell was told to run, and where it ran.
        List<String> moves = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            IntStream.range(0, cpus).mapToObj(cpu -> cpu + " " + cpu).forEach(moves::add);
        }
        assertThat(sections.text("moves").lines()).containsExactlyElementsOf(moves);

        // All did the same work and came to the same result.
        List<String> results = sections.text("work").lines().toList();
        assertThat(results).hasSize(cpus);
        assertThat(results).allMatch(result -> result.equals(results.getFirst()));
        for (int cpu = 0; cpu < cpus; cpu++) {
            assertThat(busy(sections.text("after"), cpu))
                    .as("CPU %d did something", cpu)
                    .isGreaterThan(busy(sections.text("before"), cpu));
            assertThat(interrupts(sections.text("interrupts-after"), cpu))
                    .as("timer interrupts of CPU %d", cpu)
                    .isGreaterThan(interrupts(sections.text("interrupts-before"), cpu));
        }
    }

    /** Time in user, nice and system mode, in ticks (proc(5)). */
    private static long busy(String stat, int cpu) {
        String[] fields = row(stat, "cpu" + cpu + " ");
        return Long.parseLong(fields[1]) + Long.parseLong(fields[2]) + Long.parseLong(fields[3]);
    }

    /** Local timer interrupts. */
    private static long interrupts(String table, int cpu) {
        return Long.parseLong(row(table, "LOC:")[1 + cpu]);
    }

    private static String[] row(String table, String name) {
        return table.lines()
                .map(String::strip)
                .filter(line -> line.startsWith(name))
                .findFirst()
                .orElseThrow()
                .split("\\s+");
    }
}
