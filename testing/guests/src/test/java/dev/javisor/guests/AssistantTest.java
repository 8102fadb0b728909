package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.hypervisor.CpuState;
import dev.javisor.hypervisor.GuestMemory.Region;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import dev.javisor.softcpu.SoftAssistance;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Guests of which every instruction is executed by the assistant. */
class AssistantTest {
    /** What needs more than instructions, and so is not the assistant's. */
    private static final Set<String> ACCELERATORS =
            Set.of(
                    // Its identity, its clocks, its doorbells, its local APIC.
                    "cpuid-leaves",
                    "paravirtual-clock",
                    "doorbells",
                    "state-moves-to-another-vm",
                    // It halts.
                    "kick-ends-a-halt",
                    // It delivers interrupts.
                    "machine-steps-hold-interrupts",
                    "machine-steps-over-a-halt",
                    // It refuses states.
                    "impossible-state-is-refused");

    @TestFactory
    Stream<DynamicTest> single_instructions_conform() {
        return suite(1);
    }

    @TestFactory
    Stream<DynamicTest> runs_of_instructions_conform() {
        return suite(64);
    }

    private static HelplessHypervisor helpless(int burst) {
        return new HelplessHypervisor(new SoftAssistance(), burst);
    }

    private static Stream<DynamicTest> suite(int burst) {
        HelplessHypervisor hypervisor = helpless(burst);
        return Conformance.casesWithAssistant().stream()
                .filter(c -> c.vcpus() == 1 && !ACCELERATORS.contains(c.name()))
                .filter(c -> !InterruptCases.CASES.contains(c))
                .map(c -> DynamicTest.dynamicTest(c.name(), () -> c.run(hypervisor)));
    }

    /** Runs code that the assistant is to decline; returns the state it left. */
    private static CpuState declined(Testbed bed, Asm a, String reason) {
        bed.load(a);
        bed.start64(0, CODE, STACK);
        assertThat(bed.start(0).reason()).isEqualTo(ExitReason.FAULT);
        assertThat(bed.vcpu(0).exitDetail()).contains(reason);
        return bed.on(0, bed.vcpu(0)::save);
    }

    @Test
    void apicPage_isDeclined_beforeAnyEffect() {
        try (Testbed bed = new Testbed(helpless(64), 1)) {
            Asm a = new Asm(64, CODE);
            a.mov(RBX, 0xFEE00000L).mov(RAX, 5);
            a.label("access").aluMem(Alu.ADD, 4, at(RBX, 0x80), RAX).exit(1);
            CpuState state = declined(bed, a, "local APIC access");
            assertThat(state.rip()).isEqualTo(a.address("access"));
            assertThat(state.gpr()[RAX]).isEqualTo(5);
            assertThat(state.rflags()).isEqualTo(2);
        }
    }

    @Test
    void apicMsrs_areTheAcceleratorsMsrs() {
        try (Testbed bed = new Testbed(helpless(1), 1)) {
            Asm a = new Asm(64, CODE);
            a.mov(RCX, Apic.BASE_MSR).rdmsr().movReg(RBX, RAX);
            // x2APIC registers: this accelerator has none.
            a.mov(R15, "after").mov(RCX, 0x802).rdmsr();
            a.label("after").movReg(RAX, RBX).exit();
            assertThat(bed.run64(a)).isEqualTo(0xFEE00900);
            bed.guest.expect(0, 13, 0, "x2APIC id");
        }
    }

    @Test
    void haltsAndHypercalls_areDeclined() {
        try (Testbed bed = new Testbed(helpless(64), 1)) {
            CpuState state = declined(bed, new Asm(64, CODE).sti().hlt(), "hlt");
            assertThat(state.rip()).isEqualTo(CODE + 1);
            assertThat(state.events().interruptShadow()).isTrue();
            declined(bed, new Asm(64, CODE).bytes(0x0F, 0x01, 0xC1), "vmcall");
            declined(bed, new Asm(64, CODE).bytes(0x0F, 0x01, 0xD9), "vmmcall");
        }
    }

    @Test
    void vectorState_movesOnlyForInstructionsThatUseIt() {
        try (Testbed bed = new Testbed(helpless(1), 1)) {
            HelplessVcpu vcpu = (HelplessVcpu) bed.vcpu(0);
            bed.run64(new Asm(64, CODE).mov(RAX, 1).exit());
            assertThat(vcpu.xsaveReads).isZero();
            bed.run64(new Asm(64, CODE).movdquStore(abs(DATA), 1).exit(1));
            assertThat(vcpu.xsaveReads).isEqualTo(1);
            assertThat(vcpu.xsaveWrites).as("a store changes no register").isZero();
            bed.memory.writeLong(DATA, 0x1234);
            bed.run64(new Asm(64, CODE).movdquLoad(1, abs(DATA)).exit(1));
            assertThat(vcpu.xsaveWrites).isEqualTo(1);
            assertThat(bed.on(0, vcpu::save).xsave()).contains((byte) 0x34, (byte) 0x12);
        }
    }

    @Test
    void droppedTranslations_areReported() {
        try (Testbed bed = new Testbed(helpless(1), 1)) {
            HelplessVcpu vcpu = (HelplessVcpu) bed.vcpu(0);
            bed.run64(new Asm(64, CODE).movFromCr(RAX, 3).exit(1));
            assertThat(vcpu.translationsDropped).isZero();
            bed.run64(new Asm(64, CODE).movFromCr(RAX, 3).movToCr(3, RAX).exit(1));
            assertThat(vcpu.translationsDropped).isEqualTo(1);
            bed.run64(new Asm(64, CODE).invlpg(abs(DATA)).exit(1));
            assertThat(vcpu.translationsDropped).isEqualTo(2);
        }
    }

    @Test
    void storesAndAccessedBits_areReportedToTheMemorysObservers() {
        try (Testbed bed = new Testbed(helpless(1), 1)) {
            Region ram = bed.memory.regions().getFirst();
            long[] dirty = new long[(int) (ram.sizeBytes() / 4096 / 64)];
            bed.load(new Asm(64, CODE).lock().incMem(8, abs(DATA)).exit(1));
            bed.start64(0, CODE, STACK);
            bed.vm.setDirtyTracking(true);
            assertThat(bed.run(0)).isEqualTo(1);
            bed.vm.fetchDirty(ram, dirty);
            assertThat(dirty[0] >>> (PT >>> 12) & 1).as("page table").isEqualTo(1);
            assertThat(dirty[1]).as("data page, and no other").isEqualTo(1L << (DATA >>> 12) - 64);
        }
    }

    @Test
    void helps_areCountedByMnemonic() {
        try (Testbed bed = new Testbed(helpless(1), 1)) {
            bed.run64(new Asm(64, CODE).nop().nop().nop().ud2());
            assertThat(bed.vcpu(0).assists()).containsEntry("nop", 3L).containsEntry("ud", 1L);
        }
    }

    @Test
    void owedException_isDeliveredFirst() {
        try (Testbed bed = new Testbed(helpless(64), 1)) {
            Asm a = new Asm(64, CODE);
            a.mov(RAX, 1).exit();
            a.label("resumed").exit(2);
            bed.load(a);
            bed.start64(0, CODE, STACK);
            HelplessVcpu vcpu = (HelplessVcpu) bed.vcpu(0);
            vcpu.registers().exceptionVector = 13;
            vcpu.registers().exceptionErrorCode = 0x58;
            vcpu.registers().gpr[R15] = a.address("resumed");
            assertThat(bed.run(0)).isEqualTo(2);
            bed.guest.expect(0, 13, 0x58, "owed #GP");
            assertThat(bed.guest.rip(0)).isEqualTo(CODE);
            assertThat(vcpu.registers().exceptionVector).isEqualTo(-1);
        }
    }
}
