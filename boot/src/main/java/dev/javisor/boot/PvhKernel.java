package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * An ELF kernel with a PVH entry point (Xen's docs/misc/pvh.pandoc,
 * public/arch-x86/hvm/start_info.h version 1): entered in 32-bit protected mode with the start
 * info's address in EBX.
 *
 * @param entry physical address of the entry point
 */
record PvhKernel(String name, ElfFile elf, long entry) implements KernelImage {
    private static final int START_INFO_MAGIC = 0x336E_C578;
    private static final int START_INFO_BYTES = 56;
    private static final int MODULE_BYTES = 32;
    private static final int MEMORY_MAP_ENTRY_BYTES = 24;

    /** What is left of the page for the two lists. */
    private static final int MAX_MODULES = 32;

    private static final int MAX_MEMORY_MAP_ENTRIES = 96;

    @Override
    public String description() {
        return "ELF%d kernel, PVH entry %#x".formatted(elf.is64() ? 64 : 32, entry);
    }

    @Override
    public CpuState load(GuestMemory memory, BootParameters parameters, CpuState powerOn) {
        LoadTarget target = new LoadTarget(name, memory, parameters.memoryMap());
        if (parameters.modules().size() > MAX_MODULES) {
            throw new BootException("more than %d modules".formatted(MAX_MODULES));
        }
        long end = elf.load(target);
        target.requireKernelRange("entry point", entry, 1);
        target.writeCommandLine(parameters.commandLine(), Long.MAX_VALUE);
        List<Long> moduleTexts = target.writeModuleCommandLines(parameters.modules());
        // The entry is 32-bit code: everything it is told about lies below 4 GiB.
        List<LoadTarget.Placed> modules = target.placeHigh(parameters.modules(), end, 1L << 32);

        List<MemoryMap.Entry> map = parameters.memoryMap().entries();
        int mapEntries = Math.min(map.size(), MAX_MEMORY_MAP_ENTRIES);
        int moduleList = START_INFO_BYTES;
        int mapList = moduleList + modules.size() * MODULE_BYTES;
        ByteBuffer info =
                ByteBuffer.allocate(mapList + mapEntries * MEMORY_MAP_ENTRY_BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN);
        info.putInt(START_INFO_MAGIC);
        info.putInt(1); // version
        info.putInt(0); // flags: neither privileged nor initial domain
        info.putInt(modules.size());
        info.putLong(modules.isEmpty() ? 0 : BootLayout.START_INFO + moduleList);
        info.putLong(BootLayout.COMMAND_LINE);
        info.putLong(parameters.rsdpAddress());
        info.putLong(BootLayout.START_INFO + mapList);
        info.putInt(mapEntries);
        info.putInt(0);
        for (int i = 0; i < modules.size(); i++) {
            LoadTarget.Placed module = modules.get(i);
            info.putLong(module.address());
            info.putLong(module.sizeBytes());
            info.putLong(moduleTexts.get(i));
            info.putLong(0);
        }
        for (int i = 0; i < mapEntries; i++) {
            MemoryMap.Entry range = map.get(i);
            info.putLong(range.start());
            info.putLong(range.sizeBytes());
            info.putInt(range.type().code());
            info.putInt(0);
        }
        target.write(BootLayout.START_INFO, info);

        long[] gpr = new long[16];
        gpr[BootCpu.RBX] = BootLayout.START_INFO;
        gpr[BootCpu.RSP] = BootLayout.STACK_TOP;
        return BootCpu.protected32(memory, powerOn, entry, gpr);
    }

    @Override
    public void close() {
        elf.source().close();
    }
}
