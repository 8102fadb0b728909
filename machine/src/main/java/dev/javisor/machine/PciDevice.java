package dev.javisor.machine;

/** A device that sits on a {@link PciBus}. */
public interface PciDevice {
    /** Its one function, the same object for its whole life. */
    PciFunction function();

    /** The machine resets: the device too. The bus resets {@link #function} itself. */
    void reset();
}
