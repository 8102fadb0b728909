package dev.javisor.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.linux.SystemCalls;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** On the real kernel, on threads of their own. */
class VcpuSchedulingTest {
    private static String status(VcpuScheduling scheduling, String key) {
        return CompletableFuture.supplyAsync(
                        () -> {
                            SystemCalls system = SystemCalls.host();
                            scheduling.apply(system, 1);
                            Path task = Path.of("/proc/self/task/" + system.gettid());
                            try {
                                return key.equals("stat")
                                        ? Files.readString(task.resolve("stat"))
                                        : line(Files.readAllLines(task.resolve("status")), key);
                            } catch (IOException e) {
                                throw new UncheckedIOException(e);
                            }
                        },
                        run -> Thread.ofPlatform().start(run))
                .join();
    }

    private static String line(List<String> lines, String key) {
        return lines.stream().filter(l -> l.startsWith(key)).findFirst().orElseThrow();
    }

    @Test
    void affinity_pinsEachVcpuToOneCpu() {
        VcpuScheduling pinned = new VcpuScheduling(List.of(0), VcpuScheduling.Policy.NORMAL, 0);
        assertThat(status(pinned, "Cpus_allowed_list")).endsWith("\t0");
    }

    @Test
    void policyAndNice_areTheThreads() {
        VcpuScheduling batch = new VcpuScheduling(List.of(), VcpuScheduling.Policy.BATCH, 7);
        String stat = status(batch, "stat");
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        assertThat(fields[16]).as("nice: field 19 of proc(5)").isEqualTo("7");
        assertThat(fields[38]).as("policy: field 41 of proc(5)").isEqualTo("3");
    }

    @Test
    void cpuThatIsNotThere_isAClearError() {
        VcpuScheduling nowhere = new VcpuScheduling(List.of(1023), VcpuScheduling.Policy.NORMAL, 0);
        assertThatThrownBy(() -> status(nowhere, "Cpus_allowed_list"))
                .hasRootCauseInstanceOf(VmException.class)
                .rootCause()
                .hasMessageContaining("vCPU 1 on host CPU 1023");
    }

    @Test
    void values_outOfRange_areRefused() {
        assertThatThrownBy(() -> new VcpuScheduling(List.of(-1), VcpuScheduling.Policy.NORMAL, 0))
                .isInstanceOf(VmException.class);
        assertThatThrownBy(() -> new VcpuScheduling(List.of(), VcpuScheduling.Policy.NORMAL, 20))
                .isInstanceOf(VmException.class);
    }
}
