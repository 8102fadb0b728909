package dev.javisor.kvm;

import dev.javisor.linux.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The structures of one vCPU's state, and their ioctls. Belongs to the vCPU's thread. Three of them
 * lie in the run page: see {@link SyncedRegisters}.
 */
final class VcpuBuffers implements AutoCloseable {
    private final KvmCalls vcpu;
    private final Arena arena = Arena.ofShared();
    private final SyncedRegisters synced;
    final MemorySegment regs;
    final MemorySegment sregs;
    final MemorySegment events;
    final MemorySegment debug = arena.allocate(DebugLayout.SIZE_BYTES, 8);
    final MemorySegment xcrs = arena.allocate(XcrsLayout.SIZE_BYTES, 8);
    final MemorySegment lapic = arena.allocate(1024, 8);
    final MemorySegment mpState = arena.allocate(4, 8);
    final MemorySegment xsave;
    private final long getXsave;

    /**
     * @param xsaveBytes what KVM_CAP_XSAVE2 says, or 0
     */
    VcpuBuffers(KvmCalls vcpu, RunPage run, SyncedRegisters synced, int xsaveBytes) {
        this.vcpu = vcpu;
        this.synced = synced;
        this.regs = run.part(RunLayout.SYNC_REGS, RegsLayout.SIZE_BYTES);
        this.sregs = run.part(RunLayout.SYNC_SREGS, SregsLayout.SIZE_BYTES);
        this.events = run.part(RunLayout.SYNC_EVENTS, EventsLayout.SIZE_BYTES);
        this.xsave = arena.allocate(Math.max(xsaveBytes, 4096), 64);
        this.getXsave = xsaveBytes > 4096 ? KvmAbi.GET_XSAVE2 : KvmAbi.GET_XSAVE;
    }

    private void get(String what, long request, MemorySegment into) {
        vcpu.call("tell its " + what, request, into);
    }

    /** What KVM refuses in a state is a state that this vCPU cannot have. */
    private void set(String what, long request, MemorySegment from) {
        synced.stale();
        int result = vcpu.attempt(request, from);
        if (result == -Errno.EINVAL) {
            throw new IllegalArgumentException("CPU state: KVM refuses the " + what);
        }
        KvmCalls.check("set its " + what, result);
    }

    void getRegs() {
        if (synced.holds(SyncedRegisters.REGS)) {
            return;
        }
        get("registers", KvmAbi.GET_REGS, regs);
    }

    void setRegs() {
        set("registers", KvmAbi.SET_REGS, regs);
        synced.settled(SyncedRegisters.REGS);
    }

    void getSregs() {
        if (synced.holds(SyncedRegisters.SREGS)) {
            return;
        }
        get("system registers", KvmAbi.GET_SREGS, sregs);
    }

    void setSregs() {
        set("system registers", KvmAbi.SET_SREGS, sregs);
        synced.settled(SyncedRegisters.SREGS);
    }

    void getEvents() {
        if (synced.holds(SyncedRegisters.EVENTS)) {
            return;
        }
        get("events", KvmAbi.GET_VCPU_EVENTS, events);
    }

    void setEvents() {
        set("events", KvmAbi.SET_VCPU_EVENTS, events);
        synced.settled(SyncedRegisters.EVENTS);
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
        // KVM acts on INIT and SIPI now.
        flush();
        synced.stale();
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
        synced.stale();
        vcpu.call("take an NMI", KvmAbi.NMI, 0);
    }

    /** What an assistant changed: at the next entry, if KVM then looks. */
    void changeRegs() {
        if (!synced.defer(SyncedRegisters.REGS)) {
            setRegs();
        }
    }

    void changeEvents() {
        if (!synced.defer(SyncedRegisters.EVENTS)) {
            setEvents();
        }
    }

    /** KVM gets what was left to the next entry. */
    void flush() {
        if (synced.isDeferred(SyncedRegisters.REGS)) {
            setRegs();
        }
        if (synced.isDeferred(SyncedRegisters.EVENTS)) {
            setEvents();
        }
    }

    /** KVM was told something that may have changed these structures. */
    void stale() {
        synced.stale();
    }

    /** The whole state is replaced. */
    void forget() {
        synced.stale();
        synced.settled(SyncedRegisters.REGS | SyncedRegisters.EVENTS);
    }

    /** All registers as text, as far as KVM still tells them. */
    String dump(int id) {
        boolean told =
                synced.holds(SyncedRegisters.REGS) || vcpu.attempt(KvmAbi.GET_REGS, regs) >= 0;
        told &= synced.holds(SyncedRegisters.SREGS) || vcpu.attempt(KvmAbi.GET_SREGS, sregs) >= 0;
        if (!told) {
            return "vCPU " + id + ": KVM does not tell its registers";
        }
        return RegisterDump.of(id, regs, sregs);
    }

    @Override
    public void close() {
        arena.close();
    }
}
