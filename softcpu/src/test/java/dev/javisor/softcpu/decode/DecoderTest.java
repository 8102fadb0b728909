package dev.javisor.softcpu.decode;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DecoderTest {
    private static final long IP = 0x1000;

    private final Insn insn = new Insn();

    @Test
    void operands_ofEveryKind_areInIntelOrder() {
        assertThat(text(64, "4889d8")).isEqualTo("mov rax,rbx");
        assertThat(text(64, "41 88 e0")).isEqualTo("mov r8b,spl");
        assertThat(text(64, "88 e0")).isEqualTo("mov al,ah");
        assertThat(text(32, "c8 10 00 02")).isEqualTo("enter 0x10,0x2");
        assertThat(text(64, "48 b8 88 77 66 55 44 33 22 11"))
                .isEqualTo("mov rax,0x1122334455667788");
        assertThat(text(16, "ea 34 12 78 56")).isEqualTo("jmp far 0x5678:0x1234");
        assertThat(text(64, "0f 20 d8")).isEqualTo("mov rax,cr3");
        assertThat(text(64, "66 0f 38 14 c1")).isEqualTo("blendvps xmm0,xmm1,xmm0");
        assertThat(text(64, "dc c1")).isEqualTo("fadd st(1),st");
        assertThat(text(64, "0f fc c1")).isEqualTo("paddb mm0,mm1");
        assertThat(text(64, "d3 e0")).isEqualTo("shl eax,cl");
        assertThat(text(64, "d1 e0")).isEqualTo("shl eax,0x1");
    }

    @Test
    void ripRelativeOperand_isAbsolute() {
        decode(64, "48 8b 05 10 00 00 00");
        assertThat(insn.disp).isEqualTo(IP + 7 + 0x10);
        assertThat(insn.base).isEqualTo(Insn.ZERO);
        assertThat(insn.index).isEqualTo(Insn.ZERO);
    }

    @Test
    void ripRelativeOperand_withImmediate_countsFromTheEnd() {
        decode(64, "81 05 10 00 00 00 01 00 00 00");
        assertThat(insn.disp).isEqualTo(IP + 10 + 0x10);
        assertThat(insn.imm).isEqualTo(1);
    }

    @Test
    void branchTarget_isTruncatedToTheOperandSize() {
        decode(16, 0xFFF0, "e9 10 00");
        assertThat(insn.imm).isEqualTo(0x3);
        assertThat(insn.nextIp).isEqualTo(0xFFF3);
        decode(32, 0xFFFFFFFEL, "eb 10");
        assertThat(insn.imm).isEqualTo(0x10);
        assertThat(insn.nextIp).isEqualTo(0);
        decode(32, 0x12340000L, "66 e9 10 00");
        assertThat(insn.imm).isEqualTo(0x14);
        decode(64, "66 e9 fb ff ff ff"); // Intel: 66 does not count
        assertThat(insn.length).isEqualTo((byte) 6);
        assertThat(insn.imm).isEqualTo(IP + 1);
    }

    @Test
    void defaultSegment_followsTheBase() {
        assertThat(segment(64, "8b 45 00")).isEqualTo(2);
        assertThat(segment(64, "41 8b 45 00")).isEqualTo(3);
        assertThat(segment(64, "8b 04 24")).isEqualTo(2);
        assertThat(segment(16, "8b 42 00")).isEqualTo(2);
        assertThat(segment(16, "8b 06 00 00")).isEqualTo(3);
        assertThat(segment(64, "2e 8b 00")).isEqualTo(3);
        assertThat(segment(64, "64 2e 8b 00")).isEqualTo(4);
        assertThat(segment(32, "64 2e 8b 00")).isEqualTo(1);
    }

    @Test
    void rexPrefix_countsOnlyImmediatelyBeforeTheOpcode() {
        assertThat(text(64, "48 66 89 d8")).isEqualTo("mov ax,bx");
        assertThat(text(64, "66 48 89 d8")).isEqualTo("mov rax,rbx");
        assertThat(text(64, "49 41 89 d8")).isEqualTo("mov r8d,ebx");
    }

    @Test
    void operandSize_followsModeAndPrefixes() {
        assertThat(size(16, "89 d8")).isEqualTo(2);
        assertThat(size(16, "66 89 d8")).isEqualTo(4);
        assertThat(size(32, "66 89 d8")).isEqualTo(2);
        assertThat(size(64, "50")).isEqualTo(8);
        assertThat(size(64, "66 50")).isEqualTo(2);
        assertThat(size(64, "66 ff d0")).isEqualTo(8);
        assertThat(size(64, "cf")).isEqualTo(4);
        assertThat(size(64, "48 cf")).isEqualTo(8);
        assertThat(size(64, "48 ed")).isEqualTo(4);
        assertThat(size(64, "0f 20 d8")).isEqualTo(8);
    }

    @Test
    void sourceNarrowerThanTheResult_isInMemSize() {
        decode(64, "48 0f b6 00");
        assertThat(insn.opSize).isEqualTo((byte) 8);
        assertThat(insn.memSize).isEqualTo((short) 1);
        decode(64, "66 f2 0f 38 f1 c1");
        assertThat(insn.op).isEqualTo(Op.CRC32);
        assertThat(insn.opSize).isEqualTo((byte) 4);
        assertThat(insn.memSize).isEqualTo((short) 2);
        decode(64, "48 63 c1");
        assertThat(insn.memSize).isEqualTo((short) 4);
    }

    @Test
    void repeatPrefix_isKeptUnlessItIsPartOfTheOpcode() {
        assertThat(text(64, "f3 a4")).isEqualTo("rep movs BYTE PTR es:[rdi],BYTE PTR ds:[rsi]");
        decode(64, "f3 0f 10 c1");
        assertThat(insn.op).isEqualTo(Op.MOVSS);
        assertThat(insn.rep).isEqualTo(0);
        decode(64, "f2 f3 a7");
        assertThat(insn.rep).isEqualTo(0xF3);
    }

    @Test
    void lockPrefix_needsAMemoryDestination() {
        decode(64, "f0 01 18");
        assertThat(insn.op).isEqualTo(Op.ADD);
        assertThat(insn.lock).isTrue();
        assertInvalid(64, "f0 01 d8");
        assertInvalid(64, "f0 39 18");
        assertInvalid(64, "f0 03 18");
        assertInvalid(64, "f0 8b 18");
        assertInvalid(32, "f0 0f 20 c0");
        assertThat(text(64, "f0 0f c7 08")).isEqualTo("lock cmpxchg8b QWORD PTR [rax]");
    }

    @Test
    void nop_isExchangeOnlyWithRexB() {
        assertThat(text(64, "90")).isEqualTo("nop");
        assertThat(text(64, "f3 90")).isEqualTo("pause");
        assertThat(text(64, "41 90")).isEqualTo("xchg r8d,eax");
        assertThat(text(64, "f3 0f 1e fa")).startsWith("nop");
    }

    @Test
    void undefinedEncodings_areInvalid() {
        assertInvalid(64, "06");
        assertInvalid(64, "d5 0a");
        assertInvalid(64, "62 f1 7c 48 10 c0"); // EVEX
        assertInvalid(64, "8f e8 78 c0 c1 01"); // XOP
        assertInvalid(64, "0f 0f c1 9e"); // 3DNow!
        assertInvalid(64, "8e c8"); // MOV CS
        assertInvalid(64, "8e f0");
        assertInvalid(64, "0f 20 c8"); // CR1
        assertInvalid(64, "44 0f 21 c0"); // DR8
        assertInvalid(64, "8d c0");
        assertInvalid(64, "66 c5 f8 28 c1"); // VEX after 66
        assertInvalid(64, "c5 f0 28 c1"); // VEX.vvvv without a use
        assertThat(text(64, "0f 0b")).isEqualTo("ud");
    }

    @Test
    void vexBytes_areLesAndLdsOutside64BitMode() {
        assertThat(text(32, "c5 18")).isEqualTo("lds ebx,FWORD PTR [eax]");
        assertThat(text(32, "c5 f8 28 c1")).isEqualTo("vmovaps xmm0,xmm1");
        assertThat(text(64, "c5 fc 28 c1")).isEqualTo("vmovaps ymm0,ymm1");
        assertThat(text(64, "c4 e2 f9 f7 c1")).isEqualTo("shlx rax,rcx,rax");
    }

    @Test
    void gather_needsDistinctRegisters() {
        assertThat(text(64, "c4 e2 e9 90 04 48"))
                .isEqualTo("vpgatherdq xmm0,QWORD PTR [rax+xmm1*2],xmm2");
        assertInvalid(64, "c4 e2 f1 90 04 48");
        assertThat(text(64, "c4 e2 b1 90 04 48")).endsWith("xmm9");
        assertInvalid(32, "c4 e2 b1 90 04 48"); // the upper bit of VEX.vvvv does not count
        assertInvalid(64, "c4 e2 e9 90 00");
    }

    @Test
    void everyPrefixOfAnInstruction_isTruncated() {
        byte[] code = HexFormat.of().parseHex("64f04881848a1122334455667788");
        assertThat(Decoder.decode(code, 0, code.length, 64, IP, insn)).isEqualTo(14);
        for (int limit = 0; limit < 14; limit++) {
            assertThat(Decoder.decode(code, 0, limit, 64, IP, insn))
                    .as("limit %d", limit)
                    .isEqualTo(Decoder.TRUNCATED);
        }
    }

    @Test
    void lengthOverFifteenBytes_isTooLong() {
        byte[] code = new byte[32];
        Arrays.fill(code, (byte) 0x66);
        assertThat(Decoder.decode(code, 1, 32, 64, IP, insn)).isEqualTo(Decoder.TOO_LONG);
        assertThat(Decoder.decode(code, 1, 16, 64, IP, insn)).isEqualTo(Decoder.TOO_LONG);
        assertThat(Decoder.decode(code, 1, 15, 64, IP, insn)).isEqualTo(Decoder.TRUNCATED);
        code[15] = (byte) 0x90;
        assertThat(Decoder.decode(code, 1, 16, 64, IP, insn)).isEqualTo(15);
        code[15] = (byte) 0xB0;
        assertThat(Decoder.decode(code, 1, 32, 64, IP, insn)).isEqualTo(Decoder.TOO_LONG);
    }

    @Test
    void reusedInstruction_keepsNothingOfTheOneBefore() {
        decode(64, "f0 48 81 84 8a 11 22 33 44 55 66 77 00");
        decode(64, "90");
        assertThat(insn).usingRecursiveComparison().isEqualTo(decoded(new Insn(), "90"));
        decode(64, "64 f2 48 81 84 8a 11 22 33 44 55 66 77 00");
        decode(64, "06");
        assertThat(insn).usingRecursiveComparison().isEqualTo(decoded(new Insn(), "06"));
    }

    @Test
    void randomBytes_needExactlyTheirLength() {
        long seed = System.nanoTime();
        Insn other = new Insn();
        byte[] code = new byte[InstructionBytes.LENGTH];
        for (int mode : new int[] {16, 32, 64}) {
            InstructionBytes bytes = new InstructionBytes(new Random(seed), mode);
            for (int i = 0; i < 20_000; i++) {
                bytes.next(code, 0);
                int length = Decoder.decode(code, 0, code.length, mode, IP, insn);
                int needed = length == Decoder.TOO_LONG ? code.length : length;
                for (int limit = 0; limit < code.length; limit++) {
                    int result = Decoder.decode(code, 0, limit, mode, IP, other);
                    assertThat(result)
                            .as(() -> "seed " + seed + " " + HexFormat.of().formatHex(code))
                            .isEqualTo(limit < needed ? Decoder.TRUNCATED : length);
                }
            }
        }
    }

    @Test
    void randomBytes_leaveNoTraceInAReusedInstruction() throws ReflectiveOperationException {
        long seed = System.nanoTime();
        byte[] code = new byte[InstructionBytes.LENGTH];
        for (int mode : new int[] {16, 32, 64}) {
            InstructionBytes bytes = new InstructionBytes(new Random(seed), mode);
            for (int i = 0; i < 1_000; i++) {
                bytes.next(code, 0);
                Insn fresh = new Insn();
                if (Decoder.decode(code, 0, code.length, mode, IP, fresh) > 0) {
                    Decoder.decode(code, 0, code.length, mode, IP, insn);
                    for (Field field : Insn.class.getFields()) {
                        assertThat(field.get(insn))
                                .as("seed %d %s %s", seed, HexFormat.of().formatHex(code), field)
                                .isEqualTo(field.get(fresh));
                    }
                }
            }
        }
    }

    @Test
    void everyOperation_hasAnEncoding() {
        EnumSet<Op> missing = EnumSet.allOf(Op.class);
        byte[] code = new byte[InstructionBytes.LENGTH];
        String[] escapes = {"", "0f", "0f38", "0f3a"};
        String[] mandatory = {"", "66", "f3", "f2"};
        for (String escape : escapes) {
            for (String prefix : mandatory) {
                sweep(missing, code, 32, prefix + escape);
                sweep(missing, code, 64, prefix + escape);
                sweep(missing, code, 64, prefix + "48" + escape);
                sweep(missing, code, 64, prefix + "41" + escape);
            }
        }
        for (int map = 1; map <= 3; map++) {
            for (int last = 0; last < 8; last++) {
                for (int vvvvAndW : new int[] {0x78, 0xF8, 0x68, 0xE8}) {
                    sweep(missing, code, 64, "c4%02x%02x".formatted(0xE0 | map, vvvvAndW | last));
                }
            }
        }
        assertThat(missing).isEmpty();
    }

    /** Every opcode with every ModRM after the given bytes. */
    private void sweep(EnumSet<Op> missing, byte[] code, int mode, String start) {
        byte[] bytes = HexFormat.of().parseHex(start);
        System.arraycopy(bytes, 0, code, 0, bytes.length);
        for (int opcode = 0; opcode < 256; opcode++) {
            code[bytes.length] = (byte) opcode;
            for (int modrm = 0; modrm < 256; modrm++) {
                code[bytes.length + 1] = (byte) modrm;
                code[bytes.length + 2] = 0x48; // SIB with a vector index that gathers may have
                if (Decoder.decode(code, 0, code.length, mode, IP, insn) > 0) {
                    missing.remove(insn.op);
                }
            }
        }
    }

    private static Insn decoded(Insn into, String hex) {
        byte[] code = HexFormat.of().parseHex(hex);
        Decoder.decode(code, 0, code.length, 64, IP, into);
        return into;
    }

    private void decode(int mode, String hex) {
        decode(mode, IP, hex);
    }

    private void decode(int mode, long ip, String hex) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        int length = Decoder.decode(code, 0, code.length, mode, ip, insn);
        assertThat(length).isPositive();
        assertThat(insn.length).isEqualTo((byte) length);
    }

    private String text(int mode, String hex) {
        decode(mode, hex);
        return Disassembly.format(insn);
    }

    private int segment(int mode, String hex) {
        decode(mode, hex);
        return insn.seg;
    }

    private int size(int mode, String hex) {
        decode(mode, hex);
        return insn.opSize;
    }

    private void assertInvalid(int mode, String hex) {
        decode(mode, hex);
        assertThat(insn.op).as(hex).isEqualTo(Op.INVALID);
    }
}
