package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.L0;
import static dev.javisor.softcpu.decode.Form.L1;
import static dev.javisor.softcpu.decode.Form.LIG;
import static dev.javisor.softcpu.decode.Form.NP;
import static dev.javisor.softcpu.decode.Form.OS_Y;
import static dev.javisor.softcpu.decode.Form.P66;
import static dev.javisor.softcpu.decode.Form.PF2;
import static dev.javisor.softcpu.decode.Form.PF3;
import static dev.javisor.softcpu.decode.Form.W0;
import static dev.javisor.softcpu.decode.Form.W1;
import static dev.javisor.softcpu.decode.Form.byW;
import static dev.javisor.softcpu.decode.Form.of;
import static dev.javisor.softcpu.decode.Operand.*;

/** Opcodes of VEX maps 2 and 3 without a legacy form: AVX, AVX2, F16C, FMA, BMI1, BMI2. */
final class VexMaps {
    private VexMaps() {}

    static void add38(OpcodeMap t) {
        permutes(t);
        broadcasts(t);
        masksAndShifts(t);
        gathers(t);
        fma(t);
        bmi(t);
    }

    private static void permutes(OpcodeMap t) {
        t.vex(0x0C, P66 | W0, Op.VPERMILPS, Vx, Hx, Wx);
        t.vex(0x0D, P66 | W0, Op.VPERMILPD, Vx, Hx, Wx);
        t.vex(0x0E, P66 | W0, Op.VTESTPS, Vx, Wx);
        t.vex(0x0F, P66 | W0, Op.VTESTPD, Vx, Wx);
        t.vex(0x13, P66 | W0, Op.VCVTPH2PS, Vx, WxHalf);
        t.vex(0x16, P66 | W0 | L1, Op.VPERMPS, Vx, Hx, Wx);
        t.vex(0x36, P66 | W0 | L1, Op.VPERMD, Vx, Hx, Wx);
    }

    private static void broadcasts(OpcodeMap t) {
        t.vex(0x18, P66 | W0, Op.VBROADCASTSS, Vx, Wd);
        t.vex(0x19, P66 | W0 | L1, Op.VBROADCASTSD, Vx, Wq);
        t.vex(0x1A, P66 | W0 | L1, Op.VBROADCASTF128, Vx, Mdq);
        t.vex(0x58, P66 | W0, Op.VPBROADCASTD, Vx, Wd);
        t.vex(0x59, P66 | W0, Op.VPBROADCASTQ, Vx, Wq);
        t.vex(0x5A, P66 | W0 | L1, Op.VBROADCASTI128, Vx, Mdq);
        t.vex(0x78, P66 | W0, Op.VPBROADCASTB, Vx, Wb);
        t.vex(0x79, P66 | W0, Op.VPBROADCASTW, Vx, Ww);
    }

    private static void masksAndShifts(OpcodeMap t) {
        t.vex(0x2C, P66 | W0, Op.VMASKMOVPS, Vx, Hx, Mx);
        t.vex(0x2D, P66 | W0, Op.VMASKMOVPD, Vx, Hx, Mx);
        t.vex(0x2E, P66 | W0, Op.VMASKMOVPS, Mx, Hx, Vx);
        t.vex(0x2F, P66 | W0, Op.VMASKMOVPD, Mx, Hx, Vx);
        t.vex(0x8C, P66, byW(of(0, Op.VPMASKMOVD, Vx, Hx, Mx), of(0, Op.VPMASKMOVQ, Vx, Hx, Mx)));
        t.vex(0x8E, P66, byW(of(0, Op.VPMASKMOVD, Mx, Hx, Vx), of(0, Op.VPMASKMOVQ, Mx, Hx, Vx)));
        t.vex(0x45, P66, byW(of(0, Op.VPSRLVD, Vx, Hx, Wx), of(0, Op.VPSRLVQ, Vx, Hx, Wx)));
        t.vex(0x46, P66 | W0, Op.VPSRAVD, Vx, Hx, Wx);
        t.vex(0x47, P66, byW(of(0, Op.VPSLLVD, Vx, Hx, Wx), of(0, Op.VPSLLVQ, Vx, Hx, Wx)));
    }

    private static void gathers(OpcodeMap t) {
        gather(t, 0x90, Op.VPGATHERDD, Op.VPGATHERDQ);
        gather(t, 0x91, Op.VPGATHERQD, Op.VPGATHERQQ);
        gather(t, 0x92, Op.VGATHERDPS, Op.VGATHERDPD);
        gather(t, 0x93, Op.VGATHERQPS, Op.VGATHERQPD);
    }

    /** Destination, memory with vector index, mask. The memory size is that of an element. */
    private static void gather(OpcodeMap t, int opcode, Op w0, Op w1) {
        t.vex(opcode, P66, byW(of(0, w0, Vx, MdVsib, Hx), of(0, w1, Vx, MqVsib, Hx)));
    }

    private static void fma(OpcodeMap t) {
        fma(
                t,
                0x6,
                new Op[] {Op.VFMADDSUB132PS, Op.VFMADDSUB213PS, Op.VFMADDSUB231PS},
                new Op[] {Op.VFMADDSUB132PD, Op.VFMADDSUB213PD, Op.VFMADDSUB231PD});
        fma(
                t,
                0x7,
                new Op[] {Op.VFMSUBADD132PS, Op.VFMSUBADD213PS, Op.VFMSUBADD231PS},
                new Op[] {Op.VFMSUBADD132PD, Op.VFMSUBADD213PD, Op.VFMSUBADD231PD});
        fma(
                t,
                0x8,
                new Op[] {Op.VFMADD132PS, Op.VFMADD213PS, Op.VFMADD231PS},
                new Op[] {Op.VFMADD132PD, Op.VFMADD213PD, Op.VFMADD231PD});
        scalarFma(
                t,
                0x9,
                new Op[] {Op.VFMADD132SS, Op.VFMADD213SS, Op.VFMADD231SS},
                new Op[] {Op.VFMADD132SD, Op.VFMADD213SD, Op.VFMADD231SD});
        fma(
                t,
                0xA,
                new Op[] {Op.VFMSUB132PS, Op.VFMSUB213PS, Op.VFMSUB231PS},
                new Op[] {Op.VFMSUB132PD, Op.VFMSUB213PD, Op.VFMSUB231PD});
        scalarFma(
                t,
                0xB,
                new Op[] {Op.VFMSUB132SS, Op.VFMSUB213SS, Op.VFMSUB231SS},
                new Op[] {Op.VFMSUB132SD, Op.VFMSUB213SD, Op.VFMSUB231SD});
        fma(
                t,
                0xC,
                new Op[] {Op.VFNMADD132PS, Op.VFNMADD213PS, Op.VFNMADD231PS},
                new Op[] {Op.VFNMADD132PD, Op.VFNMADD213PD, Op.VFNMADD231PD});
        scalarFma(
                t,
                0xD,
                new Op[] {Op.VFNMADD132SS, Op.VFNMADD213SS, Op.VFNMADD231SS},
                new Op[] {Op.VFNMADD132SD, Op.VFNMADD213SD, Op.VFNMADD231SD});
        fma(
                t,
                0xE,
                new Op[] {Op.VFNMSUB132PS, Op.VFNMSUB213PS, Op.VFNMSUB231PS},
                new Op[] {Op.VFNMSUB132PD, Op.VFNMSUB213PD, Op.VFNMSUB231PD});
        scalarFma(
                t,
                0xF,
                new Op[] {Op.VFNMSUB132SS, Op.VFNMSUB213SS, Op.VFNMSUB231SS},
                new Op[] {Op.VFNMSUB132SD, Op.VFNMSUB213SD, Op.VFNMSUB231SD});
    }

    /** The 132, 213 and 231 orders are at 9x, Ax and Bx. */
    private static void fma(OpcodeMap t, int low, Op[] single, Op[] dual) {
        for (int i = 0; i < 3; i++) {
            Form w0 = of(0, single[i], Vx, Hx, Wx);
            t.vex(0x90 + 0x10 * i + low, P66, byW(w0, of(0, dual[i], Vx, Hx, Wx)));
        }
    }

    private static void scalarFma(OpcodeMap t, int low, Op[] single, Op[] dual) {
        for (int i = 0; i < 3; i++) {
            Form w0 = of(LIG, single[i], Vx, Hx, Wd);
            t.vex(0x90 + 0x10 * i + low, P66, byW(w0, of(LIG, dual[i], Vx, Hx, Wq)));
        }
    }

    private static void bmi(OpcodeMap t) {
        t.vex(0xF2, NP | L0 | OS_Y, Op.ANDN, Gy, By, Ey);
        t.vex(0xF3, NP, Groups.group17());
        t.vex(0xF5, NP | L0 | OS_Y, Op.BZHI, Gy, Ey, By);
        t.vex(0xF5, PF3 | L0 | OS_Y, Op.PEXT, Gy, By, Ey);
        t.vex(0xF5, PF2 | L0 | OS_Y, Op.PDEP, Gy, By, Ey);
        t.vex(0xF6, PF2 | L0 | OS_Y, Op.MULX, Gy, By, Ey);
        t.vex(0xF7, NP | L0 | OS_Y, Op.BEXTR, Gy, Ey, By);
        t.vex(0xF7, P66 | L0 | OS_Y, Op.SHLX, Gy, Ey, By);
        t.vex(0xF7, PF3 | L0 | OS_Y, Op.SARX, Gy, Ey, By);
        t.vex(0xF7, PF2 | L0 | OS_Y, Op.SHRX, Gy, Ey, By);
    }

    static void add3A(OpcodeMap t) {
        t.vex(0x00, P66 | W1 | L1, Op.VPERMQ, Vx, Wx, Ub);
        t.vex(0x01, P66 | W1 | L1, Op.VPERMPD, Vx, Wx, Ub);
        t.vex(0x02, P66 | W0, Op.VPBLENDD, Vx, Hx, Wx, Ub);
        t.vex(0x04, P66 | W0, Op.VPERMILPS, Vx, Wx, Ub);
        t.vex(0x05, P66 | W0, Op.VPERMILPD, Vx, Wx, Ub);
        t.vex(0x06, P66 | W0 | L1, Op.VPERM2F128, Vx, Hx, Wx, Ub);
        t.vex(0x18, P66 | W0 | L1, Op.VINSERTF128, Vx, Hx, Wdq, Ub);
        t.vex(0x19, P66 | W0 | L1, Op.VEXTRACTF128, Wdq, Vx, Ub);
        t.vex(0x1D, P66 | W0, Op.VCVTPS2PH, WxHalf, Vx, Ub);
        t.vex(0x38, P66 | W0 | L1, Op.VINSERTI128, Vx, Hx, Wdq, Ub);
        t.vex(0x39, P66 | W0 | L1, Op.VEXTRACTI128, Wdq, Vx, Ub);
        t.vex(0x46, P66 | W0 | L1, Op.VPERM2I128, Vx, Hx, Wx, Ub);
        t.vex(0x4A, P66 | W0, Op.BLENDVPS, Vx, Hx, Wx, Lx);
        t.vex(0x4B, P66 | W0, Op.BLENDVPD, Vx, Hx, Wx, Lx);
        t.vex(0x4C, P66 | W0, Op.PBLENDVB, Vx, Hx, Wx, Lx);
        t.vex(0xF0, PF2 | L0 | OS_Y, Op.RORX, Gy, Ey, Ub);
    }
}
