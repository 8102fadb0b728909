package dev.javisor.boot;

import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.PlatformLayout;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One load in progress: guest memory with the checks and messages that all formats share. */
final class LoadTarget {
    /** Archives and modules start here at the latest; Linux needs 4, Multiboot pages. */
    private static final long MODULE_ALIGNMENT = GuestMemory.PAGE_BYTES;

    private final String kernel;
    private final GuestMemory memory;
    private final MemoryMap map;

    /** A module in guest memory. */
    record Placed(long address, long sizeBytes, String commandLine) {}

    LoadTarget(String kernel, GuestMemory memory, MemoryMap map) {
        this.kernel = kernel;
        this.memory = memory;
        this.map = map;
        if (!map.isRam(0, BootLayout.END) || map.extendedMemoryEnd() == 0) {
            throw new BootException(
                    "kernel %s does not fit into %s of memory"
                            .formatted(kernel, size(memory.sizeBytes())));
        }
    }

    GuestMemory memory() {
        return memory;
    }

    /** Refuses a part of the kernel that is not in the RAM between 1 MiB and 4 GiB. */
    void requireKernelRange(String part, long address, long sizeBytes) {
        if (address < PlatformLayout.EXTENDED_MEMORY_START
                || address > map.extendedMemoryEnd()
                || sizeBytes < 0
                || sizeBytes > map.extendedMemoryEnd() - address) {
            throw new BootException(
                    "kernel %s does not fit: its %s of %s at %#x is not in the machine's %s of memory"
                            .formatted(
                                    kernel,
                                    part,
                                    size(sizeBytes),
                                    address,
                                    size(memory.sizeBytes())));
        }
    }

    /** Copies from a file to a range already checked. */
    void copy(String what, ByteSource source, long offset, long address, long sizeBytes) {
        if (sizeBytes == 0) {
            return;
        }
        MemorySegment into = memory.slice(address, sizeBytes).orElseThrow();
        try {
            source.read(offset, into);
        } catch (IOException e) {
            throw new BootException("%s cannot be read: %s".formatted(what, e.getMessage()), e);
        }
        memory.written(address, sizeBytes);
    }

    /** Zeroes a range already checked. */
    void zero(long address, long sizeBytes) {
        if (sizeBytes > 0) {
            memory.slice(address, sizeBytes).orElseThrow().fill((byte) 0);
            memory.written(address, sizeBytes);
        }
    }

    /** Writes a structure of the loader's own. */
    void write(long address, ByteBuffer structure) {
        memory.write(address, structure.array());
    }

    /**
     * Writes the kernel's command line.
     *
     * @param maxBytes what the kernel takes, without the terminating zero
     */
    void writeCommandLine(String commandLine, long maxBytes) {
        byte[] bytes = text("command line", commandLine);
        long limit = Math.min(maxBytes, BootLayout.COMMAND_LINE_BYTES - 1);
        if (bytes.length > limit) {
            throw new BootException(
                    "command line of %d bytes is too long: kernel %s takes %d"
                            .formatted(bytes.length, kernel, limit));
        }
        writeText(BootLayout.COMMAND_LINE, bytes);
    }

    /** Writes the modules' command lines; the addresses in the order of the modules. */
    List<Long> writeModuleCommandLines(List<BootModule> modules) {
        List<Long> addresses = new ArrayList<>();
        long at = BootLayout.MODULE_COMMAND_LINES;
        long end = at + BootLayout.MODULE_COMMAND_LINES_BYTES;
        for (BootModule module : modules) {
            byte[] bytes = text("module command line", module.commandLine());
            if (bytes.length + 1 > end - at) {
                throw new BootException("command lines of the modules are too long");
            }
            writeText(at, bytes);
            addresses.add(at);
            at += bytes.length + 1;
        }
        return addresses;
    }

    /** Bytes that the modules take, each aligned. */
    long modulesBytes(List<BootModule> modules) {
        long sum = 0;
        for (BootModule module : modules) {
            sum += align(module.content().sizeBytes());
        }
        return sum;
    }

    /**
     * Copies the modules one behind the other as high as possible.
     *
     * @param floor first address that the kernel does not use
     * @param ceiling end of what the kernel can reach
     */
    List<Placed> placeHigh(List<BootModule> modules, long floor, long ceiling) {
        long end = Math.min(ceiling, map.extendedMemoryEnd()) & -MODULE_ALIGNMENT;
        return place(modules, end - modulesBytes(modules), floor, end);
    }

    /** Copies the modules one behind the other, right behind the kernel. */
    List<Placed> placeLow(List<BootModule> modules, long floor) {
        return place(modules, align(floor), floor, map.extendedMemoryEnd());
    }

    private List<Placed> place(List<BootModule> modules, long start, long floor, long end) {
        List<Placed> placed = new ArrayList<>();
        if (modules.isEmpty()) {
            return placed;
        }
        long sizeBytes = modulesBytes(modules);
        if (start < floor || sizeBytes > end - start || !map.isRam(start, sizeBytes)) {
            throw new BootException(
                    "initrd of %s does not fit beside the kernel into %s of memory"
                            .formatted(size(sizeBytes), size(memory.sizeBytes())));
        }
        long at = start;
        for (BootModule module : modules) {
            long contentBytes = module.content().sizeBytes();
            copy("initrd", module.content(), 0, at, contentBytes);
            long padded = align(contentBytes);
            zero(at + contentBytes, padded - contentBytes);
            placed.add(new Placed(at, contentBytes, module.commandLine()));
            at += padded;
        }
        return placed;
    }

    private void writeText(long address, byte[] bytes) {
        memory.write(address, bytes);
        memory.writeByte(address + bytes.length, 0);
    }

    private static byte[] text(String what, String text) {
        if (text.indexOf('\0') >= 0) {
            throw new BootException(what + " holds a zero byte");
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static long align(long value) {
        return (value + MODULE_ALIGNMENT - 1) & -MODULE_ALIGNMENT;
    }

    /** Bytes for a person. */
    static String size(long bytes) {
        if (bytes >= 1 << 20) {
            return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20))
                    .replace(".0 ", " ");
        }
        return bytes >= 1 << 10 ? (bytes + 1023) / 1024 + " KiB" : bytes + " bytes";
    }
}
