package dev.javisor.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.SoftHypervisor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Loader, board and software CPU together: kernels of a few instructions. */
@Timeout(60)
final class TinyKernelTest {
    private static final int LOAD_ADDRESS = 0x10_0000;

    /** Prints the string at ESI on COM1, then ends with status 7 through port 0xF4. */
    private static final String PRINT_AND_EXIT =
            """
            66 BA F8 03  # mov dx, 0x3F8
            AC           # next: lodsb
            84 C0        # test al, al
            74 03        # jz done
            EE           # out dx, al
            EB F8        # jmp next
            B0 07        # done: mov al, 7
            E6 F4        # out 0xF4, al
            F4           # hlt
            """;

    @TempDir Path directory;
    private final RecordingConsole console = new RecordingConsole();

    private static byte[] code(String listing) {
        return HexFormat.of().parseHex(listing.replaceAll("#.*", "").replaceAll("\\s", ""));
    }

    /** Header, then code at offset 0x20. */
    private Path multiboot(String listing) throws IOException {
        ByteBuffer image = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BADB002).putInt(1 << 16).putInt(-(0x1BADB002 + (1 << 16)));
        image.putInt(LOAD_ADDRESS).putInt(LOAD_ADDRESS).putInt(0).putInt(0);
        image.putInt(LOAD_ADDRESS + 0x20);
        image.put(0x20, code(listing));
        return Files.write(directory.resolve("multiboot"), image.array());
    }

    /** ELF64: program headers at 0x40, the note at 0x100, code at 0x1000. */
    private Path pvh(String listing) throws IOException {
        ByteBuffer image = ByteBuffer.allocate(0x2000).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0, 0x464C457F).put(4, (byte) 2).put(5, (byte) 1).put(6, (byte) 1);
        image.putShort(0x10, (short) 2).putShort(0x12, (short) 62);
        image.putLong(0x20, 0x40).putShort(0x36, (short) 0x38).putShort(0x38, (short) 2);
        image.putInt(0x40, 1).putLong(0x48, 0x1000).putLong(0x58, LOAD_ADDRESS);
        image.putLong(0x60, 0x1000).putLong(0x68, 0x1000);
        image.putInt(0x78, 4).putLong(0x80, 0x100).putLong(0x98, 20).putLong(0xA0, 20);
        image.putInt(0x100, 4).putInt(0x104, 4).putInt(0x108, 18).putInt(0x10C, 0x006E6558);
        image.putInt(0x110, LOAD_ADDRESS);
        image.put(0x1000, code(listing));
        return Files.write(directory.resolve("pvh"), image.array());
    }

    private VmOutcome run(Path kernel) throws InterruptedException {
        VmSpec spec =
                VmSpec.builder(kernel)
                        .name("tiny")
                        .memoryBytes(16 << 20)
                        .append("hello from the guest")
                        .debugExit(true)
                        .endOnReset(true)
                        .build();
        try (Vm vm = Vm.create(spec, console, new SoftHypervisor())) {
            vm.start();
            return vm.await();
        }
    }

    @Test
    void multibootKernel_seesMagicAndCommandLine() throws Exception {
        Path kernel =
                multiboot(
                        """
                        3D 02 B0 AD 2B  # cmp eax, 0x2BADB002
                        75 FE           # jne here: hangs
                        8B 73 10        # mov esi, [ebx+16]: cmdline
                        """
                                + PRINT_AND_EXIT);
        assertThat(run(kernel)).isEqualTo(new VmOutcome.DebugExit(7));
        assertThat(console.text()).isEqualTo("hello from the guest");
    }

    @Test
    void pvhKernel_seesStartInfoAndCommandLine() throws Exception {
        Path kernel =
                pvh(
                        """
                        81 3B 78 C5 6E 33  # cmp dword [ebx], 0x336EC578
                        75 FE              # jne here: hangs
                        8B 73 18           # mov esi, [ebx+24]: cmdline_paddr
                        """
                                + PRINT_AND_EXIT);
        assertThat(run(kernel)).isEqualTo(new VmOutcome.DebugExit(7));
        assertThat(console.text()).isEqualTo("hello from the guest");
    }

    @Test
    void tripleFault_resets() throws Exception {
        Path kernel =
                multiboot(
                        """
                        0F 01 1D 00 08 10 00  # lidt [0x100800]: six zero bytes
                        CC                    # int3
                        """);
        assertThat(run(kernel)).isEqualTo(new VmOutcome.Reset());
    }

    @Test
    void keyboardControllerResetLine_resets() throws Exception {
        Path kernel =
                multiboot(
                        """
                        B0 FE  # mov al, 0xFE
                        E6 64  # out 0x64, al
                        EB FE  # jmp here
                        """);
        assertThat(run(kernel)).isEqualTo(new VmOutcome.Reset());
    }

    @Test
    void halt_thenPowerOffByTimer_wakesUp() throws Exception {
        // PIT channel 0 in mode 2 at 1.2 kHz through the remapped PIC; the handler powers off.
        Path kernel =
                multiboot(
                        """
                        0F 01 1D 60 00 10 00     # lidt [0x100060]
                        66 B8 11 20 E6 20        # mov ax, 0x2011; out 0x20, al (ICW1)
                        88 E0 E6 21              # mov al, ah; out 0x21, al (ICW2: 0x20)
                        B0 04 E6 21 B0 01 E6 21  # ICW3: 4, ICW4: 1
                        B0 FE E6 21              # all but IRQ 0 masked
                        B0 34 E6 43              # PIT channel 0, mode 2
                        B0 E8 E6 40              # 1000
                        B0 03 E6 40
                        FB                       # sti
                        F4                       # wait: hlt
                        EB FD                    # jmp wait
                        # handler, at 0x10004D:
                        66 BA 04 06              # mov dx, 0x604 (PM1a control)
                        66 B8 00 34              # mov ax, SLP_EN | 5 << 10
                        66 EF                    # out dx, ax
                        EB FE                    # jmp here
                        """
                                + "00".repeat(7)
                                + "FF 07 00 10 10 00"); // at 0x60: IDT at 0x101000
        patchIdt(kernel);
        assertThat(run(kernel)).isEqualTo(new VmOutcome.PoweredOff());
    }

    /** Puts a gate for vector 0x20 into an IDT behind the kernel's page. */
    private static void patchIdt(Path kernel) throws IOException {
        byte[] image = Arrays.copyOf(Files.readAllBytes(kernel), 0x2000);
        ByteBuffer idt = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        int handler = LOAD_ADDRESS + 0x4D;
        int gate = 0x1000 + 0x20 * 8;
        idt.putShort(gate, (short) handler).putShort(gate + 2, (short) 0x10);
        idt.putShort(gate + 4, (short) 0x8E00).putShort(gate + 6, (short) (handler >>> 16));
        Files.write(kernel, image);
    }
}
