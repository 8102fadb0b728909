package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.file.Path;

/**
 * A kernel that can be booted without firmware. Recognised once by {@link #probe}; {@link #load}
 * may be repeated, which is what a reset does. The file stays open until {@link #close}.
 */
public sealed interface KernelImage extends AutoCloseable
        permits BzImage, PvhKernel, MultibootKernel {
    /**
     * Recognises a kernel file.
     *
     * @throws BootException if it is none, saying what it is instead
     */
    static KernelImage probe(Path path) {
        FileSource source = FileSource.open("kernel", path);
        try {
            return KernelProbe.probe(path.toString(), source);
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    /**
     * Recognises a kernel.
     *
     * @param name for messages
     */
    static KernelImage probe(String name, ByteSource source) {
        return KernelProbe.probe(name, source);
    }

    /** One line for a person: format, version, entry. */
    String description();

    /**
     * Copies the kernel and its modules to guest memory.
     *
     * @param powerOn the bootstrap processor's state at power-on
     * @return its state at the kernel's entry
     * @throws BootException if something does not fit or is malformed
     */
    CpuState load(GuestMemory memory, BootParameters parameters, CpuState powerOn);

    /** Closes the kernel's file. */
    @Override
    void close();
}
