package dev.javisor.softcpu.apic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Tsc;
import dev.javisor.softcpu.sys.SysTestCpu;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class LocalApicTest {
    private static final long BASE = 0xFEE00000L;

    private final GuestMemory memory = TestMemory.of(4096);
    private final Ram ram = new Ram(memory);
    private final VirtualTimeSource time = new VirtualTimeSource();
    private final GuestClock clock = new GuestClock(time, 0);
    private final ApicFabric fabric = new ApicFabric();
    private final SysTestCpu.TestBus bus = new SysTestCpu.TestBus();
    private final List<Node> nodes = List.of(new Node(0), new Node(1), new Node(2), new Node(3));

    private final class Node {
        final Cpu cpu;
        final Tsc tsc = new Tsc(clock);
        final LocalApic apic;

        Node(int id) {
            cpu = new Cpu(id, ram);
            cpu.bus = bus;
            apic = new LocalApic(cpu, fabric, tsc);
            write(0xF0, 0x1FF);
        }

        void write(int offset, int value) {
            apic.write(BASE + offset, 4, value & 0xFFFFFFFFL);
        }

        int read(int offset) {
            return (int) apic.read(BASE + offset, 4);
        }

        void x2() {
            apic.writeBase(apic.base() | LocalApic.BASE_X2APIC);
        }

        int takeRequests() {
            int requests = cpu.requests();
            cpu.acknowledge(-1);
            return requests;
        }
    }

    private Node node(int id) {
        return nodes.get(id);
    }

    private int received(Node node) {
        return node.apic.acknowledge();
    }

    @Test
    void registers_afterPowerOn_haveTheirDefaults() {
        Node fresh = new Node(9);
        fresh.apic.powerOn();
        assertThat(fresh.read(0x20)).isEqualTo(9 << 24);
        assertThat(fresh.read(0x30) & 0xFF).isBetween(0x10, 0x15);
        assertThat(fresh.read(0xF0)).isEqualTo(0xFF);
        assertThat(fresh.read(0xE0)).isEqualTo(-1);
        for (int lvt = 0x320; lvt <= 0x370; lvt += 0x10) {
            assertThat(fresh.read(lvt)).isEqualTo(0x10000);
        }
        assertThat(node(0).apic.base() & LocalApic.BASE_BSP).isNotZero();
        assertThat(fresh.apic.base() & LocalApic.BASE_BSP).isZero();
    }

    @Test
    void fixedInterrupt_goesThroughIrrIsrEoi() {
        fabric.signalMsi(0xFEE00000L | 1 << 12, 0x41);

        assertThat(node(1).takeRequests()).isEqualTo(Cpu.REQUEST_INTERRUPT);
        assertThat(node(0).takeRequests()).isZero();
        assertThat(node(1).read(0x220)).isEqualTo(1 << 1);
        assertThat(node(1).apic.pendingVector()).isEqualTo(0x41);
        assertThat(node(1).apic.acknowledge()).isEqualTo(0x41);
        assertThat(node(1).read(0x220)).isZero();
        assertThat(node(1).read(0x120)).isEqualTo(1 << 1);
        assertThat(node(1).read(0xA0)).as("PPR").isEqualTo(0x40);
        assertThat(node(1).apic.pendingVector()).isEqualTo(-1);
        node(1).write(0xB0, 0);
        assertThat(node(1).read(0x120)).isZero();
        assertThat(bus.log).as("edge: no EOI broadcast").isEmpty();
    }

    @Test
    void levelInterrupt_eoi_isBroadcast() {
        fabric.signalMsi(0xFEE00000L, 0x8000 | 0x4000 | 0x51);
        assertThat(received(node(0))).isEqualTo(0x51);
        node(0).write(0xB0, 0);
        assertThat(bus.log).containsExactly("eoi 51");
    }

    @Test
    void priority_lowerClassWaitsForEoi_andAsksAgain() {
        fabric.signalMsi(0xFEE00000L, 0x61);
        assertThat(received(node(0))).isEqualTo(0x61);
        fabric.signalMsi(0xFEE00000L, 0x6F);
        fabric.signalMsi(0xFEE00000L, 0x71);
        assertThat(received(node(0))).as("higher class nests").isEqualTo(0x71);
        assertThat(node(0).apic.pendingVector()).isEqualTo(-1);
        node(0).takeRequests();
        node(0).write(0xB0, 0);
        assertThat(node(0).takeRequests()).as("same class still waits").isZero();
        node(0).write(0xB0, 0);
        assertThat(node(0).takeRequests()).isEqualTo(Cpu.REQUEST_INTERRUPT);
        assertThat(received(node(0))).isEqualTo(0x6F);
    }

    @Test
    void taskPriority_masksUpToItsClass() {
        node(0).write(0x80, 0x60);
        fabric.signalMsi(0xFEE00000L, 0x6F);
        assertThat(node(0).apic.pendingVector()).isEqualTo(-1);
        node(0).takeRequests();
        node(0).apic.setTaskPriorityClass(5);
        assertThat(node(0).read(0x80)).isEqualTo(0x50);
        assertThat(node(0).takeRequests()).isEqualTo(Cpu.REQUEST_INTERRUPT);
        assertThat(node(0).apic.pendingVector()).isEqualTo(0x6F);
    }

    @Test
    void softwareDisabled_dropsFixedButNotNmi() {
        node(0).write(0xF0, 0xFF);
        fabric.signalMsi(0xFEE00000L, 0x41);
        assertThat(node(0).read(0x220)).isZero();
        fabric.signalMsi(0xFEE00000L, 0x400);
        assertThat(node(0).takeRequests()).isEqualTo(Cpu.REQUEST_NMI);
        node(0).write(0x320, 0x41);
        assertThat(node(0).read(0x320)).as("LVT stays masked").isEqualTo(0x10041);
    }

    @Test
    void illegalVector_setsErrorStatusAndRaisesErrorInterrupt() {
        node(0).write(0x370, 0xFE);
        fabric.signalMsi(0xFEE00000L, 0x05);
        assertThat(received(node(0))).isEqualTo(0xFE);
        assertThat(node(0).read(0x280)).as("latched by a write").isZero();
        node(0).write(0x280, 0);
        assertThat(node(0).read(0x280)).isEqualTo(1 << 6);
        node(0).write(0x280, 0);
        assertThat(node(0).read(0x280)).isZero();
    }

    @Test
    void logicalFlatDestination_reachesEveryNamedApic() {
        node(0).write(0xD0, 1 << 24);
        node(1).write(0xD0, 2 << 24);
        node(2).write(0xD0, 4 << 24);
        fabric.signalMsi(0xFEE00000L | 5 << 12 | 4, 0x44);
        assertThat(received(node(0))).isEqualTo(0x44);
        assertThat(received(node(1))).isEqualTo(-1);
        assertThat(received(node(2))).isEqualTo(0x44);
    }

    @Test
    void logicalClusterDestination_matchesClusterAndMember() {
        for (Node node : nodes) {
            node.write(0xE0, 0);
        }
        node(0).write(0xD0, 0x11 << 24);
        node(1).write(0xD0, 0x12 << 24);
        node(2).write(0xD0, 0x21 << 24);
        fabric.signalMsi(0xFEE00000L | 0x13 << 12 | 4, 0x44);
        assertThat(received(node(0))).isEqualTo(0x44);
        assertThat(received(node(1))).isEqualTo(0x44);
        assertThat(received(node(2))).isEqualTo(-1);
    }

    @Test
    void lowestPriority_goesToOneWithLowestPriority() {
        for (Node node : nodes) {
            node.write(0xD0, 1 << (24 + node.apic.id()));
            node.write(0x80, node.apic.id() == 2 ? 0x10 : 0x40);
        }
        fabric.signalMsi(0xFEE00000L | 0xF << 12 | 4, 0x155);
        assertThat(received(node(2))).isEqualTo(0x55);
        assertThat(nodes).filteredOn(n -> n.read(0x220) != 0).isEmpty();
    }

    @Test
    void broadcast_physicalFf_reachesAll() {
        fabric.signalMsi(0xFEEFF000L, 0x33);
        assertThat(nodes).allMatch(n -> received(n) == 0x33);
    }

    @Test
    void msiOutsideItsWindow_isIgnored() {
        fabric.signalMsi(0xFED00000L, 0x33);
        assertThat(nodes).allMatch(n -> received(n) == -1);
    }

    @Test
    void ipi_shorthands_reachSelfAllOthers() {
        node(1).write(0x300, 1 << 18 | 0x41);
        assertThat(received(node(1))).isEqualTo(0x41);
        node(1).write(0x300, 2 << 18 | 0x52);
        assertThat(nodes).allMatch(n -> received(n) == 0x52);
        node(1).write(0x300, 3 << 18 | 0x63);
        assertThat(received(node(1))).isEqualTo(-1);
        assertThat(received(node(0))).isEqualTo(0x63);
        assertThat(received(node(3))).isEqualTo(0x63);
    }

    @Test
    void initAndStartUp_reachTheirDestination() {
        node(0).write(0x310, 2 << 24);
        node(0).write(0x300, 0x0000C500);
        assertThat(node(2).takeRequests()).isEqualTo(Cpu.REQUEST_INIT);
        node(0).write(0x300, 0x00008500);
        assertThat(node(2).takeRequests()).as("de-assert").isZero();
        node(0).write(0x300, 0x00000612);
        assertThat(node(2).takeRequests()).isEqualTo(Cpu.REQUEST_SIPI);
        assertThat(node(2).apic.takeSipi()).isEqualTo(0x12);
        assertThat(node(2).apic.takeSipi()).isEqualTo(-1);
        assertThat(node(1).takeRequests()).isZero();
    }

    @Test
    void x2apic_registersAreMsrs() {
        Node n = node(1);
        assertThatThrownBy(() -> n.apic.readMsr(0x802)).isInstanceOf(GuestFault.class);
        n.x2();
        assertThat(n.apic.claims(BASE)).isFalse();
        assertThat(n.apic.readMsr(0x802)).isEqualTo(1);
        assertThat(n.apic.readMsr(0x80D)).isEqualTo(2);
        assertThatThrownBy(() -> n.apic.readMsr(0x80E)).isInstanceOf(GuestFault.class);
        assertThatThrownBy(() -> n.apic.readMsr(0x831)).isInstanceOf(GuestFault.class);
        assertThatThrownBy(() -> n.apic.writeMsr(0x802, 0)).isInstanceOf(GuestFault.class);
        assertThatThrownBy(() -> n.apic.writeMsr(0x80B, 1)).isInstanceOf(GuestFault.class);
        n.apic.writeMsr(0x83F, 0x77);
        assertThat(received(n)).isEqualTo(0x77);
        n.apic.writeMsr(0x80B, 0);
        assertThat(n.read(0x170)).isZero();
    }

    @Test
    void x2apic_icrWrite_sendsPhysicalAndLogical() {
        nodes.forEach(Node::x2);
        node(0).apic.writeMsr(0x830, 3L << 32 | 0x45);
        assertThat(received(node(3))).isEqualTo(0x45);
        node(0).apic.writeMsr(0x830, 0x0000_0006L << 32 | 1 << 11 | 0x46);
        assertThat(received(node(1))).isEqualTo(0x46);
        assertThat(received(node(2))).isEqualTo(0x46);
        assertThat(received(node(3))).isEqualTo(-1);
        node(0).apic.writeMsr(0x830, 0xFFFF_FFFFL << 32 | 0x57);
        assertThat(nodes).allMatch(n -> received(n) == 0x57);
        assertThat(node(0).apic.readMsr(0x830)).isEqualTo(0xFFFF_FFFFL << 32 | 0x57);
    }

    @Test
    void apicBase_illegalTransitions_fault() {
        Node n = node(0);
        long base = n.apic.base();
        long off = base & ~(LocalApic.BASE_ENABLE | LocalApic.BASE_X2APIC);
        assertThatThrownBy(() -> n.apic.writeBase(off | LocalApic.BASE_X2APIC))
                .isInstanceOf(GuestFault.class);
        assertThatThrownBy(() -> n.apic.writeBase(base | 1L << 63)).isInstanceOf(GuestFault.class);
        n.x2();
        assertThatThrownBy(() -> n.apic.writeBase(base)).isInstanceOf(GuestFault.class);
        n.apic.writeBase(off);
        assertThat(n.apic.isEnabled()).isFalse();
        assertThatThrownBy(() -> n.apic.writeBase(base | LocalApic.BASE_X2APIC))
                .isInstanceOf(GuestFault.class);
        n.apic.writeBase(base);
        assertThat(n.read(0xF0)).as("state is lost while disabled").isEqualTo(0xFF);
    }

    @Test
    void timer_oneShot_firesOnceAfterItsCount() {
        Node n = node(0);
        n.write(0x3E0, 0x3); // by 16
        n.write(0x320, 0x41);
        n.write(0x380, 1000);
        time.advance(15_000);
        assertThat(n.read(0x390)).isEqualTo(63);
        assertThat(received(n)).isEqualTo(-1);
        time.advance(1_000);
        assertThat(received(n)).isEqualTo(0x41);
        assertThat(n.read(0x390)).isZero();
        assertThat(time.armedTimers()).isZero();
    }

    @Test
    void timer_periodic_keepsItsPace() {
        Node n = node(0);
        n.write(0x3E0, 0xB);
        n.write(0x320, 0x20041);
        n.write(0x380, 1_000_000);
        for (int i = 0; i < 3; i++) {
            time.advance(1_000_000);
            assertThat(received(n)).isEqualTo(0x41);
            n.write(0xB0, 0);
        }
        n.write(0x380, 0);
        assertThat(time.armedTimers()).isZero();
    }

    @Test
    void timer_tscDeadline_firesWhenTheCounterIsThere() {
        Node n = node(0);
        n.write(0x320, 0x40041);
        n.tsc.setNow(1_000_000);
        n.apic.setTscDeadline(1_005_000);
        assertThat(n.apic.tscDeadline()).isEqualTo(1_005_000);
        time.advance(4_999);
        assertThat(received(n)).isEqualTo(-1);
        time.advance(1);
        assertThat(received(n)).isEqualTo(0x41);
        assertThat(n.apic.tscDeadline()).isZero();
        n.write(0xB0, 0);
        n.apic.setTscDeadline(7);
        assertThat(received(n)).as("past deadlines fire at once").isEqualTo(0x41);
    }

    @Test
    void timer_movedLater_doesNotFireEarly() {
        Node n = node(0);
        n.write(0x320, 0x40041);
        n.apic.setTscDeadline(1_000);
        n.apic.setTscDeadline(9_000);
        time.advance(8_999);
        assertThat(received(n)).isEqualTo(-1);
        time.advance(1);
        assertThat(received(n)).isEqualTo(0x41);
    }

    @Test
    void timer_deadlineNever_staysArmedWithoutFiring() {
        Node n = node(0);
        n.write(0x320, 0x40041);
        n.tsc.setNow(500);
        for (long never : new long[] {Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
            n.apic.setTscDeadline(never);
            assertThat(time.armedTimers()).isEqualTo(1);
            time.advance(2 * 3_600_000_000_000L);
            assertThat(received(n)).isEqualTo(-1);
            assertThat(n.apic.tscDeadline()).isEqualTo(never);
        }
    }

    @Test
    void timer_clockSetBack_firesAtTheSameGuestTime() {
        Node n = node(0);
        n.write(0x3E0, 0xB);
        n.write(0x320, 0x41);
        time.advance(10_000);
        n.write(0x380, 5_000);
        clock.set(1_000);
        n.apic.clockMoved();
        time.advance(13_999);
        assertThat(received(n)).isEqualTo(-1);
        time.advance(1);
        assertThat(received(n)).isEqualTo(0x41);
    }

    /** Who looks for a kick all the time hears of each, whenever it comes. */
    @Test
    void kick_whileTheHaltedLooks_isNotLost() throws Exception {
        int rounds = 200_000;
        LocalApic apic = node(1).apic;
        AtomicInteger said = new AtomicInteger();
        AtomicInteger heard = new AtomicInteger();
        Thread halted =
                Thread.ofPlatform()
                        .daemon()
                        .start(() -> {
                            while (heard.get() < rounds) {
                                if (apic.takeKick()) {
                                    heard.set(said.get());
                                }
                            }
                        });
        long deadline = System.nanoTime() + 60_000_000_000L;
        for (int n = 1; n <= rounds; n++) {
            said.set(n);
            apic.kick();
            while (heard.get() < n) {
                assertThat(System.nanoTime()).as("kick %d is lost", n).isLessThan(deadline);
            }
        }
        halted.join();
    }

    @Test
    void kick_isKeptUntilTheNextHalt() {
        node(1).apic.kick();
        assertThat(node(1).takeRequests()).isEqualTo(Cpu.REQUEST_INTERRUPT);
        assertThat(node(1).apic.isKicked()).isTrue();
        assertThat(node(1).apic.takeKick()).isTrue();
        assertThat(node(1).apic.takeKick()).isFalse();
    }

    @Test
    void timer_masked_countsButDoesNotInterrupt() {
        Node n = node(0);
        n.write(0x3E0, 0xB);
        n.write(0x320, 0x10041);
        n.write(0x380, 100);
        time.advance(100);
        assertThat(received(n)).isEqualTo(-1);
    }

    @Test
    void externalInterrupt_isTakenWhereLint0Passes() {
        Node n = node(1);
        n.write(0x350, 0x700);
        bus.externalVector = 0x2A;
        fabric.setExternalInterrupt(true);
        assertThat(n.takeRequests() & Cpu.REQUEST_INTERRUPT).isNotZero();
        assertThat(n.apic.hasInterrupt()).isTrue();
        assertThat(n.apic.takeInterrupt(bus)).isEqualTo(0x2A);
        fabric.setExternalInterrupt(false);
        assertThat(n.apic.hasInterrupt()).isFalse();
        assertThat(node(2).apic.acceptsExternalInterrupt()).as("LINT0 masked").isFalse();
    }

    @Test
    void nmiPin_followsLint1() {
        node(0).write(0x360, 0x400);
        fabric.signalNmi();
        assertThat(node(0).takeRequests()).isEqualTo(Cpu.REQUEST_NMI);
        assertThat(node(1).takeRequests()).isZero();
    }

    @Test
    void saveAndRestore_carriesEverything() {
        Node from = node(1);
        from.write(0x80, 0x20);
        from.write(0xD0, 0x08 << 24);
        from.write(0x3E0, 0xB);
        from.write(0x320, 0x41);
        from.write(0x380, 5_000);
        fabric.signalMsi(0xFEE01000L, 0x91);
        fabric.signalMsi(0xFEE01000L, 0x8000 | 0xA1);
        from.apic.acknowledge();
        time.advance(2_000);
        byte[] page = from.apic.save();

        Node to = new Node(1);
        to.apic.restore(page, from.apic.base());
        assertThat(to.apic.save()).isEqualTo(page);
        assertThat(to.read(0x390)).isEqualTo(3_000);
        to.write(0xB0, 0);
        assertThat(bus.log).containsExactly("eoi a1");
        assertThat(to.apic.acknowledge()).isEqualTo(0x91);
        assertThatThrownBy(() -> node(2).apic.restore(page, from.apic.base()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void mmio_accessesOfOtherSizesAndPlaces_doNoHarm() {
        Node n = node(0);
        assertThat(n.apic.claims(BASE + 0x123)).isTrue();
        assertThat(n.apic.claims(BASE + 0x1000)).isFalse();
        assertThat(n.apic.read(BASE + 0x31, 1)).isEqualTo(n.read(0x30) >>> 8 & 0xFF);
        assertThat(n.apic.read(BASE + 0x24, 4)).isZero();
        for (int offset = 0; offset < 4096; offset += 4) {
            if (offset != 0xB0 && offset != 0x300) {
                n.apic.write(BASE + offset, 4, 0);
            }
            long unusedValue = n.apic.read(BASE + offset, 8);
        }
        assertThat(n.apic.read(BASE + 0x20, 8)).isZero();
    }
}
