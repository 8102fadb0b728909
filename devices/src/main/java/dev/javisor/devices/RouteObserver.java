package dev.javisor.devices;

import dev.javisor.hypervisor.VirtualMachine.MsiMessage;
import org.jspecify.annotations.Nullable;

/**
 * Learns which message an I/O APIC pin is routed to: {@code VirtualMachine::routeGsi}. Called under
 * the I/O APIC's lock.
 */
@FunctionalInterface
public interface RouteObserver {
    /**
     * @param message null when the pin is masked
     */
    void routed(int gsi, @Nullable MsiMessage message);
}
