package dev.javisor.kvm;

import dev.javisor.guests.Asm;
import dev.javisor.guests.LongMode;
import dev.javisor.guests.Testbed;
import dev.javisor.hypervisor.Vcpu.ExitReason;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Hosts whose KVM has no hardware below it (a nested PVM): guest code of level 3 runs natively,
 * that of level 0 goes through KVM's instruction emulator, which knows part of the instructions
 * (the software CPU's assistant executes the others) and takes interrupts late. Each deviation from
 * the conformance suite is listed with its reason; a case that fails otherwise, or passes, is a
 * change that must be looked at.
 */
final class EmulatingHost {
    /**
     * @param failure what the case's message matches on such a host
     * @param reason why
     */
    record Deviation(Pattern failure, String reason) {}

    private static final Map<String, Deviation> DEVIATIONS = new TreeMap<>();

    static {
        String late = "its emulator takes a pending interrupt several instructions late";
        String gates = "INT n at level 3 raises #UD instead of going through the gate";
        deviates(
                "smep-and-smap",
                "read with AC set: 0xad",
                "its emulator ignores EFLAGS.AC in its checks of supervisor accesses");
        deviates(
                "breakpoints",
                "it is a trap: 0x10047",
                "its emulator checks data breakpoints only at exits");
        deviates(
                "io-permission-bitmap",
                "allowed port",
                "IN at level 3 runs after INT n was refused: " + gates);
        deviates("page-fault-from-user", "exit: 0xdead", gates);
        deviates("compatibility-mode", "0xdead", gates);
        deviates(
                "page-crossing-access",
                "nothing was stored",
                "its emulator writes the first page before the second faults");
        deviates(
                "user-mode-syscall",
                "two system calls: 0xbad",
                "SYSCALL at level 3 leaves CS and SS at level 3");
        deviates("msi-waits-for-sti", "taken after STI, not before: 0x0", late);
        deviates("sti-shadow", "shadow covers one instruction: 0x0", late);
        deviates("self-ipi-x2apic", "interrupts: 0x0", late);
        deviates("priority-and-tpr", "taken when the priority falls: 0x0", late);
        deviates("apic-timer-tsc-deadline", "interrupts: 0x1", late);
        deviates(
                "paravirtual-kick-ends-a-halt",
                "guest did not end",
                "VMCALL at level 0 never returns");
    }

    private EmulatingHost() {}

    private static void deviates(String name, String failure, String reason) {
        DEVIATIONS.put(name, new Deviation(Pattern.compile(Pattern.quote(failure)), reason));
    }

    static Map<String, Deviation> deviations() {
        return DEVIATIONS;
    }

    /** Whether this host is one: it refuses INT3 at level 0, which any processor has. */
    static boolean isHere() {
        try (Testbed bed = new Testbed(new KvmHypervisor(), 1)) {
            Asm a = new Asm(64, LongMode.CODE);
            a.mov(Asm.R15, "after").bytes(0xCC).label("after").exit(1);
            bed.load(a);
            bed.start64(0, LongMode.CODE, LongMode.STACK);
            return bed.start(0).reason() == ExitReason.FAULT;
        }
    }
}
