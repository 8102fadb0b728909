package dev.javisor.guestkit;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What a loadable kernel module says about itself in its {@code .modinfo} section: strings of the
 * form {@code key=value}, each ended by a zero byte.
 *
 * @param name with underscores, as the kernel writes it
 * @param dependencies names of the modules that must be loaded before it
 */
record KernelModule(String name, List<String> dependencies) {
    /** ELF64 file header and section header (System V gABI, chapter 4), offsets in bytes. */
    private static final int E_SHOFF = 0x28;

    private static final int E_SHENTSIZE = 0x3A;
    private static final int E_SHNUM = 0x3C;
    private static final int E_SHSTRNDX = 0x3E;
    private static final int SH_OFFSET = 0x18;
    private static final int SH_SIZE = 0x20;

    /**
     * @throws GuestKitException where {@code file} is no such module
     */
    static KernelModule parse(String fileName, byte[] file) {
        String name = "";
        List<String> dependencies = new ArrayList<>();
        try {
            for (String entry : modinfo(file).split("\0")) {
                if (entry.startsWith("name=")) {
                    name = canonical(entry.substring(5));
                } else if (entry.startsWith("depends=")) {
                    for (String dependency : entry.substring(8).split(",")) {
                        if (!dependency.isEmpty()) {
                            dependencies.add(canonical(dependency));
                        }
                    }
                }
            }
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new GuestKitException("damaged kernel module " + fileName, e);
        }
        if (name.isEmpty()) {
            throw new GuestKitException("kernel module without a name: " + fileName);
        }
        return new KernelModule(name, List.copyOf(dependencies));
    }

    /** Module names are equal whether written with {@code -} or {@code _}. */
    static String canonical(String name) {
        return name.replace('-', '_');
    }

    private static String modinfo(byte[] file) {
        ByteBuffer elf = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (elf.getInt(0) != 0x464C457F || elf.get(4) != 2) {
            throw new IllegalArgumentException("no ELF64 file");
        }
        int headers = Math.toIntExact(elf.getLong(E_SHOFF));
        int headerSize = Short.toUnsignedInt(elf.getShort(E_SHENTSIZE));
        int count = Short.toUnsignedInt(elf.getShort(E_SHNUM));
        int names = headers + headerSize * Short.toUnsignedInt(elf.getShort(E_SHSTRNDX));
        int nameTable = (int) elf.getLong(names + SH_OFFSET);
        for (int i = 0; i < count; i++) {
            int header = headers + i * headerSize;
            if (string(file, nameTable + elf.getInt(header)).equals(".modinfo")) {
                int offset = (int) elf.getLong(header + SH_OFFSET);
                int size = (int) elf.getLong(header + SH_SIZE);
                return new String(file, offset, size, StandardCharsets.UTF_8);
            }
        }
        throw new IllegalArgumentException("no .modinfo section");
    }

    private static String string(byte[] file, int offset) {
        int end = offset;
        while (file[end] != 0) {
            end++;
        }
        return new String(file, offset, end - offset, StandardCharsets.US_ASCII);
    }
}
