package dev.javisor.kvm;

import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * KVM's table of what each I/O APIC pin sends. The local APICs in the kernel look up here which
 * vectors are level-triggered, and report the end of those (KVM_EXIT_IOAPIC_EOI). A masked pin
 * keeps its last route, as an interrupt that it sent before may still be in service.
 */
final class GsiRoutes {
    /** Pins whose end of interrupt leaves the kernel; as many as the machine's I/O APIC has. */
    static final int PINS = 24;

    // struct kvm_irq_routing and its entries
    private static final int HEADER_BYTES = 8;
    private static final int ENTRY_BYTES = 48;
    private static final int TYPE_MSI = 2;
    private static final int LEVEL_TRIGGERED = 1 << 15;

    private final KvmCalls vm;
    private final @Nullable MsiMessage[] routes = new MsiMessage[PINS];

    GsiRoutes(KvmCalls vm) {
        this.vm = vm;
    }

    synchronized void route(int gsi, @Nullable MsiMessage message) {
        if (gsi < 0 || gsi >= PINS || message == null || message.equals(routes[gsi])) {
            return;
        }
        MsiMessage old = routes[gsi];
        routes[gsi] = message;
        boolean wasLevel = old != null && (old.data() & LEVEL_TRIGGERED) != 0;
        // An edge-triggered pin is delivered by message and reports no end: KVM need not know.
        if (wasLevel || (message.data() & LEVEL_TRIGGERED) != 0) {
            send();
        }
    }

    private void send() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate(HEADER_BYTES + ENTRY_BYTES * (long) PINS, 8);
            int count = 0;
            for (int gsi = 0; gsi < PINS; gsi++) {
                MsiMessage message = routes[gsi];
                if (message != null) {
                    long at = HEADER_BYTES + ENTRY_BYTES * (long) count++;
                    table.set(ValueLayout.JAVA_INT, at, gsi);
                    table.set(ValueLayout.JAVA_INT, at + 4, TYPE_MSI);
                    table.set(ValueLayout.JAVA_INT, at + 16, (int) message.address());
                    table.set(ValueLayout.JAVA_INT, at + 20, (int) (message.address() >>> 32));
                    table.set(ValueLayout.JAVA_INT, at + 24, message.data());
                }
            }
            table.set(ValueLayout.JAVA_INT, 0, count);
            vm.call("route interrupts", KvmAbi.SET_GSI_ROUTING, table);
        }
    }
}
