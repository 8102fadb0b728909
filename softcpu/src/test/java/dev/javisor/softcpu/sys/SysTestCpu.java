package dev.javisor.softcpu.sys;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.TestMemory;
import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.hypervisor.CpuModel;
import dev.javisor.hypervisor.GuestMemory;
import dev.javisor.hypervisor.VcpuBus;
import dev.javisor.softcpu.apic.ApicFabric;
import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.GuestClock;
import dev.javisor.softcpu.core.GuestFault;
import dev.javisor.softcpu.core.Ram;
import dev.javisor.softcpu.core.Seg;
import dev.javisor.softcpu.decode.Decoder;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.exec.BranchOps;
import dev.javisor.softcpu.exec.IntegerOps;
import java.util.ArrayList;
import java.util.List;

/**
 * A vCPU with 2 MiB of RAM, descriptor tables, a TSS and stacks for each level; tests assemble an
 * instruction at RIP and step it.
 */
public final class SysTestCpu {
    public static final int PML4 = 0x1000;
    public static final int GDT = 0x4000;
    public static final int IDT = 0x5000;
    public static final int TSS = 0x6000;
    public static final int LDT = 0x7000;
    public static final int CODE = 0x8000;
    public static final int HANDLER = 0x9000;
    public static final int KERNEL_STACK = 0x10000;
    public static final int IST_STACK = 0x14000;
    public static final int USER_STACK = 0x18000;

    // Selectors.
    public static final int CODE0 = 0x08;
    public static final int DATA0 = 0x10;
    public static final int CODE3_32 = 0x18 | 3;
    public static final int DATA3 = 0x20 | 3;
    public static final int CODE3_64 = 0x28 | 3;
    public static final int TSS_SELECTOR = 0x30;
    public static final int FREE = 0x48;

    public final GuestMemory memory = TestMemory.of(2 << 20);
    public final VirtualTimeSource time = new VirtualTimeSource();
    public final GuestClock clock = new GuestClock(time, 0);
    public final ApicFabric fabric = new ApicFabric();
    public final Cpu cpu;
    public final VcpuPlatform platform;
    public final TestBus bus = new TestBus();
    private boolean shutdown;

    /** Records what reaches the machine. */
    public static final class TestBus implements VcpuBus {
        public final List<String> log = new ArrayList<>();
        public int externalVector = -1;
        public long value;

        @Override
        public int readPort(int port, int sizeBytes) {
            log.add("in %x %d".formatted(port, sizeBytes));
            return (int) value;
        }

        @Override
        public void writePort(int port, int sizeBytes, int written) {
            log.add("out %x %d %x".formatted(port, sizeBytes, written));
        }

        @Override
        public long readMemory(long address, int sizeBytes) {
            return -1;
        }

        @Override
        public void writeMemory(long address, int sizeBytes, long written) {}

        @Override
        public int acknowledgeExternalInterrupt() {
            int vector = externalVector;
            externalVector = -1;
            return vector;
        }

        @Override
        public void endOfInterrupt(int vector) {
            log.add("eoi %x".formatted(vector));
        }
    }

    private SysTestCpu(CpuModel model, int id) {
        cpu = new Cpu(id, new Ram(memory));
        platform = new VcpuPlatform(cpu, new Cpuid(model, 4, clock.tscHz()), clock, fabric);
        cpu.bus = bus;
        Reset.powerOn(cpu, platform);
    }

    /** At the reset vector. */
    public static SysTestCpu reset(int id) {
        return new SysTestCpu(CpuModel.X86_64_V2, id);
    }

    public static SysTestCpu real() {
        SysTestCpu t = reset(0);
        t.cpu.cr0 = Cpu.CR0_ET;
        Segments.set(t.cpu, Seg.CS, 0, 0, 0xFFFF, 0x9B);
        t.cpu.idtLimit = 0x3FF;
        t.cpu.regs[4] = 0x7000;
        t.cpu.rip = CODE;
        t.cpu.updateMode();
        return t;
    }

    /** 64-bit mode at level 0, identity-mapped. */
    public static SysTestCpu long64() {
        return long64(CpuModel.X86_64_V2);
    }

    public static SysTestCpu long64(CpuModel model) {
        SysTestCpu t = new SysTestCpu(model, 0);
        t.memory.writeLong(PML4, 0x2007);
        t.memory.writeLong(0x2000, 0x3007);
        t.memory.writeLong(0x3000, 0x87);
        t.gdt(CODE0, 0x00AF9B000000FFFFL);
        t.gdt(DATA0, 0x00CF93000000FFFFL);
        t.gdt(CODE3_32, 0x00CFFB000000FFFFL);
        t.gdt(DATA3, 0x00CFF3000000FFFFL);
        t.gdt(CODE3_64, 0x00AFFB000000FFFFL);
        t.gdt(TSS_SELECTOR, tss(TSS, 0x67, 0xB));
        t.gdt(TSS_SELECTOR + 8, 0);
        t.memory.writeLong(TSS + 4, KERNEL_STACK);
        t.memory.writeLong(TSS + 36, IST_STACK);
        Cpu c = t.cpu;
        c.cr0 = Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP;
        c.cr4 = Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_OSFXSR;
        c.cr3 = PML4;
        c.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_SCE | Cpu.EFER_NXE;
        c.gdtBase = GDT;
        c.gdtLimit = 0xFFF;
        c.idtBase = IDT;
        c.idtLimit = 0xFFF;
        Segments.set(c, Seg.TR, TSS_SELECTOR, tss(TSS, 0x67, 0xB));
        c.segAttributes[Seg.TR] = 0x8B;
        t.kernel64();
        return t;
    }

    /** 32-bit protected mode at level 0, flat, without paging. */
    public static SysTestCpu protected32() {
        SysTestCpu t = new SysTestCpu(CpuModel.X86_64_V2, 0);
        t.gdt(CODE0, 0x00CF9B000000FFFFL);
        t.gdt(DATA0, 0x00CF93000000FFFFL);
        t.gdt(CODE3_32, 0x00CFFB000000FFFFL);
        t.gdt(DATA3, 0x00CFF3000000FFFFL);
        t.gdt(TSS_SELECTOR, tss(TSS, 0x67, 0xB));
        t.memory.writeInt(TSS + 4, KERNEL_STACK);
        t.memory.writeInt(TSS + 8, DATA0);
        t.memory.writeShort(TSS + 102, 0x68);
        Cpu c = t.cpu;
        c.cr0 = Cpu.CR0_PE | Cpu.CR0_ET | Cpu.CR0_NE;
        c.gdtBase = GDT;
        c.gdtLimit = 0xFFF;
        c.idtBase = IDT;
        c.idtLimit = 0x7FF;
        Segments.set(c, Seg.TR, TSS_SELECTOR, tss(TSS, 0x67, 0xB));
        c.segAttributes[Seg.TR] = 0x8B;
        t.flat(CODE0, DATA0);
        c.regs[4] = KERNEL_STACK;
        c.rip = CODE;
        return t;
    }

    public static long tss(long base, int limit, int type) {
        return limit | (base & 0xFFFFFF) << 16 | (0x80L | type) << 40 | (base >>> 24) << 56;
    }

    void flat(int code, int data) {
        Segments.set(cpu, Seg.CS, code, memory.readLong(GDT + (code & ~7)));
        for (int seg : new int[] {Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS}) {
            Segments.set(cpu, seg, data, memory.readLong(GDT + (data & ~7)));
        }
        cpu.updateMode();
    }

    public void kernel64() {
        flat(CODE0, DATA0);
        cpu.regs[4] = KERNEL_STACK;
        cpu.rip = CODE;
    }

    public void user64() {
        flat(CODE3_64, DATA3);
        cpu.regs[4] = USER_STACK;
        cpu.rip = CODE;
    }

    public void user32() {
        flat(CODE3_32, DATA3);
        cpu.regs[4] = USER_STACK;
        cpu.rip = CODE;
    }

    public void gdt(int selector, long descriptor) {
        memory.writeLong(GDT + (selector & ~7), descriptor);
    }

    /**
     * @param attributes P, DPL, type: 0x8E is a present interrupt gate for level 0
     */
    public void gate64(int vector, int selector, long target, int attributes, int ist) {
        long low =
                (target & 0xFFFF)
                        | (long) selector << 16
                        | (long) ist << 32
                        | (long) attributes << 40
                        | (target & 0xFFFF0000L) << 32;
        memory.writeLong(IDT + vector * 16L, low);
        memory.writeLong(IDT + vector * 16L + 8, target >>> 32);
    }

    public void gate32(int vector, int selector, long target, int attributes) {
        memory.writeLong(IDT + vector * 8L, gate(selector, target, attributes, 0));
    }

    public static long gate(int selector, long target, int attributes, int parameters) {
        return (target & 0xFFFF)
                | (long) selector << 16
                | (long) parameters << 32
                | (long) attributes << 40
                | (target & 0xFFFF0000L) << 32;
    }

    /** Assembles at CS:RIP, steps once; faults are delivered. */
    public void step(int... bytes) {
        Insn in = decode(bytes);
        cpu.interruptShadow = false;
        try {
            execute(in);
        } catch (GuestFault fault) {
            cpu.rip = in.ip;
            shutdown = !Interrupts.deliverFault(cpu, fault.vector(), fault.errorCode());
        }
    }

    /** As {@link #step}, but the instruction must fault; the fault is not delivered. */
    public void faults(int vector, int errorCode, int... bytes) {
        Insn in = decode(bytes);
        String before = cpu.dump();
        boolean faulted = false;
        try {
            execute(in);
        } catch (GuestFault fault) {
            faulted = true;
            assertThat(fault.vector()).isEqualTo(vector);
            assertThat(fault.errorCode()).isEqualTo(errorCode);
        }
        assertThat(faulted).as("fault of %s", in.op).isTrue();
        cpu.rip = in.ip;
        assertThat(cpu.dump()).as("no effect before the fault").isEqualTo(before);
    }

    private Insn decode(int... bytes) {
        byte[] code = new byte[bytes.length];
        for (int i = 0; i < code.length; i++) {
            code[i] = (byte) bytes[i];
        }
        Insn in = new Insn();
        int length = Decoder.decode(code, 0, code.length, cpu.codeBits, cpu.rip, in);
        assertThat(length).isEqualTo(code.length);
        return in;
    }

    private void execute(Insn in) {
        cpu.rip = in.nextIp;
        switch (in.op.family()) {
            case INTEGER -> IntegerOps.execute(cpu, in);
            case BRANCH -> BranchOps.execute(cpu, in);
            case SYSTEM -> SystemOps.execute(cpu, in);
            default -> throw new IllegalStateException("family of " + in.op);
        }
    }

    public boolean isShutdown() {
        return shutdown;
    }

    /** The n-th slot of the current stack. */
    public long stack(int n, int sizeBytes) {
        long address = cpu.segBase[Seg.SS] + (cpu.regs[4] & cpu.stackMask) + (long) n * sizeBytes;
        return switch (sizeBytes) {
            case 2 -> memory.readShort(address);
            case 4 -> memory.readInt(address) & 0xFFFFFFFFL;
            default -> memory.readLong(address);
        };
    }
}
