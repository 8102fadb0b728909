package dev.javisor.kvm;

import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The structures of one vCPU's state, and their ioctls. Belongs to the vCPU's thread. */
final class VcpuBuffers implements AutoCloseable {
    private final KvmCalls vcpu;
    private final Arena arena = Arena.ofShared();
    final MemorySegment regs = arena.allocate(RegsLayout.SIZE_BYTES, 8);
    final MemorySegment sregs = arena.allocate(SregsLayout.SIZE_BYTES, 8);
    final MemorySegment events = arena.allocate(EventsLayout.SIZE_BYTES, 8);
    final MemorySegment debug = arena.allocate(DebugLayout.SIZE_BYTES, 8);
    final MemorySegment xcrs = arena.allocate(XcrsLayout.SIZE_BYTES, 8);
    final MemorySegment lapic = arena.allocate(1024, 8);
    final MemorySegment mpState = arena.allocate(4, 8);
    final MemorySegment xsave;
    private final long getXsave;

    /**
     * @param xsaveBytes what KVM_CAP_XSAVE2 says, or 0
     */
    VcpuBuffers(KvmCalls vcpu, int xsaveBytes) {
        this.vcpu = vcpu;
        this.xsave = arena.allocate(Math.max(xsaveBytes, 4096), 64);
        this.getXsave = xsaveBytes > 4096 ? KvmAbi.GET_XSAVE2 : KvmAbi.GET_XSAVE;
    }

    private void get(String what, long request, MemorySegment into) {
        vcpu.call("tell its " + what, request, into);
    }

    /** What KVM refuses in a state is a state that this vCPU cannot have. */
    private void set(String what, long request, MemorySegment from) {
        int result = vcpu.attempt(request, from);
        if (result == -Errno.EINVAL) {
            throw new IllegalArgumentException("CPU state: KVM refuses the " + what);
        }
        KvmCalls.check("set its " + what, result);
    }

    void getRegs() {
        get("registers", KvmAbi.GET_REGS, regs);
    }

    void setRegs() {
        set("registers", KvmAbi.SET_REGS, regs);
    }

    void getSregs() {
        get("system registers", KvmAbi.GET_SREGS, sregs);
    }

    void setSregs() {
        set("system registers", KvmAbi.SET_SREGS, sregs);
    }

    void getEvents() {
        get("events", KvmAbi.GET_VCPU_EVENTS, events);
    }

    void setEvents() {
        set("events", KvmAbi.SET_VCPU_EVENTS, events);
    }

    void getDebug() {
        get("debug registers", KvmAbi.GET_DEBUGREGS, debug);
    }

    void setDebug() {
        set("debug registers", KvmAbi.SET_DEBUGREGS, debug);
    }

    void getXcrs() {
        get("extended control registers", KvmAbi.GET_XCRS, xcrs);
    }

    void setXcrs() {
        set("extended control registers", KvmAbi.SET_XCRS, xcrs);
    }

    void getLapic() {
        get("local APIC", KvmAbi.GET_LAPIC, lapic);
    }

    void setLapic() {
        set("local APIC", KvmAbi.SET_LAPIC, lapic);
    }

    void getMpState() {
        get("activity", KvmAbi.GET_MP_STATE, mpState);
    }

    void setMpState() {
        set("activity", KvmAbi.SET_MP_STATE, mpState);
    }

    void getXsave() {
        get("vector registers", getXsave, xsave);
    }

    void setXsave() {
        set("vector registers", KvmAbi.SET_XSAVE, xsave);
    }

    void nmi() {
        vcpu.call("take an NMI", KvmAbi.NMI, 0);
    }

    /** All registers as text, as far as KVM still tells them. */
    String dump(int id) {
        if (vcpu.attempt(KvmAbi.GET_REGS, regs) < 0 || vcpu.attempt(KvmAbi.GET_SREGS, sregs) < 0) {
            return "vCPU " + id + ": KVM does not tell its registers";
        }
        return RegisterDump.of(id, regs, sregs);
    }

    @Override
    public void close() {
        arena.close();
    }
}
