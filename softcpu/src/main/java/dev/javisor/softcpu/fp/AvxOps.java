package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Mmu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/**
 * Instructions that exist only with VEX: AVX, AVX2, F16C; FMA is in {@link FmaOps}. VEX forms of
 * SSE instructions are executed where their legacy forms are.
 */
public final class AvxOps {
    private AvxOps() {}

    public static void execute(Cpu cpu, Insn in) {
        FpChecks.sse(cpu, in);
        FpUnit u = cpu.fpu;
        long[] v = cpu.vec;
        switch (in.op) {
            case VZEROUPPER -> {
                for (int n = 0; n < (cpu.long64 ? 16 : 8); n++) {
                    v[4 * n + 2] = 0;
                    v[4 * n + 3] = 0;
                }
            }
            case VZEROALL -> {
                for (int i = 0; i < (cpu.long64 ? 64 : 32); i++) {
                    v[i] = 0;
                }
            }
            case VPBROADCASTB -> broadcast(cpu, in, 1, 0x0101_0101_0101_0101L);
            case VPBROADCASTW -> broadcast(cpu, in, 2, 0x0001_0001_0001_0001L);
            case VBROADCASTSS, VPBROADCASTD -> broadcast(cpu, in, 4, 0x0000_0001_0000_0001L);
            case VBROADCASTSD, VPBROADCASTQ -> broadcast(cpu, in, 8, 1);
            case VBROADCASTF128, VBROADCASTI128 -> {
                load128(cpu, in, in.kind1, in.reg1);
                finish(cpu, in, u.b0, u.b1, u.b0, u.b1);
            }
            case VEXTRACTF128, VEXTRACTI128 -> extract(cpu, in);
            case VINSERTF128, VINSERTI128 -> {
                load128(cpu, in, in.kind2, in.reg2);
                int a = 4 * in.reg1;
                if ((in.imm & 1) == 0) {
                    finish(cpu, in, u.b0, u.b1, v[a + 2], v[a + 3]);
                } else {
                    finish(cpu, in, v[a], v[a + 1], u.b0, u.b1);
                }
            }
            case VPERM2F128, VPERM2I128 -> {
                Vectors.loadSecond(cpu, in);
                permuteHalves(cpu, in);
            }
            case VPERMILPS, VPERMILPD -> permuteInHalves(cpu, in);
            case VPERMD, VPERMPS -> {
                Vectors.loadSecond(cpu, in);
                int a = 4 * in.reg1;
                long i0 = v[a];
                long i1 = v[a + 1];
                long i2 = v[a + 2];
                long i3 = v[a + 3];
                finish(cpu, in, dwords(u, i0), dwords(u, i1), dwords(u, i2), dwords(u, i3));
            }
            case VPERMQ, VPERMPD -> {
                Vectors.load(cpu, in, in.kind1, in.reg1);
                int imm = (int) in.imm;
                finish(
                        cpu,
                        in,
                        word(u, imm),
                        word(u, imm >> 2),
                        word(u, imm >> 4),
                        word(u, imm >> 6));
            }
            case VPBLENDD -> {
                Vectors.loadSecond(cpu, in);
                int a = 4 * in.reg1;
                int imm = (int) in.imm;
                finish(
                        cpu,
                        in,
                        SseShuffleOps.blendDwords(imm, v[a], u.b0),
                        SseShuffleOps.blendDwords(imm >> 2, v[a + 1], u.b1),
                        SseShuffleOps.blendDwords(imm >> 4, v[a + 2], u.b2),
                        SseShuffleOps.blendDwords(imm >> 6, v[a + 3], u.b3));
            }
            case VPSLLVD, VPSLLVQ, VPSRLVD, VPSRLVQ, VPSRAVD -> {
                Vectors.loadSecond(cpu, in);
                int a = 4 * in.reg1;
                Op op = in.op;
                finish(
                        cpu,
                        in,
                        shift(op, v[a], u.b0),
                        shift(op, v[a + 1], u.b1),
                        shift(op, v[a + 2], u.b2),
                        shift(op, v[a + 3], u.b3));
            }
            case VTESTPS -> SseShuffleOps.test(cpu, in, 0x8000_0000_8000_0000L);
            case VTESTPD -> SseShuffleOps.test(cpu, in, 1L << 63);
            case VMASKMOVPS, VPMASKMOVD -> maskedMove(cpu, in, 4);
            case VMASKMOVPD, VPMASKMOVQ -> maskedMove(cpu, in, 8);
            case VGATHERDPS, VPGATHERDD -> gather(cpu, in, 4, 4);
            case VGATHERDPD, VPGATHERDQ -> gather(cpu, in, 4, 8);
            case VGATHERQPS, VPGATHERQD -> gather(cpu, in, 8, 4);
            case VGATHERQPD, VPGATHERQQ -> gather(cpu, in, 8, 8);
            case VCVTPH2PS -> fromHalves(cpu, in);
            case VCVTPS2PH -> toHalves(cpu, in);
            default -> FmaOps.execute(cpu, in);
        }
    }

    private static void finish(Cpu cpu, Insn in, long r0, long r1, long r2, long r3) {
        Vectors.set(cpu, in, r0, r1);
        if (in.vectorBytes == 32) {
            Vectors.setUpper(cpu, in, r2, r3);
        }
    }

    private static void load128(Cpu cpu, Insn in, int kind, int reg) {
        FpUnit u = cpu.fpu;
        if (kind == Insn.XMM) {
            u.b0 = cpu.vec[4 * reg];
            u.b1 = cpu.vec[4 * reg + 1];
        } else {
            long linear = Vectors.source(cpu, in, 16);
            u.b0 = cpu.mmu.read64(linear);
            u.b1 = cpu.mmu.read64(Vectors.next(cpu, linear, 8));
        }
    }

    private static void broadcast(Cpu cpu, Insn in, int sizeBytes, long copies) {
        long value =
                in.kind1 == Insn.XMM
                        ? cpu.vec[4 * in.reg1] & (-1L >>> (64 - 8 * sizeBytes))
                        : cpu.mmu.read(cpu.linear(in, sizeBytes, false), sizeBytes);
        long r = value * copies;
        finish(cpu, in, r, r, r, r);
    }

    private static void extract(Cpu cpu, Insn in) {
        int i = 4 * in.reg1 + 2 * ((int) in.imm & 1);
        long low = cpu.vec[i];
        long high = cpu.vec[i + 1];
        if (in.kind0 == Insn.MEM) {
            cpu.mmu.write128(cpu.linear(in, 16, true), low, high);
        } else {
            Vectors.set(cpu, in, low, high);
        }
    }

    private static void permuteHalves(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        int a = 4 * in.reg1;
        long[] v = cpu.vec;
        long[] r = u.words;
        for (int half = 0; half < 2; half++) {
            int choice = (int) in.imm >> (4 * half);
            for (int w = 0; w < 2; w++) {
                long value =
                        switch (choice & 3) {
                            case 0 -> v[a + w];
                            case 1 -> v[a + 2 + w];
                            case 2 -> w == 0 ? u.b0 : u.b1;
                            default -> w == 0 ? u.b2 : u.b3;
                        };
                r[2 * half + w] = (choice & 8) != 0 ? 0 : value;
            }
        }
        finish(cpu, in, r[0], r[1], r[2], r[3]);
    }

    /** VPERMILPS, VPERMILPD: the control is an immediate or the second source. */
    private static void permuteInHalves(Cpu cpu, Insn in) {
        FpUnit u = cpu.fpu;
        boolean single = in.op == Op.VPERMILPS;
        long[] c = u.words;
        if (in.kind2 == Insn.IMM) {
            Vectors.load(cpu, in, in.kind1, in.reg1);
            int imm = (int) in.imm;
            for (int i = 0; i < 4; i++) {
                c[i] =
                        single
                                ? Packed.join(imm >> (4 * (i & 1)), imm >> (4 * (i & 1) + 2))
                                : (long) imm >> i << 1;
            }
        } else {
            Vectors.load(cpu, in, in.kind2, in.reg2);
            c[0] = u.b0;
            c[1] = u.b1;
            c[2] = u.b2;
            c[3] = u.b3;
            Vectors.load(cpu, in, Insn.XMM, in.reg1);
        }
        finish(
                cpu,
                in,
                chosen(single, u.b0, u.b1, c[0]),
                chosen(single, u.b0, u.b1, c[1]),
                chosen(single, u.b2, u.b3, c[2]),
                chosen(single, u.b2, u.b3, c[3]));
    }

    private static long chosen(boolean single, long low, long high, long control) {
        if (!single) {
            return (control & 2) == 0 ? low : high;
        }
        return Packed.dword(low, high, (int) control)
                | Packed.dword(low, high, (int) (control >>> 32)) << 32;
    }

    private static long word(FpUnit u, int n) {
        return switch (n & 3) {
            case 0 -> u.b0;
            case 1 -> u.b1;
            case 2 -> u.b2;
            default -> u.b3;
        };
    }

    private static long dwords(FpUnit u, long control) {
        return dword(u, (int) control) | dword(u, (int) (control >>> 32)) << 32;
    }

    private static long dword(FpUnit u, int n) {
        return word(u, n >> 1) >>> (32 * (n & 1)) & 0xFFFFFFFFL;
    }

    private static long shift(Op op, long a, long counts) {
        return switch (op) {
            case VPSLLVQ -> Long.compareUnsigned(counts, 63) > 0 ? 0 : a << counts;
            case VPSRLVQ -> Long.compareUnsigned(counts, 63) > 0 ? 0 : a >>> counts;
            default ->
                    Packed.join(
                            shift32(op, (int) a, (int) counts),
                            shift32(op, (int) (a >>> 32), (int) (counts >>> 32)));
        };
    }

    private static int shift32(Op op, int a, int count) {
        boolean all = Integer.compareUnsigned(count, 31) > 0;
        return switch (op) {
            case VPSLLVD -> all ? 0 : a << count;
            case VPSRLVD -> all ? 0 : a >>> count;
            default -> a >> (all ? 31 : count);
        };
    }

    // ------------------------------------------------------------------ memory by elements

    private static boolean selected(long[] v, int mask, int element, int sizeBytes) {
        int bit = 8 * sizeBytes * element + 8 * sizeBytes - 1;
        return (v[mask + (bit >> 6)] >>> (bit & 63) & 1) != 0;
    }

    /** Elements whose mask is clear are not accessed and load as zero. */
    private static void maskedMove(Cpu cpu, Insn in, int sizeBytes) {
        long[] v = cpu.vec;
        Mmu mmu = cpu.mmu;
        int mask = 4 * in.reg1;
        boolean store = in.kind0 == Insn.MEM;
        int count = in.vectorBytes / sizeBytes;
        long offset = cpu.effectiveAddress(in);
        long[] r = cpu.fpu.words;
        r[0] = 0;
        r[1] = 0;
        r[2] = 0;
        r[3] = 0;
        // Two passes for stores: no element is written if another faults.
        for (int pass = store ? 0 : 1; pass < 2; pass++) {
            for (int i = 0; i < count; i++) {
                if (!selected(v, mask, i, sizeBytes)) {
                    continue;
                }
                int bit = 8 * sizeBytes * i;
                long at = wrapped(in, offset + (long) sizeBytes * i);
                long linear = cpu.linear(in.seg, at, sizeBytes, store);
                if (!store) {
                    r[bit >> 6] |= mmu.read(linear, sizeBytes) << (bit & 63);
                } else if (pass == 0) {
                    mmu.probeWrite(linear, sizeBytes);
                } else {
                    mmu.write(linear, sizeBytes, v[4 * in.reg2 + (bit >> 6)] >>> (bit & 63));
                }
            }
        }
        if (!store) {
            finish(cpu, in, r[0], r[1], r[2], r[3]);
        }
    }

    private static long wrapped(Insn in, long offset) {
        return in.addrSize == 8 ? offset : offset & 0xFFFFFFFFL;
    }

    /**
     * Gathers (SDM 2C): elements in order, each clearing its mask as it is loaded, so that a fault
     * leaves what was done and the instruction can be run again.
     */
    private static void gather(Cpu cpu, Insn in, int indexBytes, int sizeBytes) {
        long[] v = cpu.vec;
        int destination = 4 * in.reg0;
        int mask = 4 * in.reg2;
        int index = 4 * in.index;
        int count = in.vectorBytes / Math.max(indexBytes, sizeBytes);
        // The mask becomes all sign bits first.
        for (int i = 0; i < count; i++) {
            setElement(v, mask, i, sizeBytes, selected(v, mask, i, sizeBytes) ? -1 : 0);
        }
        for (int i = 0; i < count; i++) {
            if (selected(v, mask, i, sizeBytes)) {
                long x =
                        indexBytes == 8
                                ? v[index + i]
                                : (int) (v[index + (i >> 1)] >>> (32 * (i & 1)));
                long offset = cpu.regs[in.base] + (x << in.scale) + in.disp;
                long linear = cpu.linear(in.seg, wrapped(in, offset), sizeBytes, false);
                setElement(v, destination, i, sizeBytes, cpu.mmu.read(linear, sizeBytes));
                setElement(v, mask, i, sizeBytes, 0);
            }
        }
        int used = count * sizeBytes / 8;
        for (int w = 0; w < 4; w++) {
            v[mask + w] = 0;
            if (w >= used) {
                v[destination + w] = 0;
            }
        }
    }

    private static void setElement(long[] v, int at, int i, int sizeBytes, long value) {
        if (sizeBytes == 8) {
            v[at + i] = value;
        } else {
            int shift = 32 * (i & 1);
            long kept = v[at + (i >> 1)] & ~(0xFFFFFFFFL << shift);
            v[at + (i >> 1)] = kept | (value & 0xFFFFFFFFL) << shift;
        }
    }

    // ------------------------------------------------------------------ half precision

    private static void fromHalves(Cpu cpu, Insn in) {
        boolean wide = in.vectorBytes == 32;
        Vectors.loadHalf(cpu, in);
        long b0 = cpu.fpu.b0;
        long b1 = cpu.fpu.b1;
        SoftFloat f = SseMath.begin(cpu);
        long r0 = SseMath.halves(f, (int) b0);
        long r1 = SseMath.halves(f, (int) (b0 >>> 32));
        long r2 = wide ? SseMath.halves(f, (int) b1) : 0;
        long r3 = wide ? SseMath.halves(f, (int) (b1 >>> 32)) : 0;
        SseMath.finish(cpu, f);
        finish(cpu, in, r0, r1, r2, r3);
    }

    private static void toHalves(Cpu cpu, Insn in) {
        long[] v = cpu.vec;
        int a = 4 * in.reg1;
        int imm = (int) in.imm;
        boolean wide = in.vectorBytes == 32;
        SoftFloat f = SseMath.begin(cpu);
        int mode = (imm & 4) != 0 ? f.rounding : imm & 3;
        long low = fourHalves(f, v[a], v[a + 1], mode);
        long high = wide ? fourHalves(f, v[a + 2], v[a + 3], mode) : 0;
        if (in.kind0 == Insn.MEM) {
            long linear = cpu.linear(in, wide ? 16 : 8, true);
            cpu.mmu.probeWrite(linear, wide ? 16 : 8);
            SseMath.finish(cpu, f);
            if (wide) {
                cpu.mmu.write128(linear, low, high);
            } else {
                cpu.mmu.write64(linear, low);
            }
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, low, high);
        }
    }

    private static long fourHalves(SoftFloat f, long x, long y, int mode) {
        return SseMath.toHalf(f, (int) x, mode)
                | (long) SseMath.toHalf(f, (int) (x >>> 32), mode) << 16
                | (long) SseMath.toHalf(f, (int) y, mode) << 32
                | (long) SseMath.toHalf(f, (int) (y >>> 32), mode) << 48;
    }
}
