package dev.javisor.softcpu.translate;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.block.BlockBuilder;
import dev.javisor.softcpu.block.RandomInstructions;
import dev.javisor.softcpu.core.Cpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegionListingTest {
    private final Cpu cpu = RandomInstructions.cpu();

    /** ADD RAX, RBX; MOV [RCX], RAX; JMP to the start. */
    private Block root() {
        byte[] code = {0x48, 0x01, (byte) 0xD8, 0x48, (byte) 0x89, 0x01, (byte) 0xEB, (byte) 0xF8};
        cpu.mmu.ram().memory.write(0x1000, code);
        Block root = new BlockBuilder(cpu).build(0x1000, 0x1000, 64, 0x1000, 64);
        root.taken = root;
        return root;
    }

    private Translator translator() {
        return new Translator(cpu, (linear, key) -> null, 1, Runnable::run);
    }

    @Test
    void listing_hasGuestInstructions_eachWithItsBytecode() {
        Block root = root();
        Translator translator = translator();
        translator.keepListings();
        translator.request(root);
        String text = requireNonNull(root.region).listing();
        assertThat(text)
                .containsSubsequence(
                        "== block at 1000",
                        "1000  add rax,rbx",
                        "lload rax",
                        "ladd",
                        "1003  mov QWORD PTR [rcx],rax",
                        "store64",
                        "1006  jmp 0x1000",
                        "goto L0",
                        "-- exits");
    }

    @Test
    void translation_isRecorded(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("dev.javisor.RegionTranslation");
            recording.start();
            translator().request(root());
            recording.stop();
            recording.dump(file);
        }
        assertThat(Files.size(file)).isPositive();
        RecordedEvent event =
                RecordingFile.readAllEvents(file).stream()
                        .filter(e -> e.getString("address").equals("1000"))
                        .findFirst()
                        .orElseThrow();
        assertThat(event.getBoolean("useful")).isTrue();
        assertThat(event.getInt("codes")).isEqualTo(3);
        assertThat(event.getInt("methodBytes")).isBetween(50, 8000);
    }
}
