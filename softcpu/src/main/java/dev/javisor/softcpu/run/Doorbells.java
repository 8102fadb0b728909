package dev.javisor.softcpu.run;

import dev.javisor.hypervisor.VirtualMachine.DoorbellAddress;
import dev.javisor.hypervisor.VirtualMachine.DoorbellHandler;
import dev.javisor.hypervisor.VirtualMachine.DoorbellRegistration;
import dev.javisor.hypervisor.VirtualMachine.Space;
import java.util.ArrayList;
import java.util.List;

/** The doorbells of one virtual machine. Rings on the writing vCPU's thread. */
final class Doorbells {
    private record Bell(DoorbellAddress address, DoorbellHandler handler) {
        boolean matches(long at, int sizeBytes, long value) {
            return address.address() == at
                    && (address.sizeBytes() == 0 || address.sizeBytes() == sizeBytes)
                    && (!address.matchData() || address.data() == value);
        }
    }

    /** Replaced as a whole, so that vCPUs read without a lock. */
    private volatile Bell[] ports = new Bell[0];

    private volatile Bell[] memory = new Bell[0];

    DoorbellRegistration bind(DoorbellAddress address, DoorbellHandler handler) {
        Bell bell = new Bell(address, handler);
        change(address.space(), bell, true);
        return () -> change(address.space(), bell, false);
    }

    private synchronized void change(Space space, Bell bell, boolean add) {
        List<Bell> bells = new ArrayList<>(List.of(space == Space.PIO ? ports : memory));
        if (add) {
            bells.add(bell);
        } else {
            bells.remove(bell);
        }
        Bell[] next = bells.toArray(Bell[]::new);
        if (space == Space.PIO) {
            ports = next;
        } else {
            memory = next;
        }
    }

    boolean ringPort(int port, int sizeBytes, long value) {
        return ring(ports, port, sizeBytes, value);
    }

    boolean ringMemory(long address, int sizeBytes, long value) {
        return ring(memory, address, sizeBytes, value);
    }

    private static boolean ring(Bell[] bells, long address, int sizeBytes, long value) {
        boolean rung = false;
        for (Bell bell : bells) {
            if (bell.matches(address, sizeBytes, value)) {
                bell.handler.ring();
                rung = true;
            }
        }
        return rung;
    }
}
