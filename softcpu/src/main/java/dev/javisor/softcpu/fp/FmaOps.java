package dev.javisor.softcpu.fp;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;

/** Fused multiply-add (SDM 2C, VFMADD132PD and following). */
final class FmaOps {
    // What an operation is, by its ordinal, from its name.
    private static final int NEGATE_PRODUCT = 1;

    /** The addend is subtracted in even elements. */
    private static final int SUBTRACT_EVEN = 2;

    private static final int SUBTRACT_ODD = 4;
    private static final int SCALAR = 8;
    private static final int DOUBLE = 16;

    /** Operand order 132, 213, 231 as 1, 2, 3; 0 where it is not such an operation. */
    private static final int ORDER_SHIFT = 5;

    private static final byte[] SHAPE = new byte[Op.values().length];

    static {
        for (Op op : Op.values()) {
            String name = op.name();
            if (name.startsWith("VFM") || name.startsWith("VFNM")) {
                SHAPE[op.ordinal()] = (byte) shape(name);
            }
        }
    }

    private FmaOps() {}

    private static int shape(String name) {
        int shape = name.startsWith("VFNM") ? NEGATE_PRODUCT : 0;
        String kind = name.substring(name.indexOf('M') + 1);
        if (kind.startsWith("ADDSUB")) {
            shape |= SUBTRACT_EVEN;
        } else if (kind.startsWith("SUBADD")) {
            shape |= SUBTRACT_ODD;
        } else if (kind.startsWith("SUB")) {
            shape |= SUBTRACT_EVEN | SUBTRACT_ODD;
        }
        shape |= name.charAt(name.length() - 2) == 'S' ? SCALAR : 0;
        shape |= name.endsWith("D") ? DOUBLE : 0;
        int order = name.contains("132") ? 1 : name.contains("213") ? 2 : 3;
        return shape | order << ORDER_SHIFT;
    }

    static void execute(Cpu cpu, Insn in) {
        int shape = SHAPE[in.op.ordinal()];
        if (shape >> ORDER_SHIFT == 0) {
            throw cpu.ud();
        }
        FpUnit u = cpu.fpu;
        if ((shape & SCALAR) != 0) {
            u.b0 = Vectors.loadScalar(cpu, in, in.kind2, in.reg2, (shape & DOUBLE) != 0 ? 8 : 4);
        } else {
            Vectors.loadSecond(cpu, in);
        }
        long[] v = cpu.vec;
        int x = 4 * in.reg0;
        int y = 4 * in.reg1;
        SoftFloat f = SseMath.begin(cpu);
        if ((shape & SCALAR) != 0) {
            long low;
            if ((shape & DOUBLE) != 0) {
                low = fuse64(f, shape, v[x], v[y], u.b0, 0);
            } else {
                int r = fuse32(f, shape, (int) v[x], (int) v[y], (int) u.b0, 0);
                low = (v[x] & ~0xFFFFFFFFL) | (r & 0xFFFFFFFFL);
            }
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, low, v[x + 1]);
            return;
        }
        long r0 = word(f, shape, v[x], v[y], u.b0, 0);
        long r1 = word(f, shape, v[x + 1], v[y + 1], u.b1, 1);
        if (in.vectorBytes == 32) {
            long r2 = word(f, shape, v[x + 2], v[y + 2], u.b2, 0);
            long r3 = word(f, shape, v[x + 3], v[y + 3], u.b3, 1);
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
            Vectors.setUpper(cpu, in, r2, r3);
        } else {
            SseMath.finish(cpu, f);
            Vectors.set(cpu, in, r0, r1);
        }
    }

    private static long word(SoftFloat f, int shape, long x, long y, long z, int index) {
        if ((shape & DOUBLE) != 0) {
            return fuse64(f, shape, x, y, z, index);
        }
        return Packed.join(
                fuse32(f, shape, (int) x, (int) y, (int) z, 0),
                fuse32(f, shape, (int) (x >>> 32), (int) (y >>> 32), (int) (z >>> 32), 1));
    }

    /** x, y, z are operands 1, 2, 3. */
    private static long fuse64(SoftFloat f, int shape, long x, long y, long z, int index) {
        boolean negate = (shape & NEGATE_PRODUCT) != 0;
        boolean subtract = (shape & (index == 0 ? SUBTRACT_EVEN : SUBTRACT_ODD)) != 0;
        return switch (shape >> ORDER_SHIFT) {
            case 1 -> SseMath.fuse64(f, x, z, y, negate, subtract);
            case 2 -> SseMath.fuse64(f, y, x, z, negate, subtract);
            default -> SseMath.fuse64(f, y, z, x, negate, subtract);
        };
    }

    private static int fuse32(SoftFloat f, int shape, int x, int y, int z, int index) {
        boolean negate = (shape & NEGATE_PRODUCT) != 0;
        boolean subtract = (shape & (index == 0 ? SUBTRACT_EVEN : SUBTRACT_ODD)) != 0;
        return switch (shape >> ORDER_SHIFT) {
            case 1 -> SseMath.fuse32(f, x, z, y, negate, subtract);
            case 2 -> SseMath.fuse32(f, y, x, z, negate, subtract);
            default -> SseMath.fuse32(f, y, z, x, negate, subtract);
        };
    }
}
