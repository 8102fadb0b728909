package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.PlatformLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * A Multiboot 1 kernel (Multiboot Specification 0.6.96): an ELF image, or a flat one whose header
 * gives its addresses. Entered in 32-bit protected mode with the magic in EAX and the information's
 * address in EBX.
 *
 * @param elf the image, empty if the header's own addresses count
 */
record MultibootKernel(
        String name, ByteSource source, MultibootHeader header, Optional<ElfFile> elf)
        implements KernelImage {
    /** The header lies within the first 8192 bytes (§3.1). */
    static final int SEARCH_BYTES = 8192;

    private static final long LOADER_MAGIC = 0x2BAD_B002L;

    /** Bits 0 to 15 are demands: page-aligned modules and memory information we always give. */
    private static final int DEMANDS = 0xFFFF;

    private static final int DEMANDS_MET = 0b11;
    private static final int DEMAND_VIDEO = 1 << 2;

    // Information structure, byte offsets (§3.3).
    private static final int INFO_FLAGS = 0;
    private static final int INFO_MEM_LOWER = 4;
    private static final int INFO_MEM_UPPER = 8;
    private static final int INFO_CMDLINE = 16;
    private static final int INFO_MODS_COUNT = 20;
    private static final int INFO_MODS_ADDR = 24;
    private static final int INFO_MMAP_LENGTH = 44;
    private static final int INFO_MMAP_ADDR = 48;
    private static final int INFO_LOADER_NAME = 64;
    private static final int INFO_BYTES = 120;

    /** Memory, command line, modules, memory map, loader name. */
    private static final int INFO_FLAGS_SET = 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9;

    private static final int MODULE_BYTES = 16;
    private static final int MAP_ENTRY_BYTES = 24;
    private static final int MAX_MODULES = 64;
    private static final int MAX_MAP_ENTRIES = 96;

    static MultibootKernel elf(
            String name, ByteSource source, ElfFile elf, MultibootHeader header) {
        checkDemands(name, header);
        return new MultibootKernel(
                name,
                source,
                header,
                header.addresses().isPresent() ? Optional.empty() : Optional.of(elf));
    }

    static MultibootKernel flat(String name, ByteSource source, MultibootHeader header) {
        checkDemands(name, header);
        if (header.addresses().isEmpty()) {
            throw new BootException(
                    "kernel %s has a Multiboot header but is neither ELF nor tells its addresses"
                            .formatted(name));
        }
        return new MultibootKernel(name, source, header, Optional.empty());
    }

    private static void checkDemands(String name, MultibootHeader header) {
        int unmet = header.flags() & DEMANDS & ~DEMANDS_MET;
        if ((unmet & DEMAND_VIDEO) != 0) {
            throw new BootException(
                    "kernel %s demands a graphics mode, which this machine does not have"
                            .formatted(name));
        }
        if (unmet != 0) {
            throw new BootException(
                    "kernel %s demands Multiboot features %#x, which do not exist"
                            .formatted(name, unmet));
        }
    }

    @Override
    public String description() {
        return elf.isPresent() ? "Multiboot 1 ELF kernel" : "Multiboot 1 flat kernel";
    }

    @Override
    public CpuState load(GuestMemory memory, BootParameters parameters, CpuState powerOn) {
        LoadTarget target = new LoadTarget(name, memory, parameters.memoryMap());
        if (parameters.modules().size() > MAX_MODULES) {
            throw new BootException("more than %d modules".formatted(MAX_MODULES));
        }
        long end;
        long entry;
        if (elf.isPresent()) {
            end = elf.get().load(target);
            entry = elf.get().physicalEntry();
        } else {
            MultibootHeader.Addresses addresses = header.addresses().orElseThrow();
            end = loadFlat(target, addresses);
            entry = addresses.entry();
        }
        target.requireKernelRange("entry point", entry, 1);
        target.writeCommandLine(parameters.commandLine(), Long.MAX_VALUE);
        List<Long> moduleTexts = target.writeModuleCommandLines(parameters.modules());
        List<LoadTarget.Placed> modules = target.placeLow(parameters.modules(), end);
        target.write(BootLayout.START_INFO, information(parameters, modules, moduleTexts));

        long[] gpr = new long[16];
        gpr[BootCpu.RAX] = LOADER_MAGIC;
        gpr[BootCpu.RBX] = BootLayout.START_INFO;
        gpr[BootCpu.RSP] = BootLayout.STACK_TOP;
        return BootCpu.protected32(memory, powerOn, entry, gpr);
    }

    /** Loads as the header's addresses say (§3.1.3). */
    private long loadFlat(LoadTarget target, MultibootHeader.Addresses addresses) {
        long offset = header.offset() - (addresses.header() - addresses.load());
        if (addresses.load() > addresses.header() || offset < 0) {
            throw malformed("load address");
        }
        long fileBytes =
                addresses.loadEnd() == 0
                        ? source.sizeBytes() - offset
                        : addresses.loadEnd() - addresses.load();
        if (fileBytes < 0 || fileBytes > source.sizeBytes() - offset) {
            throw malformed("load end (truncated?)");
        }
        long loadEnd = addresses.load() + fileBytes;
        long bssBytes = addresses.bssEnd() == 0 ? 0 : addresses.bssEnd() - loadEnd;
        if (bssBytes < 0) {
            throw malformed("bss end");
        }
        target.requireKernelRange("image", addresses.load(), fileBytes + bssBytes);
        target.copy("kernel " + name, source, offset, addresses.load(), fileBytes);
        target.zero(loadEnd, bssBytes);
        return loadEnd + bssBytes;
    }

    private BootException malformed(String field) {
        return new BootException(
                "kernel %s has a malformed Multiboot header: bad %s".formatted(name, field));
    }

    private static ByteBuffer information(
            BootParameters parameters, List<LoadTarget.Placed> modules, List<Long> moduleTexts) {
        List<MemoryMap.Entry> map = parameters.memoryMap().entries();
        int mapEntries = Math.min(map.size(), MAX_MAP_ENTRIES);
        byte[] loaderName = "Javisor\0".getBytes(StandardCharsets.US_ASCII);
        int moduleList = INFO_BYTES;
        int mapList = moduleList + modules.size() * MODULE_BYTES;
        int nameAt = mapList + mapEntries * MAP_ENTRY_BYTES;
        int base = (int) BootLayout.START_INFO;
        ByteBuffer info =
                ByteBuffer.allocate(nameAt + loaderName.length).order(ByteOrder.LITTLE_ENDIAN);
        info.putInt(INFO_FLAGS, INFO_FLAGS_SET);
        info.putInt(INFO_MEM_LOWER, (int) (PlatformLayout.CONVENTIONAL_MEMORY_END >> 10));
        long upper =
                parameters.memoryMap().extendedMemoryEnd() - PlatformLayout.EXTENDED_MEMORY_START;
        info.putInt(INFO_MEM_UPPER, (int) (upper >> 10));
        info.putInt(INFO_CMDLINE, (int) BootLayout.COMMAND_LINE);
        info.putInt(INFO_MODS_COUNT, modules.size());
        info.putInt(INFO_MODS_ADDR, base + moduleList);
        info.putInt(INFO_MMAP_LENGTH, mapEntries * MAP_ENTRY_BYTES);
        info.putInt(INFO_MMAP_ADDR, base + mapList);
        info.putInt(INFO_LOADER_NAME, base + nameAt);
        for (int i = 0; i < modules.size(); i++) {
            int at = moduleList + i * MODULE_BYTES;
            LoadTarget.Placed module = modules.get(i);
            info.putInt(at, (int) module.address());
            info.putInt(at + 4, (int) (module.address() + module.sizeBytes()));
            info.putInt(at + 8, (int) (long) moduleTexts.get(i));
        }
        for (int i = 0; i < mapEntries; i++) {
            int at = mapList + i * MAP_ENTRY_BYTES;
            MemoryMap.Entry range = map.get(i);
            info.putInt(at, MAP_ENTRY_BYTES - 4); // size, not counting itself
            info.putLong(at + 4, range.start());
            info.putLong(at + 12, range.sizeBytes());
            info.putInt(at + 20, range.type().code());
        }
        info.put(nameAt, loaderName);
        return info;
    }

    @Override
    public void close() {
        source.close();
    }
}
