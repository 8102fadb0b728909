package dev.javisor.boot;

import dev.javisor.machine.PlatformLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An executable ELF file for x86 (System V gABI, chapters 4 and 5), as far as a loader needs it.
 *
 * @param entry virtual address of the entry point
 * @param segments program headers of type PT_LOAD and PT_NOTE
 */
record ElfFile(String name, ByteSource source, boolean is64, long entry, List<Segment> segments) {
    private static final int MAGIC = 0x464C_457F;
    private static final int CLASS_32 = 1;
    private static final int CLASS_64 = 2;
    private static final int LITTLE_ENDIAN = 1;
    private static final int ET_EXEC = 2;
    private static final int ET_DYN = 3;
    private static final int EM_386 = 3;
    private static final int EM_X86_64 = 62;
    private static final int PT_LOAD = 1;
    private static final int PT_NOTE = 4;

    private static final int HEADER_32_BYTES = 0x34;
    private static final int HEADER_64_BYTES = 0x40;
    private static final int PROGRAM_HEADER_32_BYTES = 0x20;
    private static final int PROGRAM_HEADER_64_BYTES = 0x38;

    /** Far more than any kernel has; bounds the work. */
    private static final int MAX_PROGRAM_HEADERS = 1024;

    private static final int MAX_NOTES_BYTES = 1 << 20;

    /** XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h). */
    private static final int PHYS32_ENTRY = 18;

    /**
     * A program header. {@code offset + fileBytes} lies within the file, {@code fileBytes <=
     * memoryBytes} for loadable ones, no sum overflows.
     */
    record Segment(
            boolean loadable,
            long offset,
            long virtualAddress,
            long physicalAddress,
            long fileBytes,
            long memoryBytes) {}

    static boolean matches(ByteBuffer head) {
        return head.limit() >= 4 && head.getInt(0) == MAGIC;
    }

    /**
     * @param head the file's first bytes, {@link #matches} them
     */
    static ElfFile from(String name, ByteSource source, ByteBuffer head) throws IOException {
        if (head.limit() < HEADER_32_BYTES) {
            throw malformed(name, "its header is cut short");
        }
        int fileClass = head.get(4);
        if ((fileClass != CLASS_32 && fileClass != CLASS_64) || head.get(5) != LITTLE_ENDIAN) {
            throw new BootException(
                    "kernel %s is an ELF file of another machine, not x86".formatted(name));
        }
        boolean is64 = fileClass == CLASS_64;
        if (is64 && head.limit() < HEADER_64_BYTES) {
            throw malformed(name, "its header is cut short");
        }
        int machine = head.getShort(0x12) & 0xFFFF;
        if (machine != EM_386 && machine != EM_X86_64) {
            throw new BootException(
                    "kernel %s is an ELF file for %s, not x86".formatted(name, machine(machine)));
        }
        int type = head.getShort(0x10) & 0xFFFF;
        if (type != ET_EXEC && type != ET_DYN) {
            throw new BootException(
                    "kernel %s is an ELF %s, not an executable"
                            .formatted(
                                    name,
                                    switch (type) {
                                        case 1 -> "object file";
                                        case 4 -> "core dump";
                                        default -> "file of type " + type;
                                    }));
        }
        long entry = is64 ? head.getLong(0x18) : head.getInt(0x18) & 0xFFFF_FFFFL;
        long tableOffset = is64 ? head.getLong(0x20) : head.getInt(0x1C) & 0xFFFF_FFFFL;
        int entryBytes = head.getShort(is64 ? 0x36 : 0x2A) & 0xFFFF;
        int count = head.getShort(is64 ? 0x38 : 0x2C) & 0xFFFF;
        if (entryBytes != (is64 ? PROGRAM_HEADER_64_BYTES : PROGRAM_HEADER_32_BYTES)
                || count == 0
                || count > MAX_PROGRAM_HEADERS) {
            throw malformed(name, "it has no usable program headers");
        }
        int tableBytes = count * entryBytes;
        if (tableOffset < 0 || tableOffset > source.sizeBytes() - tableBytes) {
            throw malformed(name, "its program headers are beyond its end (truncated?)");
        }
        ByteBuffer table = source.peek(tableOffset, tableBytes);
        List<Segment> segments = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int at = i * entryBytes;
            int segmentType = table.getInt(at);
            if (segmentType == PT_LOAD || segmentType == PT_NOTE) {
                segments.add(
                        checked(
                                name,
                                source,
                                is64
                                        ? segment64(table, at, segmentType == PT_LOAD)
                                        : segment32(table, at, segmentType == PT_LOAD)));
            }
        }
        return new ElfFile(name, source, is64, entry, List.copyOf(segments));
    }

    private static Segment segment64(ByteBuffer table, int at, boolean loadable) {
        return new Segment(
                loadable,
                table.getLong(at + 0x08),
                table.getLong(at + 0x10),
                table.getLong(at + 0x18),
                table.getLong(at + 0x20),
                table.getLong(at + 0x28));
    }

    private static Segment segment32(ByteBuffer table, int at, boolean loadable) {
        return new Segment(
                loadable,
                table.getInt(at + 0x04) & 0xFFFF_FFFFL,
                table.getInt(at + 0x08) & 0xFFFF_FFFFL,
                table.getInt(at + 0x0C) & 0xFFFF_FFFFL,
                table.getInt(at + 0x10) & 0xFFFF_FFFFL,
                table.getInt(at + 0x14) & 0xFFFF_FFFFL);
    }

    private static Segment checked(String name, ByteSource source, Segment segment) {
        if (segment.offset() < 0
                || segment.fileBytes() < 0
                || segment.offset() > source.sizeBytes()
                || segment.fileBytes() > source.sizeBytes() - segment.offset()) {
            throw malformed(name, "a segment is beyond its end (truncated?)");
        }
        if (segment.loadable()
                && (segment.memoryBytes() < segment.fileBytes()
                        || segment.physicalAddress() < 0
                        || segment.physicalAddress() + segment.memoryBytes() < 0)) {
            throw malformed(name, "a segment's sizes contradict each other");
        }
        return segment;
    }

    private static BootException malformed(String name, String why) {
        return new BootException("kernel %s is a malformed ELF file: %s".formatted(name, why));
    }

    private static String machine(int code) {
        return switch (code) {
            case 2 -> "SPARC";
            case 8 -> "MIPS";
            case 20 -> "PowerPC";
            case 21 -> "64-bit PowerPC";
            case 22 -> "S/390";
            case 40 -> "32-bit ARM";
            case 183 -> "AArch64";
            case 243 -> "RISC-V";
            case 258 -> "LoongArch";
            default -> "machine " + code;
        };
    }

    /** The physical address of the PVH entry point, if a note names one. */
    Optional<Long> pvhEntry() throws IOException {
        for (Segment segment : segments) {
            if (!segment.loadable() && segment.fileBytes() <= MAX_NOTES_BYTES) {
                Optional<Long> entry =
                        pvhEntry(source.peek(segment.offset(), (int) segment.fileBytes()));
                if (entry.isPresent()) {
                    return entry;
                }
            }
        }
        return Optional.empty();
    }

    /** Walks notes: name size, descriptor size, type, then both padded to 4 bytes (gABI ch. 5). */
    private static Optional<Long> pvhEntry(ByteBuffer notes) {
        int at = 0;
        while (notes.limit() - at >= 12) {
            long nameBytes = notes.getInt(at) & 0xFFFF_FFFFL;
            long descriptorBytes = notes.getInt(at + 4) & 0xFFFF_FFFFL;
            int type = notes.getInt(at + 8);
            long descriptor = at + 12 + ((nameBytes + 3) & ~3L);
            long next = descriptor + ((descriptorBytes + 3) & ~3L);
            if (descriptor + descriptorBytes > notes.limit()) {
                return Optional.empty();
            }
            if (type == PHYS32_ENTRY
                    && nameBytes == 4
                    && notes.getInt(at + 12) == 0x006E_6558 // "Xen\0"
                    && (descriptorBytes == 4 || descriptorBytes == 8)) {
                int low = notes.getInt((int) descriptor);
                int high = descriptorBytes == 8 ? notes.getInt((int) descriptor + 4) : 0;
                return Optional.of((low & 0xFFFF_FFFFL) | (long) high << 32);
            }
            if (next > notes.limit()) {
                return Optional.empty();
            }
            at = (int) next;
        }
        return Optional.empty();
    }

    /**
     * Copies all loadable segments to their physical addresses.
     *
     * @return the first address behind them
     */
    long load(LoadTarget target) {
        long end = PlatformLayout.EXTENDED_MEMORY_START;
        for (Segment segment : segments) {
            if (!segment.loadable() || segment.memoryBytes() == 0) {
                continue;
            }
            long address = segment.physicalAddress();
            target.requireKernelRange("segment", address, segment.memoryBytes());
            target.copy("kernel " + name, source, segment.offset(), address, segment.fileBytes());
            target.zero(address + segment.fileBytes(), segment.memoryBytes() - segment.fileBytes());
            end = Math.max(end, address + segment.memoryBytes());
        }
        return end;
    }

    /**
     * The physical address of the entry point. {@code e_entry} is virtual; a kernel linked to a
     * high half means the segment that holds it.
     */
    long physicalEntry() {
        for (Segment segment : segments) {
            long in = entry - segment.virtualAddress();
            if (segment.loadable() && in >= 0 && in < segment.memoryBytes()) {
                return segment.physicalAddress() + in;
            }
        }
        return entry;
    }
}
