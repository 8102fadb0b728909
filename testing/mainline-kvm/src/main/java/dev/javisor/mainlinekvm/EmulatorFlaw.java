package dev.javisor.mainlinekvm;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What QEMU's emulated processor (7.2, TCG) does otherwise than the specification, in cases where
 * nothing of KVM or of ours runs: the guest's instructions are executed by that processor. A case
 * that fails in just this way is told as skipped, with the reason; any other failure is one.
 *
 * <p>How each was found to be the processor's: #GP for a non-canonical stack load comes to a
 * program without KVM, too (SIGSEGV; SIGBUS on silicon). The error code and the busy TSS are in
 * QEMU's source ({@code mmu_translate} sets PG_ERROR_RSVD_MASK alone, {@code helper_check_io} wants
 * type 9). Of the modified instruction QEMU's log ({@code -d in_asm,exec}) shows one translated
 * block between VMRUN and the exit of the OUT behind it, so that neither KVM nor a later fetch
 * takes part; a program without KVM does not see it.
 *
 * @param testCase of the conformance suite
 * @param symptom how the failure's message begins
 * @param reason what the processor does
 */
record EmulatorFlaw(String testCase, String symptom, String reason) {
    private static final String NO_BREAKPOINTS =
            "does not arm the breakpoints of the DR7 that VMRUN loads (APM 2 15.5.1)";

    private static final List<EmulatorFlaw> ALL =
            List.of(
                    new EmulatorFlaw(
                            "exceptions-and-error-codes",
                            "non-canonical stack load: vector: 0xd,",
                            "raises #GP where SDM 1 3.3.7.1 has #SS: a non-canonical address through"
                                    + " the stack segment"),
                    new EmulatorFlaw(
                            "page-fault-error-codes",
                            "reserved bit: error code: 0x8,",
                            "leaves P clear in the error code of a reserved bit (SDM 3A 4.7)"),
                    new EmulatorFlaw(
                            "io-permission-bitmap",
                            "allowed port: 0xad,",
                            "takes no I/O permission bitmap from a busy TSS, which is what VMRUN"
                                    + " loads"),
                    new EmulatorFlaw(
                            "machine-breakpoint",
                            "round 1: KICKED, expected a stop",
                            NO_BREAKPOINTS),
                    new EmulatorFlaw("machine-watchpoint", "guest did not end", NO_BREAKPOINTS),
                    new EmulatorFlaw(
                            "self-modifying-next-instruction",
                            "immediate: 0x11,",
                            "executes the old instruction behind the first store to its page (SDM 3A"
                                    + " 9.1.3)"),
                    new EmulatorFlaw(
                            "self-modifying-loop",
                            "sum of the immediates: 0x11e8097,",
                            "executes the old instruction behind the first store to its page (SDM 3A"
                                    + " 9.1.3)"));

    /** The known flaw that a failure shows. */
    static Optional<EmulatorFlaw> shownBy(String testCase, Throwable failure) {
        String message = String.valueOf(failure.getMessage());
        return ALL.stream()
                .filter(f -> f.testCase.equals(testCase) && message.startsWith(f.symptom))
                .findFirst();
    }

    private static final long RESUME_FLAG = 1 << 16;

    private static final Pattern DIFFERENCE =
            Pattern.compile(
                    "  (?:memory at 0x\\p{XDigit}+|RFLAGS): 0x(\\p{XDigit}+) against 0x(\\p{XDigit}+)");

    /**
     * Whether all that a lockstep case found to differ is RFLAGS.RF, in the register or in pushed
     * flags.
     */
    static boolean onlyResumeFlag(String message) {
        List<String> differences = message.lines().skip(1).toList();
        return !differences.isEmpty()
                && differences.stream()
                        .map(DIFFERENCE::matcher)
                        .allMatch(d ->
                                d.matches()
                                        && (Long.parseUnsignedLong(d.group(1), 16)
                                                        ^ Long.parseUnsignedLong(d.group(2), 16))
                                                == RESUME_FLAG);
    }
}
