package dev.javisor.softcpu.decode;

import static dev.javisor.softcpu.decode.Form.L0;
import static dev.javisor.softcpu.decode.Form.LIG;
import static dev.javisor.softcpu.decode.Form.NP;
import static dev.javisor.softcpu.decode.Form.OS_MODE;
import static dev.javisor.softcpu.decode.Form.OS_V;
import static dev.javisor.softcpu.decode.Form.OS_Y;
import static dev.javisor.softcpu.decode.Form.P66;
import static dev.javisor.softcpu.decode.Form.PF2;
import static dev.javisor.softcpu.decode.Form.PF3;
import static dev.javisor.softcpu.decode.Operand.*;

/**
 * Opcodes 0F 38 xx and 0F 3A xx (SDM 2D tables) with the VEX forms that they share; the
 * others are in {@link VexMaps}.
 */
final class ThreeByteMaps {
    private ThreeByteMaps() {}

    static OpcodeMap build38() {
        OpcodeMap t = new OpcodeMap();
        t.mmx(0x00, Op.PSHUFB);
        t.mmx(0x01, Op.PHADDW);
        t.mmx(0x02, Op.PHADDD);
        t.mmx(0x03, Op.PHADDSW);
        t.mmx(0x04, Op.PMADDUBSW);
        t.mmx(0x05, Op.PHSUBW);
        t.mmx(0x06, Op.PHSUBD);
        t.mmx(0x07, Op.PHSUBSW);
        t.mmx(0x08, Op.PSIGNB);
        t.mmx(0x09, Op.PSIGNW);
        t.mmx(0x0A, Op.PSIGND);
        t.mmx(0x0B, Op.PMULHRSW);
        t.sse(0x10, P66, Op.PBLENDVB, Vx, Wx, XMM0);
        t.sse(0x14, P66, Op.BLENDVPS, Vx, Wx, XMM0);
        t.sse(0x15, P66, Op.BLENDVPD, Vx, Wx, XMM0);
        t.both(0x17, P66, Op.PTEST, Vx, Wx);
        absolute(t, 0x1C, Op.PABSB);
        absolute(t, 0x1D, Op.PABSW);
        absolute(t, 0x1E, Op.PABSD);
        t.both(0x20, P66, Op.PMOVSXBW, Vx, WxHalf);
        t.both(0x21, P66, Op.PMOVSXBD, Vx, WxQuarter);
        t.both(0x22, P66, Op.PMOVSXBQ, Vx, WxEighth);
        t.both(0x23, P66, Op.PMOVSXWD, Vx, WxHalf);
        t.both(0x24, P66, Op.PMOVSXWQ, Vx, WxQuarter);
        t.both(0x25, P66, Op.PMOVSXDQ, Vx, WxHalf);
        t.both(0x28, P66, Op.PMULDQ, Vx, Hx, Wx);
        t.both(0x29, P66, Op.PCMPEQQ, Vx, Hx, Wx);
        t.both(0x2A, P66, Op.MOVNTDQA, Vx, Mx);
        t.both(0x2B, P66, Op.PACKUSDW, Vx, Hx, Wx);
        t.both(0x30, P66, Op.PMOVZXBW, Vx, WxHalf);
        t.both(0x31, P66, Op.PMOVZXBD, Vx, WxQuarter);
        t.both(0x32, P66, Op.PMOVZXBQ, Vx, WxEighth);
        t.both(0x33, P66, Op.PMOVZXWD, Vx, WxHalf);
        t.both(0x34, P66, Op.PMOVZXWQ, Vx, WxQuarter);
        t.both(0x35, P66, Op.PMOVZXDQ, Vx, WxHalf);
        t.both(0x37, P66, Op.PCMPGTQ, Vx, Hx, Wx);
        t.both(0x38, P66, Op.PMINSB, Vx, Hx, Wx);
        t.both(0x39, P66, Op.PMINSD, Vx, Hx, Wx);
        t.both(0x3A, P66, Op.PMINUW, Vx, Hx, Wx);
        t.both(0x3B, P66, Op.PMINUD, Vx, Hx, Wx);
        t.both(0x3C, P66, Op.PMAXSB, Vx, Hx, Wx);
        t.both(0x3D, P66, Op.PMAXSD, Vx, Hx, Wx);
        t.both(0x3E, P66, Op.PMAXUW, Vx, Hx, Wx);
        t.both(0x3F, P66, Op.PMAXUD, Vx, Hx, Wx);
        t.both(0x40, P66, Op.PMULLD, Vx, Hx, Wx);
        t.both(0x41, P66 | L0, Op.PHMINPOSUW, Vx, Wx);
        t.sse(0x82, P66 | OS_MODE, Op.INVPCID, Gy, Mdq);
        t.sse(0xC8, NP, Op.SHA1NEXTE, Vx, Wx);
        t.sse(0xC9, NP, Op.SHA1MSG1, Vx, Wx);
        t.sse(0xCA, NP, Op.SHA1MSG2, Vx, Wx);
        t.sse(0xCB, NP, Op.SHA256RNDS2, Vx, Wx, XMM0);
        t.sse(0xCC, NP, Op.SHA256MSG1, Vx, Wx);
        t.sse(0xCD, NP, Op.SHA256MSG2, Vx, Wx);
        t.both(0xCF, P66 | Form.W0, Op.GF2P8MULB, Vx, Hx, Wx);
        t.both(0xDB, P66 | L0, Op.AESIMC, Vx, Wx);
        t.both(0xDC, P66, Op.AESENC, Vx, Hx, Wx);
        t.both(0xDD, P66, Op.AESENCLAST, Vx, Hx, Wx);
        t.both(0xDE, P66, Op.AESDEC, Vx, Hx, Wx);
        t.both(0xDF, P66, Op.AESDECLAST, Vx, Hx, Wx);
        t.npAnd66(0xF0, OS_V, Op.MOVBE, Gv, Mv);
        t.npAnd66(0xF1, OS_V, Op.MOVBE, Mv, Gv);
        t.sse(0xF0, PF2 | OS_Y, Op.CRC32, Gy, Eb);
        t.sse(0xF1, PF2 | OS_Y, Op.CRC32, Gy, EvPrefixed);
        t.sse(0xF6, P66 | OS_Y, Op.ADCX, Gy, Ey);
        t.sse(0xF6, PF3 | OS_Y, Op.ADOX, Gy, Ey);
        VexMaps.add38(t);
        return t;
    }

    private static void absolute(OpcodeMap t, int opcode, Op op) {
        t.sse(opcode, NP, op, Pq, Qq);
        t.both(opcode, P66, op, Vx, Wx);
    }

    static OpcodeMap build3A() {
        OpcodeMap t = new OpcodeMap();
        t.both(0x08, P66, Op.ROUNDPS, Vx, Wx, Ub);
        t.both(0x09, P66, Op.ROUNDPD, Vx, Wx, Ub);
        t.both(0x0A, P66 | LIG, Op.ROUNDSS, Vx, Hx, Wd, Ub);
        t.both(0x0B, P66 | LIG, Op.ROUNDSD, Vx, Hx, Wq, Ub);
        t.both(0x0C, P66, Op.BLENDPS, Vx, Hx, Wx, Ub);
        t.both(0x0D, P66, Op.BLENDPD, Vx, Hx, Wx, Ub);
        t.both(0x0E, P66, Op.PBLENDW, Vx, Hx, Wx, Ub);
        t.sse(0x0F, NP, Op.PALIGNR, Pq, Qq, Ub);
        t.both(0x0F, P66, Op.PALIGNR, Vx, Hx, Wx, Ub);
        t.both(0x14, P66 | L0, Op.PEXTRB, RyMb, Vx, Ub);
        t.both(0x15, P66 | L0, Op.PEXTRW, RyMw, Vx, Ub);
        t.both(0x16, P66 | L0, Op.PEXTRD, Ey, Vx, Ub);
        t.both(0x17, P66 | L0, Op.EXTRACTPS, RyMd, Vx, Ub);
        t.both(0x20, P66 | L0, Op.PINSRB, Vx, Hx, RyMb, Ub);
        t.both(0x21, P66 | L0, Op.INSERTPS, Vx, Hx, Wd, Ub);
        t.both(0x22, P66 | L0, Op.PINSRD, Vx, Hx, Ey, Ub);
        t.both(0x40, P66, Op.DPPS, Vx, Hx, Wx, Ub);
        t.both(0x41, P66 | L0, Op.DPPD, Vx, Hx, Wx, Ub);
        t.both(0x42, P66, Op.MPSADBW, Vx, Hx, Wx, Ub);
        t.both(0x44, P66, Op.PCLMULQDQ, Vx, Hx, Wx, Ub);
        t.both(0x60, P66 | L0, Op.PCMPESTRM, Vx, Wx, Ub);
        t.both(0x61, P66 | L0, Op.PCMPESTRI, Vx, Wx, Ub);
        t.both(0x62, P66 | L0, Op.PCMPISTRM, Vx, Wx, Ub);
        t.both(0x63, P66 | L0, Op.PCMPISTRI, Vx, Wx, Ub);
        t.sse(0xCC, NP, Op.SHA1RNDS4, Vx, Wx, Ub);
        t.both(0xCE, P66 | Form.W1, Op.GF2P8AFFINEQB, Vx, Hx, Wx, Ub);
        t.both(0xCF, P66 | Form.W1, Op.GF2P8AFFINEINVQB, Vx, Hx, Wx, Ub);
        t.both(0xDF, P66 | L0, Op.AESKEYGENASSIST, Vx, Wx, Ub);
        VexMaps.add3A(t);
        return t;
    }
}
