package dev.javisor.boot;

import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.machine.PlatformLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A Linux bzImage, protocol 2.06 and later (Documentation/arch/x86/boot.rst). The real-mode part is
 * not run: the setup header is copied into a {@code boot_params} page, and the kernel is entered at
 * its 64-bit entry point where it has one, else at the 32-bit one.
 *
 * @param setupBytes size of the real-mode part in the file
 * @param version protocol version, major in the high byte
 * @param header the setup header, from file offset 0x1F1 on, as found in the file
 */
record BzImage(
        String name,
        ByteSource source,
        int setupBytes,
        int version,
        byte[] header,
        String kernelVersion)
        implements KernelImage {
    private static final int BOOT_SIGNATURE = 0xAA55;

    /** "HdrS". */
    private static final int HEADER_MAGIC = 0x5372_6448;

    private static final int MIN_VERSION = 0x0206;
    private static final int SECTOR_BYTES = 512;

    /** {@code struct setup_header} and {@code boot_params}, byte offsets of the file and page. */
    private static final int SETUP_SECTS = 0x1F1;

    private static final int SYSSIZE = 0x1F4;
    private static final int BOOT_FLAG = 0x1FE;
    private static final int JUMP_OFFSET = 0x201;
    private static final int HEADER = 0x202;
    private static final int VERSION = 0x206;
    private static final int KERNEL_VERSION = 0x20E;
    private static final int TYPE_OF_LOADER = 0x210;
    private static final int LOADFLAGS = 0x211;
    private static final int CODE32_START = 0x214;
    private static final int RAMDISK_IMAGE = 0x218;
    private static final int RAMDISK_SIZE = 0x21C;
    private static final int CMD_LINE_PTR = 0x228;
    private static final int INITRD_ADDR_MAX = 0x22C;
    private static final int RELOCATABLE_KERNEL = 0x234;
    private static final int XLOADFLAGS = 0x236;
    private static final int CMDLINE_SIZE = 0x238;
    private static final int SETUP_DATA = 0x250;
    private static final int PREF_ADDRESS = 0x258;
    private static final int INIT_SIZE = 0x260;

    /** {@code edd_mbr_sig_buffer} of boot_params follows; no header can be longer. */
    private static final int HEADER_LIMIT = 0x290;

    private static final int PARAMS_RSDP = 0x070;
    private static final int PARAMS_E820_ENTRIES = 0x1E8;
    private static final int PARAMS_E820_TABLE = 0x2D0;
    private static final int E820_ENTRY_BYTES = 20;
    private static final int E820_MAX_ENTRIES = 128;

    private static final int LOADED_HIGH = 1;
    private static final int XLF_KERNEL_64 = 1;
    private static final int ENTRY_64_OFFSET = 0x200;

    /** A loader without an assigned number. */
    private static final int LOADER_UNDEFINED = 0xFF;

    private static final int SETUP_RNG_SEED = 9;
    private static final int SETUP_DATA_HEADER_BYTES = 16;

    static boolean matches(ByteBuffer head) {
        return head.limit() >= VERSION
                && head.getInt(HEADER) == HEADER_MAGIC
                && (head.getShort(BOOT_FLAG) & 0xFFFF) == BOOT_SIGNATURE;
    }

    /**
     * @param head the file's first bytes, {@link #matches} them
     */
    static BzImage from(String name, ByteSource source, ByteBuffer head) throws IOException {
        int headerEnd = Math.min(HEADER + (head.get(JUMP_OFFSET) & 0xFF), HEADER_LIMIT);
        if (head.limit() < HEADER_LIMIT) {
            throw truncated(name, source.sizeBytes(), HEADER_LIMIT);
        }
        int version = head.getShort(VERSION) & 0xFFFF;
        if (version < MIN_VERSION) {
            throw new BootException(
                    "kernel %s speaks boot protocol %d.%02d; 2.06 (Linux 2.6.22) or later is needed"
                            .formatted(name, version >> 8, version & 0xFF));
        }
        if ((head.get(LOADFLAGS) & LOADED_HIGH) == 0) {
            throw new BootException("kernel %s is a zImage; a bzImage is needed".formatted(name));
        }
        int sectors = head.get(SETUP_SECTS) & 0xFF;
        int setupBytes = ((sectors == 0 ? 4 : sectors) + 1) * SECTOR_BYTES;
        long promised = setupBytes + (head.getInt(SYSSIZE) & 0xFFFF_FFFFL) * 16;
        // syssize counts paragraphs, so the last one may be cut short.
        if (source.sizeBytes() <= setupBytes || source.sizeBytes() + 15 < promised) {
            throw truncated(name, source.sizeBytes(), promised);
        }
        byte[] header = new byte[headerEnd - SETUP_SECTS];
        head.get(SETUP_SECTS, header);
        return new BzImage(
                name, source, setupBytes, version, header, kernelVersion(source, head, setupBytes));
    }

    private static BootException truncated(String name, long sizeBytes, long promised) {
        return new BootException(
                "kernel %s is a truncated bzImage: %d bytes of %d"
                        .formatted(name, sizeBytes, promised));
    }

    /** The version text of the real-mode part, or "" if its pointer leads nowhere. */
    private static String kernelVersion(ByteSource source, ByteBuffer head, int setupBytes)
            throws IOException {
        int pointer = head.getShort(KERNEL_VERSION) & 0xFFFF;
        if (pointer == 0 || pointer + SECTOR_BYTES >= setupBytes) {
            return "";
        }
        int at = pointer + SECTOR_BYTES;
        ByteBuffer text = source.peek(at, Math.min(128, setupBytes - at));
        StringBuilder version = new StringBuilder();
        while (text.hasRemaining()) {
            int c = text.get();
            if (c <= ' ' || c > '~') {
                break;
            }
            version.append((char) c);
        }
        return version.toString();
    }

    @Override
    public String description() {
        return "Linux%s bzImage, boot protocol %d.%02d, %s entry"
                .formatted(
                        kernelVersion.isEmpty() ? "" : " " + kernelVersion,
                        version >> 8,
                        version & 0xFF,
                        has64BitEntry() ? "64-bit" : "32-bit");
    }

    private boolean has64BitEntry() {
        return version >= 0x020C && (shortAt(XLOADFLAGS) & XLF_KERNEL_64) != 0;
    }

    @Override
    public CpuState load(GuestMemory memory, BootParameters parameters, CpuState powerOn) {
        LoadTarget target = new LoadTarget(name, memory, parameters.memoryMap());
        long kernelBytes = source.sizeBytes() - setupBytes;
        long address = loadAddress();
        // init_size (2.10) counts all memory used until the kernel has read its memory map.
        long needed = version >= 0x020A ? Math.max(kernelBytes, longOfInt(INIT_SIZE)) : kernelBytes;
        target.requireKernelRange("image", address, needed);
        target.copy("kernel " + name, source, setupBytes, address, kernelBytes);
        target.writeCommandLine(parameters.commandLine(), longOfInt(CMDLINE_SIZE));
        List<LoadTarget.Placed> modules =
                target.placeHigh(
                        parameters.modules(), address + needed, longOfInt(INITRD_ADDR_MAX) + 1);
        writeZeroPage(target, parameters, address, modules);

        long[] gpr = new long[16];
        gpr[BootCpu.RSI] = BootLayout.ZERO_PAGE;
        gpr[BootCpu.RSP] = BootLayout.STACK_TOP;
        return has64BitEntry()
                ? BootCpu.long64(memory, powerOn, address + ENTRY_64_OFFSET, gpr)
                : BootCpu.protected32(memory, powerOn, address, gpr);
    }

    /** Where the protected-mode part goes: the preferred address, where there is one. */
    private long loadAddress() {
        if (version >= 0x020A && byteAt(RELOCATABLE_KERNEL) != 0) {
            return longAt(PREF_ADDRESS);
        }
        return PlatformLayout.EXTENDED_MEMORY_START;
    }

    private void writeZeroPage(
            LoadTarget target,
            BootParameters parameters,
            long address,
            List<LoadTarget.Placed> modules) {
        ByteBuffer page =
                ByteBuffer.allocate(GuestMemory.PAGE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        page.put(SETUP_SECTS, header);
        page.put(TYPE_OF_LOADER, (byte) LOADER_UNDEFINED);
        page.putInt(CODE32_START, (int) address);
        page.putInt(CMD_LINE_PTR, (int) BootLayout.COMMAND_LINE);
        if (!modules.isEmpty()) {
            LoadTarget.Placed last = modules.getLast();
            long start = modules.getFirst().address();
            page.putInt(RAMDISK_IMAGE, (int) start);
            page.putInt(RAMDISK_SIZE, (int) (last.address() + last.sizeBytes() - start));
        } else {
            page.putInt(RAMDISK_IMAGE, 0);
            page.putInt(RAMDISK_SIZE, 0);
        }
        if (version >= 0x0209) {
            page.putLong(SETUP_DATA, writeSetupData(target, parameters.rngSeed()));
        }
        // Valid from 2.14 on; an older kernel has padding here.
        page.putLong(PARAMS_RSDP, parameters.rsdpAddress());

        List<MemoryMap.Entry> map = parameters.memoryMap().entries();
        int entries = Math.min(map.size(), E820_MAX_ENTRIES);
        page.put(PARAMS_E820_ENTRIES, (byte) entries);
        for (int i = 0; i < entries; i++) {
            MemoryMap.Entry entry = map.get(i);
            int at = PARAMS_E820_TABLE + i * E820_ENTRY_BYTES;
            page.putLong(at, entry.start());
            page.putLong(at + 8, entry.sizeBytes());
            page.putInt(at + 16, entry.type().code());
        }
        target.write(BootLayout.ZERO_PAGE, page);
    }

    /** The address of the {@code setup_data} list, or 0 if it is empty. */
    private static long writeSetupData(LoadTarget target, byte[] rngSeed) {
        if (rngSeed.length == 0) {
            return 0;
        }
        ByteBuffer data =
                ByteBuffer.allocate(SETUP_DATA_HEADER_BYTES + rngSeed.length)
                        .order(ByteOrder.LITTLE_ENDIAN);
        data.putLong(0); // next: none
        data.putInt(SETUP_RNG_SEED);
        data.putInt(rngSeed.length);
        data.put(rngSeed);
        target.write(BootLayout.SETUP_DATA, data);
        return BootLayout.SETUP_DATA;
    }

    @Override
    public void close() {
        source.close();
    }

    // Fields of the header by their offset in the file; beyond its end they are 0.

    private int byteAt(int offset) {
        int at = offset - SETUP_SECTS;
        return at < header.length ? header[at] & 0xFF : 0;
    }

    private int shortAt(int offset) {
        return byteAt(offset) | byteAt(offset + 1) << 8;
    }

    private long longOfInt(int offset) {
        return (shortAt(offset) | (long) shortAt(offset + 2) << 16) & 0xFFFF_FFFFL;
    }

    private long longAt(int offset) {
        return longOfInt(offset) | longOfInt(offset + 4) << 32;
    }
}
