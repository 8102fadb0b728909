package dev.javisor.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.hypervisor.HypervisorException;
import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellRegistration;
import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import dev.javisor.hypervisor.VirtualMachine.Space;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class SwitchableMachineTest {
    private static final long ADDRESS = 0xFEE00000L;

    private final RecordingMachine first = new RecordingMachine();
    private final RecordingMachine second = new RecordingMachine();
    private final SwitchableMachine machine = new SwitchableMachine(first);

    private static DoorbellAddress port(int number) {
        return new DoorbellAddress(Space.PIO, number, 2, false, 0);
    }

    @Test
    void whatWasSet_isSetOnTheNextMachine() {
        machine.routeGsi(3, new MsiMessage(ADDRESS, 0x41));
        machine.routeGsi(4, new MsiMessage(ADDRESS, 0x42));
        machine.routeGsi(4, null);
        machine.setExternalInterrupt(true);
        machine.setDirtyTracking(true);
        DoorbellRegistration gone = machine.bindDoorbell(port(1), () -> {});
        DoorbellRegistration kept = machine.bindDoorbell(port(2), () -> {});
        gone.close();

        assertThat(machine.hold()).isSameAs(first);
        machine.prepare(second);
        machine.install(second);
        assertThat(second.log)
                .containsExactlyInAnyOrder(
                        "dirty tracking true",
                        "route 3 65",
                        "route 4 off",
                        "bind 2",
                        "external true");
        assertThat(first.log).contains("unbind 1", "unbind 2", "dirty tracking false");

        kept.close();
        assertThat(second.log).endsWith("unbind 2");
    }

    @Test
    void interruptsWhileHolding_reachTheNextMachine_inOrder() {
        machine.hold();
        machine.signalMsi(ADDRESS, 1);
        machine.signalNmi();
        machine.signalMsi(ADDRESS, 2);
        machine.setExternalInterrupt(true);
        machine.prepare(second);
        machine.install(second);
        machine.signalMsi(ADDRESS, 3);
        assertThat(first.log).isEmpty();
        assertThat(second.log)
                .filteredOn(line -> !line.startsWith("external"))
                .containsExactly("msi 1", "nmi", "msi 2", "msi 3");
        assertThat(second.log).contains("external true").doesNotContain("external false");
    }

    @Test
    void nextMachineRefuses_oldOneGoesOn_withWhatCameMeanwhile() {
        machine.bindDoorbell(port(1), () -> {});
        machine.hold();
        second.refusesDoorbells = true;
        assertThatThrownBy(() -> machine.prepare(second)).isInstanceOf(HypervisorException.class);
        machine.signalMsi(ADDRESS, 5);
        machine.abandon();
        machine.goOn();
        machine.signalMsi(ADDRESS, 6);
        assertThat(first.log).containsExactly("bind 1", "msi 5", "msi 6");
    }

    @Test
    void pagesDirtyBeforeTheMove_areStillDirty() {
        machine.setDirtyTracking(true);
        first.dirty = 0b0110;
        machine.hold();
        machine.prepare(second);
        machine.install(second);
        second.dirty = 0b1000;
        long[] dirty = new long[4];
        var region = second.memory().regions().getFirst();
        machine.fetchDirty(region, dirty);
        assertThat(dirty[0]).isEqualTo(0b1110);
        machine.fetchDirty(region, dirty);
        assertThat(dirty[0]).as("fetching clears").isZero();
    }

    /** Every message arrives exactly once, on whichever machine, however often it moves. */
    @Test
    void messagesFromManyThreads_whileItMoves_noneIsLostOrDoubled() throws Exception {
        int threads = 3;
        int each = 20_000;
        AtomicBoolean sending = new AtomicBoolean(true);
        List<Thread> senders = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int base = t * each;
            senders.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int i = 0; i < each; i++) {
                                    machine.signalMsi(ADDRESS, base + i);
                                }
                            }));
        }
        Thread mover =
                Thread.ofPlatform()
                        .start(() -> {
                            RecordingMachine next = second;
                            RecordingMachine last = first;
                            while (sending.get()) {
                                machine.hold();
                                machine.prepare(next);
                                machine.install(next);
                                RecordingMachine swap = next;
                                next = last;
                                last = swap;
                            }
                        });
        for (Thread sender : senders) {
            sender.join();
        }
        sending.set(false);
        mover.join();
        List<String> all = new ArrayList<>(first.log);
        all.addAll(second.log);
        all.removeIf(line -> !line.startsWith("msi"));
        assertThat(all).hasSize(threads * each);
        assertThat(new HashSet<>(all)).hasSize(threads * each);
    }
}
