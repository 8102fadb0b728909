package dev.javisor.guests;

import static dev.javisor.guests.Asm.*;
import static dev.javisor.guests.LongMode.*;

import dev.javisor.guests.Asm.Alu;
import dev.javisor.guests.Lockstep.Case;
import dev.javisor.hypervisor.CpuModel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * One guest for each class of instructions that some KVM refuses to emulate at level 0 (a nested
 * PVM's all of these), for {@link Lockstep}: it executes a few of them, stops, and is compared.
 */
public final class RefusedCases {
    private static final long FROM = DATA;
    private static final long TO = DATA + 0x800;

    private RefusedCases() {}

    /** By the name of the class. */
    public static List<Case> cases() {
        List<Case> all = new ArrayList<>();
        add(
                all,
                "cmpxchg16b",
                a -> {
                    a.mov(RAX, 1).mov(RDX, 2).mov(RBX, 3).mov(RCX, 4).mov(RDI, TO);
                    a.bytes(0x48, 0x0F, 0xC7, 0x0F); // unequal: loads RDX:RAX
                    a.bytes(0xF0, 0x48, 0x0F, 0xC7, 0x0F); // equal, locked
                });
        add(all, "popcnt", a -> bits(a, 0xB8));
        add(all, "lzcnt", a -> bits(a, 0xBD));
        add(all, "tzcnt", a -> bits(a, 0xBC));
        add(
                all,
                "crc32",
                a -> {
                    a.mov(RAX, 0x1234).mov(RBX, 0x1122_3344_5566_7788L);
                    a.bytes(0xF2, 0x48, 0x0F, 0x38, 0xF1, 0xC3).bytes(0xF2, 0x0F, 0x38, 0xF0, 0xC3);
                });
        add(
                all,
                "adcx-adox",
                a -> {
                    a.mov(RAX, -1L).mov(RBX, 5).bytes(0xF9); // STC
                    a.bytes(0x66, 0x48, 0x0F, 0x38, 0xF6, 0xC3)
                            .bytes(0xF3, 0x48, 0x0F, 0x38, 0xF6, 0xC3);
                });
        add(all, "int3", a -> a.mov(R15, "after").bytes(0xCC).label("after"));
        add(all, "int-n", a -> a.mov(R15, "after").interrupt(3).label("after"));
        add(all, "icebp", a -> a.mov(R15, "after").bytes(0xF1).label("after"));
        add(all, "lar", a -> a.mov(RBX, USER_CODE).bytes(0x0F, 0x02, 0xC3));
        add(all, "lsl", a -> a.mov(RBX, USER_DATA).bytes(0x0F, 0x03, 0xC3));
        add(all, "verw", a -> a.mov(RBX, DATA0).bytes(0x0F, 0x00, 0xEB));
        add(all, "verr", a -> a.mov(RBX, CODE0).bytes(0x0F, 0x00, 0xE3));
        add(
                all,
                "stac-clac",
                a -> {
                    a.bytes(0x0F, 0x01, 0xCB)
                            .pushf()
                            .pop(RBX)
                            .bytes(0x0F, 0x01, 0xCA)
                            .pushf()
                            .pop(RCX);
                });
        add(
                all,
                "rdtscp",
                a -> {
                    // The counter differs; what it puts into RCX must not.
                    a.mov(RCX, 0x5A).bytes(0x0F, 0x01, 0xF9).mov(RAX, 0).mov(RDX, 0);
                });
        add(all, "monitor", a -> a.mov(R15, "after").bytes(0x0F, 0x01, 0xC8).label("after"));
        add(all, "clwb", a -> a.mov(RDI, TO).bytes(0x66, 0x0F, 0xAE, 0x37));
        add(
                all,
                "ldmxcsr-stmxcsr",
                a -> {
                    a.storeImm(4, abs(TO), 0x5F80).mov(RDI, TO).bytes(0x0F, 0xAE, 0x17);
                    a.bytes(0x0F, 0xAE, 0x5F, 0x10);
                });
        add(
                all,
                "sse-arithmetic",
                a -> {
                    load(a);
                    a.bytes(0x66, 0x0F, 0x58, 0xC1).bytes(0x0F, 0x59, 0xD3); // ADDPD, MULPS
                    a.bytes(0x66, 0x0F, 0xFE, 0xC2).bytes(0x66, 0x0F, 0xEF, 0xD9); // PADDD, PXOR
                });
        add(
                all,
                "movd-movq",
                a -> {
                    a.mov(RAX, 0x1122_3344_5566_7788L).bytes(0x66, 0x48, 0x0F, 0x6E, 0xC0);
                    a.bytes(0x66, 0x0F, 0x7E, 0xC3);
                });
        add(
                all,
                "x87",
                a -> {
                    a.bytes(0xDB, 0xE3).bytes(0xD9, 0xE8).bytes(0xD9, 0xEB); // FNINIT, FLD1, FLDPI
                    a.bytes(0xDE, 0xC1).mov(RDI, TO).bytes(0xDD, 0x17); // FADDP, FST
                    a.bytes(0x9B).bytes(0xD9, 0xE0); // FWAIT, FCHS
                });
        add(
                all,
                "emms",
                a -> {
                    a.mov(RAX, 7).bytes(0x0F, 0x6E, 0xC0).bytes(0x0F, 0x77); // MOVD MM0; EMMS
                });
        add(
                all,
                "xsave-xrstor",
                CpuModel.X86_64_V3,
                a -> {
                    enableAvx(a);
                    load(a);
                    a.mov(RDI, TO + 0x40).mov(RAX, 7).mov(RDX, 0);
                    a.bytes(0x48, 0x0F, 0xAE, 0x27).movdquLoad(0, abs(FROM + 32));
                    a.mov(RAX, 3).bytes(0x48, 0x0F, 0xAE, 0x2F);
                });
        add(
                all,
                "xgetbv",
                CpuModel.X86_64_V3,
                a -> {
                    enableAvx(a);
                    a.mov(RCX, 0).bytes(0x0F, 0x01, 0xD0);
                });
        add(
                all,
                "vex-avx",
                CpuModel.X86_64_V3,
                a -> {
                    enableAvx(a);
                    load(a);
                    a.mov(RSI, FROM).bytes(0xC5, 0xFE, 0x6F, 0x26); // VMOVDQU YMM4, [RSI]
                    a.bytes(0xC5, 0xDD, 0xFE, 0xEC).bytes(0xC5, 0xDD, 0x58, 0xF5); // VPADDD, VADDPD
                });
        add(
                all,
                "vex-bmi",
                a -> {
                    a.mov(RAX, 0xFF00).mov(RBX, 0x1234_5678);
                    a.bytes(0xC4, 0xE2, 0x78, 0xF2, 0xCB); // ANDN ECX, EAX, EBX
                    a.bytes(0xC4, 0xE3, 0xFB, 0xF0, 0xD3, 0x0D); // RORX RDX, RBX, 13
                });
        add(
                all,
                "invpcid",
                a -> {
                    a.mov(RAX, 2)
                            .mov(RDI, TO)
                            .mov(R15, "after")
                            .bytes(0x66, 0x0F, 0x38, 0x82, 0x07);
                    a.label("after");
                });
        return List.copyOf(all);
    }

    private static void add(List<Case> all, String name, Consumer<Asm> code) {
        add(all, name, CpuModel.X86_64_V2, code);
    }

    private static void add(List<Case> all, String name, CpuModel model, Consumer<Asm> code) {
        all.add(
                new Case(
                        name,
                        model,
                        bed -> {
                            for (int i = 0; i < 96; i += 8) {
                                bed.memory.writeLong(
                                        FROM + i, 0x3FF1_2345_4006_789AL + i * 0x1111L);
                            }
                            Asm a = new Asm(64, CODE);
                            code.accept(a);
                            // Flags that it leaves undefined are none of anybody's business.
                            a.aluImm(Alu.CMP, 8, RSP, 0).outImm(Lockstep.SYNC_PORT, 1).exit(1);
                            bed.load(a);
                            bed.start64(0, CODE, STACK);
                        },
                        List.of()));
    }

    /** POPCNT and its kin, on 8 and 4 bytes. */
    private static void bits(Asm a, int opcode) {
        a.mov(RBX, 0x00F0_1234_5678_9AB0L);
        a.bytes(0xF3, 0x48, 0x0F, opcode, 0xC3).bytes(0xF3, 0x0F, opcode, 0xCB);
    }

    private static void load(Asm a) {
        for (int i = 0; i < 4; i++) {
            a.movdquLoad(i, abs(FROM + 16 * i));
        }
    }

    private static void enableAvx(Asm a) {
        a.movFromCr(RAX, 4).aluImm(Alu.OR, 4, RAX, 0x40000).movToCr(4, RAX);
        a.mov(RCX, 0).mov(RAX, 7).mov(RDX, 0).bytes(0x0F, 0x01, 0xD1); // XSETBV
    }
}
