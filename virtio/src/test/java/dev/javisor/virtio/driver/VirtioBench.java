package dev.javisor.virtio.driver;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.TestMemory;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MachineBus;
import dev.javisor.machine.PciAddress;
import dev.javisor.machine.PciAllocator;
import dev.javisor.machine.PciBus;
import dev.javisor.machine.PlatformLayout;
import dev.javisor.virtio.IoLoop;
import dev.javisor.virtio.VirtioDevice;
import dev.javisor.virtio.VirtioEndpoint;
import dev.javisor.virtio.VirtioPciTransport;
import java.util.ArrayList;
import java.util.List;

/** A machine with one virtio device on its PCI bus, and a driver for it. */
public final class VirtioBench {
    public final GuestMemory memory;
    public final MachineBus bus = new MachineBus();
    public final RecordingInterruptLine line = new RecordingInterruptLine();

    /** Data of the MSI-X messages, oldest first. */
    public final List<Integer> messages = new ArrayList<>();

    public final ManualLoop loop;
    public final PciBus pci;
    public final VirtioEndpoint endpoint;
    public final VirtioPciTransport transport;
    public final PciAddress address;
    public final GuestDriver driver;

    public VirtioBench(VirtioDevice device) {
        this(device, new ManualLoop());
    }

    /** With memory that the device knows too. */
    public VirtioBench(VirtioDevice device, GuestMemory memory) {
        this(device, new ManualLoop(), memory);
    }

    /**
     * @param ioLoop in place of {@link #loop} if it is not a manual one
     */
    public VirtioBench(VirtioDevice device, IoLoop ioLoop) {
        this(device, ioLoop, TestMemory.of(4 << 20));
    }

    private VirtioBench(VirtioDevice device, IoLoop ioLoop, GuestMemory memory) {
        this.memory = memory;
        loop = ioLoop instanceof ManualLoop manual ? manual : new ManualLoop();
        List<InterruptLine> lines = new ArrayList<>();
        for (int i = 0; i < PciBus.PIRQS; i++) {
            lines.add(i == 1 ? line : InterruptLine.NONE);
        }
        pci = new PciBus(bus, lines);
        endpoint = new VirtioEndpoint(device, memory, ioLoop);
        transport = new VirtioPciTransport(endpoint, (a, d) -> messages.add(d), null);
        address = pci.attach(transport);
        pci.assignBars(new PciAllocator(PlatformLayout.PCI_MEMORY_32, PlatformLayout.PCI_PORTS));
        driver = new GuestDriver(memory, bus, address);
    }

    /** Turns MSI-X on: vector {@code n} sends {@code n}; vector 0 for the configuration. */
    public void useMsix() {
        int cap = driver.capabilities.getOrDefault(0x111, 0);
        long table = driver.readConfig(0x14, 4) & 0xFFFF_FFF0L;
        int vectors = (driver.readConfig(cap + 2, 2) & 0x7FF) + 1;
        for (int i = 0; i < vectors; i++) {
            bus.writeMemory(table + 16L * i, 4, 0xFEE0_0000L);
            bus.writeMemory(table + 16L * i + 8, 4, i);
            bus.writeMemory(table + 16L * i + 12, 4, 0);
        }
        driver.writeConfig(cap + 2, 2, 0x8000);
        driver.setCommon(0x10, 2, 0);
    }

    /** Gives a queue a vector of its own. */
    public void vector(int queue, int vector) {
        driver.setCommon(0x16, 2, queue);
        driver.setCommon(0x1A, 2, vector);
    }
}
