package dev.javisor.devices;

/**
 * Where message-signalled interrupts go: {@code VirtualMachine::signalMsi}. Must not block, may be
 * called under a device's lock.
 */
@FunctionalInterface
public interface MessageSink {
    void signal(long address, int data);
}
