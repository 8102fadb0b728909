package dev.javisor.kvm;

import dev.javisor.hypervisor.CpuState;

/** Refuses states that no processor can be in; what depends on the model KVM refuses itself. */
final class StateCheck {
    private static final long CR0_PE = 1;
    private static final long CR0_NW = 1 << 29;
    private static final long CR0_CD = 1 << 30;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1 << 5;
    private static final long EFER_LME = 1 << 8;
    private static final long EFER_LMA = 1 << 10;
    private static final long RFLAGS_VM = 1 << 17;

    private StateCheck() {}

    /**
     * @throws IllegalArgumentException if {@code s} is impossible
     */
    static void check(CpuState s) {
        require(s.gpr().length == 16 && s.debug().length == 8, "register count");
        require(s.xsave().length >= 576, "XSAVE area too short");
        require(s.lapic().length == 1024, "local APIC page");
        long cr0 = s.cr0();
        boolean paging = (cr0 & CR0_PG) != 0;
        require(cr0 >>> 32 == 0, "CR0");
        require(!paging || (cr0 & CR0_PE) != 0, "CR0: paging without protection");
        require((cr0 & CR0_NW) == 0 || (cr0 & CR0_CD) != 0, "CR0: NW without CD");
        require((s.cr8() & ~0xFL) == 0, "CR8");
        require((s.xcr0() & 1) != 0, "XCR0");
        boolean lma = (s.efer() & EFER_LMA) != 0;
        require(lma == (paging && (s.efer() & EFER_LME) != 0), "EFER.LMA");
        require(!lma || (s.cr4() & CR4_PAE) != 0, "long mode without PAE");
        require((s.rflags() & 2) != 0 && s.rflags() >>> 22 == 0, "RFLAGS");
        boolean vm = (s.rflags() & RFLAGS_VM) != 0;
        require(!vm || ((cr0 & CR0_PE) != 0 && !lma), "RFLAGS.VM");
        require(((s.debug()[6] | s.debug()[7]) >>> 32) == 0, "DR6, DR7");
        CpuState.Events e = s.events();
        require(e.exceptionVector() >= -1 && e.exceptionVector() < 32, "pending exception");
        require(e.interruptVector() >= -1 && e.interruptVector() < 256, "pending interrupt");
        require(e.sipiVector() >= -1 && e.sipiVector() < 256, "pending SIPI");
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new IllegalArgumentException("CPU state: " + what);
        }
    }
}
