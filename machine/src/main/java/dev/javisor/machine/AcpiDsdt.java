package dev.javisor.machine;

import static dev.javisor.machine.Aml.and;
import static dev.javisor.machine.Aml.arg;
import static dev.javisor.machine.Aml.createDwordField;
import static dev.javisor.machine.Aml.device;
import static dev.javisor.machine.Aml.eisaId;
import static dev.javisor.machine.Aml.equal;
import static dev.javisor.machine.Aml.integer;
import static dev.javisor.machine.Aml.list;
import static dev.javisor.machine.Aml.name;
import static dev.javisor.machine.Aml.notEqual;
import static dev.javisor.machine.Aml.or;
import static dev.javisor.machine.Aml.otherwise;
import static dev.javisor.machine.Aml.reference;
import static dev.javisor.machine.Aml.resources;
import static dev.javisor.machine.Aml.returns;
import static dev.javisor.machine.Aml.scope;
import static dev.javisor.machine.Aml.sequence;
import static dev.javisor.machine.Aml.serializedMethod;
import static dev.javisor.machine.Aml.string;
import static dev.javisor.machine.Aml.uuid;
import static dev.javisor.machine.Aml.when;
import static dev.javisor.machine.AmlResource.busWindow;
import static dev.javisor.machine.AmlResource.irq;
import static dev.javisor.machine.AmlResource.memory32;
import static dev.javisor.machine.AmlResource.memoryWindow32;
import static dev.javisor.machine.AmlResource.memoryWindow64;
import static dev.javisor.machine.AmlResource.portWindow;
import static dev.javisor.machine.AmlResource.ports;

import java.util.ArrayList;
import java.util.List;

/** The differentiated system description: the devices a guest cannot find by looking. */
final class AcpiDsdt {
    private static final AddressRange CONFIG_MECHANISM_1 = new AddressRange(0xCF8, 8);
    private static final AddressRange PORTS_BELOW = new AddressRange(0, 0xCF8);
    private static final AddressRange PORTS_ABOVE = new AddressRange(0xD00, 0xF300);

    /** PCI host bridge, {@code _OSC} (PCI Firmware 3.3 §4.5.1). */
    private static final String OSC_UUID = "33db4d5b-1ff7-401c-9657-7441c03dd766";

    private static final int OSC_QUERY_UNRECOGNIZED_UUID = 0x04;
    private static final int OSC_QUERY_UNRECOGNIZED_REVISION = 0x08;

    /** Native hot-plug, SHPC hot-plug, PME, AER, PCI Express capability control. */
    private static final int OSC_CONTROL_GRANTED = 0x1F;

    private AcpiDsdt() {}

    static AmlTerm definition(AcpiConfig config) {
        List<AmlTerm> board = new ArrayList<>();
        board.add(pciHostBridge(config));
        board.add(motherboard());
        board.add(
                device(
                        "APIC",
                        name("_HID", eisaId("PNP0003")),
                        name("_CRS", resources(memory32(PlatformLayout.IO_APIC)))));
        if (config.hpet()) {
            board.add(
                    device(
                            "HPET",
                            name("_HID", eisaId("PNP0103")),
                            name("_UID", 0),
                            name("_CRS", resources(memory32(PlatformLayout.HPET)))));
        }
        for (int cpu = 0; cpu < config.cpus(); cpu++) {
            board.add(
                    device(
                            "C%03X".formatted(cpu),
                            name("_HID", string("ACPI0007")),
                            name("_UID", cpu)));
        }
        int s5 = PlatformLayout.ACPI_SLEEP_TYPE_S5;
        return sequence(
                scope("\\_SB", board.toArray(AmlTerm[]::new)), name("\\_S5", list(s5, s5, 0, 0)));
    }

    private static AmlTerm pciHostBridge(AcpiConfig config) {
        List<AmlTerm> body = new ArrayList<>();
        body.add(name("_HID", eisaId("PNP0A08")));
        body.add(name("_CID", eisaId("PNP0A03")));
        body.add(name("_UID", 0));
        body.add(name("_SEG", 0));
        body.add(name("_BBN", 0));
        body.add(
                name(
                        "_CRS",
                        resources(
                                busWindow(0, PlatformLayout.LAST_PCI_BUS),
                                ports(CONFIG_MECHANISM_1),
                                portWindow(PORTS_BELOW),
                                portWindow(PORTS_ABOVE),
                                memoryWindow32(PlatformLayout.PCI_MEMORY_32),
                                memoryWindow64(PlatformLayout.pciMemory64(config.ramBytes())))));
        body.add(name("_PRT", interruptRouting()));
        body.add(operatingSystemCapabilities());
        body.add(isaBridge(config));
        return device("PCI0", body.toArray(AmlTerm[]::new));
    }

    /** Each pin of each device to its GSI; there are no link devices. */
    private static AmlTerm interruptRouting() {
        AmlTerm[] routes = new AmlTerm[32 * 4];
        for (int device = 0; device < 32; device++) {
            for (int pin = 0; pin < 4; pin++) {
                long address = (long) device << 16 | 0xFFFF;
                routes[device * 4 + pin] =
                        list(address, pin, 0, PlatformLayout.pciGsi(device, pin));
            }
        }
        return list(routes);
    }

    private static AmlTerm operatingSystemCapabilities() {
        AmlTerm status = reference("CDW1");
        AmlTerm control = reference("CDW3");
        return serializedMethod(
                "_OSC",
                4,
                createDwordField(arg(3), 0, "CDW1"),
                when(
                        equal(arg(0), uuid(OSC_UUID)),
                        createDwordField(arg(3), 8, "CDW3"),
                        and(control, integer(OSC_CONTROL_GRANTED), control),
                        when(
                                notEqual(arg(1), integer(1)),
                                or(status, integer(OSC_QUERY_UNRECOGNIZED_REVISION), status))),
                otherwise(or(status, integer(OSC_QUERY_UNRECOGNIZED_UUID), status)),
                returns(arg(3)));
    }

    private static AmlTerm isaBridge(AcpiConfig config) {
        List<AmlTerm> devices = new ArrayList<>();
        PciAddress at = PciIsaBridge.ADDRESS;
        devices.add(name("_ADR", (long) at.device() << 16 | at.function()));
        devices.add(
                isa(
                        "PIC",
                        "PNP0000",
                        ports(PlatformLayout.PIC_MASTER),
                        ports(PlatformLayout.PIC_SLAVE),
                        ports(PlatformLayout.PIC_ELCR),
                        irq(2)));
        devices.add(isa("PIT", "PNP0100", ports(PlatformLayout.PIT), irq(PlatformLayout.IRQ_PIT)));
        devices.add(isa("SPKR", "PNP0800", ports(PlatformLayout.SYSTEM_CONTROL_B)));
        devices.add(isa("RTC", "PNP0B00", ports(PlatformLayout.RTC), irq(PlatformLayout.IRQ_RTC)));
        devices.add(
                device(
                        "COM1",
                        name("_HID", eisaId("PNP0501")),
                        name("_UID", 1),
                        name(
                                "_CRS",
                                resources(
                                        ports(PlatformLayout.COM1),
                                        irq(PlatformLayout.IRQ_COM1)))));
        if (config.keyboardController()) {
            devices.add(
                    isa(
                            "KBD",
                            "PNP0303",
                            ports(PlatformLayout.I8042_DATA),
                            ports(PlatformLayout.I8042_COMMAND),
                            irq(PlatformLayout.IRQ_KEYBOARD)));
        }
        return device("ISA", devices.toArray(AmlTerm[]::new));
    }

    private static AmlTerm isa(String name, String id, AmlResource... resources) {
        return device(name, name("_HID", eisaId(id)), name("_CRS", resources(resources)));
    }

    /**
     * What is taken on the board: the guest trusts the MCFG only if ECAM is listed here. The power
     * management ports are the LPC bridge's (PMBASE) and not for two to claim.
     */
    private static AmlTerm motherboard() {
        return device(
                "MBRD",
                name("_HID", eisaId("PNP0C02")),
                name("_UID", 0),
                name(
                        "_CRS",
                        resources(
                                memory32(PlatformLayout.ECAM),
                                memory32(PlatformLayout.LOCAL_APIC),
                                ports(PlatformLayout.SYSTEM_CONTROL_A))));
    }
}
