package dev.javisor.softcpu.decode;

import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where objdump (binutils 2.40) says something else than the decoder and the decoder is right, with
 * the reason. Those marked "silicon" were tried on a processor.
 */
enum ObjdumpDifference {
    // The decoder says INVALID, objdump prints an instruction.
    /** SDM 2A §2.3.2 to §2.3.4: VEX after 66, F2, F3, LOCK or REX is #UD (silicon). */
    VEX_AFTER_PREFIX {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.vexAfterPrefix();
        }
    },
    /** LOCK where it is not allowed is #UD (silicon); objdump does not check. */
    ILLEGAL_LOCK {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.text.startsWith("lock");
        }
    },
    /** Extensions that the software CPU does not have. */
    OTHER_EXTENSION {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && EXTENSIONS.matcher(c.mnemonic()).matches();
        }
    },
    /** AMD's XOP instructions, 8F with ModRM.reg other than 0. */
    XOP {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.opcode() == 0x8F;
        }
    },
    /** AVX-512: 62, in 64-bit mode or with the top bits of the next byte set. */
    EVEX {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.opcode() == 0x62;
        }
    },
    /** Control, debug and test registers that do not exist: #UD. */
    NO_SUCH_REGISTER {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && (NO_REGISTER.matcher(c.text).find() || c.text.contains("?"));
        }
    },
    /** CS cannot be loaded by MOV: #UD. */
    MOV_CS {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.text.startsWith("mov cs,");
        }
    },
    /** "NP" in the SDM: #UD with F2, F3 or 66 (silicon); objdump ignores them here. */
    FORBIDDEN_PREFIX {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.hasAnyOf(0x66, 0xF2, 0xF3) && NP.contains(c.mnemonic());
        }
    },
    /** F2 or F3 selects a row of the opcode map that is empty; objdump falls back to 66 or none. */
    EMPTY_ROW {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.hasAnyOf(0xF2, 0xF3) && !c.hasVex() && c.isVector();
        }
    },
    /** RDFSBASE and its kin, SWAPGS, SYSCALL, SYSRET exist in 64-bit mode only (Intel). */
    ONLY_64_BIT {
        @Override
        boolean explains(Case c) {
            return c.isInvalid() && c.mode != 64 && LONG.contains(c.mnemonic());
        }
    },
    /** VZEROALL, VZEROUPPER, VLDMXCSR, VSTMXCSR have VEX.pp = 0; with another #UD (silicon). */
    FORBIDDEN_PP {
        @Override
        boolean explains(Case c) {
            return c.isInvalid()
                    && switch (c.mnemonic()) {
                        case "vzeroall", "vzeroupper", "vldmxcsr", "vstmxcsr" -> true;
                        default -> false;
                    };
        }
    },

    // objdump says (bad), the decoder knows an instruction.
    /** Aliases that every processor since the 387 executes (silicon). */
    UNDOCUMENTED_X87 {
        @Override
        boolean explains(Case c) {
            return c.isBad()
                    && switch (c.insn.op) {
                        case FXCH, FSTP, FCOM, FCOMP -> c.insn.kind0 == Insn.ST;
                        default -> false;
                    };
        }
    },
    /** SALC (D6) is undocumented. */
    SALC {
        @Override
        boolean explains(Case c) {
            return c.isBad() && c.insn.op == Op.SALC;
        }
    },
    /** F2 before BSF and BSR, F2 and 66 before WBINVD: ignored (silicon). */
    IGNORED_PREFIX {
        @Override
        boolean explains(Case c) {
            return c.isBad()
                    && (c.insn.op == Op.WBINVD
                            || (c.insn.rep == 0xF2
                                    && (c.insn.op == Op.BSF || c.insn.op == Op.BSR)));
        }
    },
    /** ModRM.rm of the fences does not count (SDM 2A, silicon). */
    FENCE {
        @Override
        boolean explains(Case c) {
            return c.isBad()
                    && (c.insn.op == Op.LFENCE || c.insn.op == Op.MFENCE || c.insn.op == Op.SFENCE);
        }
    },

    // Both know it, under different names.
    /** objdump glues FWAIT to the x87 instruction after it, and stumbles when there is none. */
    FWAIT {
        @Override
        boolean explains(Case c) {
            return c.opcode() == 0x9B && (c.insn.op == Op.FWAIT || c.isInvalid());
        }
    },
    /** objdump ends an "instruction" at a REX prefix that is not followed by an opcode. */
    LONE_PREFIXES {
        @Override
        boolean explains(Case c) {
            return c.text.equals("prefixes") && c.mode == 64 && c.rexBeforePrefix();
        }
    },
    /** MPX, CET and cache hints are NOPs on processors without them. */
    HINT_NOP {
        @Override
        boolean explains(Case c) {
            return c.insn.op == Op.NOP && HINTS.matcher(c.mnemonic()).matches();
        }
    },
    /** Control instructions of the 8087 and 287, ignored since (silicon). */
    OBSOLETE_X87 {
        @Override
        boolean explains(Case c) {
            return c.insn.op == Op.FNOP && c.text.endsWith(" only)");
        }
    },
    /** F3 with REX.B and 90 is XCHG, not PAUSE (silicon). */
    PAUSE_WITH_REX_B {
        @Override
        boolean explains(Case c) {
            return c.insn.op == Op.XCHG && c.text.equals("pause");
        }
    },
    /** A processor without WBNOINVD ignores the F3 before WBINVD. */
    WBNOINVD {
        @Override
        boolean explains(Case c) {
            return c.insn.op == Op.WBINVD && c.text.equals("wbnoinvd");
        }
    },

    // Both know it; objdump's operands are wrong.
    /** With REX.W a far pointer is m16:64 on Intel processors; objdump prints its size without. */
    FAR_POINTER_64 {
        @Override
        boolean explains(Case c) {
            return switch (c.insn.op) {
                case LSS, LFS, LGS, JMP_FAR, CALL_FAR ->
                        c.insn.opSize == 8 && c.sameButSize("TBYTE", "FWORD", "DWORD");
                default -> false;
            };
        }
    },
    /** REX.W overrides 66: a 32-bit source and the layouts of 32-bit mode (silicon). */
    REX_W_WITH_66 {
        @Override
        boolean explains(Case c) {
            return c.insn.opSize == 8
                    && c.hasAnyOf(0x66)
                    && switch (c.insn.op) {
                        case MOVSXD, FLDENV, FNSTENV, FRSTOR, FNSAVE -> true;
                        default -> false;
                    };
        }
    },
    /** RDFSBASE and its kin ignore 66 (silicon). */
    FSGSBASE_WITH_66 {
        @Override
        boolean explains(Case c) {
            return c.hasAnyOf(0x66)
                    && switch (c.insn.op) {
                        case RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE -> c.insn.opSize == 4;
                        default -> false;
                    };
        }
    },
    /** VMOVSS, VMOVSD (opcode 11) ignore VEX.L. */
    SCALAR_MOVE_L {
        @Override
        boolean explains(Case c) {
            return (c.insn.op == Op.MOVSS || c.insn.op == Op.MOVSD_XMM)
                    && c.insn.vexBytes == 16
                    && c.text.equals(c.ours().replaceFirst(" xmm", " ymm"));
        }
    },
    /** objdump takes 3E before an indirect branch for NOTRACK and forgets the other override. */
    NOTRACK {
        @Override
        boolean explains(Case c) {
            return (c.insn.op == Op.JMP || c.insn.op == Op.CALL)
                    && c.hasAnyOf(0x3E)
                    && c.text.equals(c.ours().replaceFirst("[c-gs]s:", ""));
        }
    },
    /** objdump has names for 0, 1, 10 and 11, and takes 2 and 3 for the latter two. */
    CARRYLESS_2_AND_3 {
        @Override
        boolean explains(Case c) {
            return c.insn.op == Op.PCLMULQDQ
                    && (c.insn.imm == 2 || c.insn.imm == 3)
                    && c.ours().equals(c.text.replaceFirst(",0x1([01])$", ",0x" + c.insn.imm));
        }
    },
    /** With 66 objdump takes the MMX register of MOVQ2DQ and MOVDQ2Q for XMM. */
    MMX_WITH_66 {
        @Override
        boolean explains(Case c) {
            return (c.insn.op == Op.MOVQ2DQ || c.insn.op == Op.MOVDQ2Q) && c.hasAnyOf(0x66);
        }
    };

    private static final Set<String> NP =
            Set.of(
                    "fxsave", "fxrstor", "ldmxcsr", "stmxcsr", "xsave", "xrstor", "xsavec",
                    "xsaves", "xrstors", "movnti", "clac", "stac", "monitor", "mwait", "xgetbv",
                    "xsetbv", "vmcall", "vmmcall", "lfence", "mfence", "sfence");
    private static final Set<String> LONG =
            Set.of("rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase", "swapgs", "syscall", "sysret");
    private static final Pattern NO_REGISTER = Pattern.compile("\\b[cdt]r\\d");
    private static final Pattern HINTS =
            Pattern.compile("bnd.*|endbr.*|rdssp.*|cldemote|prefetch.*");
    private static final Pattern EXTENSIONS =
            Pattern.compile(
                    // 3DNow!, Cyrix, VIA PadLock, 286 and 387 control
                    "femms|pf.*|pi2f.|pavgusb|pmulhrw|pswapd|xstore-rng|xcrypt-.*|xsha.*|montmul"
                            + "|frstpm.*"
                            // SMX, VMX, SVM, SGX, TDX, TSX, SEV
                            + "|getsec|vm.*|inve?vp.*|invept|invlpg[ab].*|clgi|stgi|skinit|encl[suv]"
                            + "|seam.*|td.*|xabort|xbegin.?|xend|xtest|psmash|pvalidate|rmp.*|tlbsync"
                            + "|hreset|encodekey.*|xsusldtrk|xresldtrk"
                            // protection keys, shadow stacks, waiting, direct stores, tracing
                            + "|..pkru|.*ss[bp]sy|wru?ss.|incssp.|saveprevssp|rstorssp|u?monitorx?"
                            + "|u?mwaitx?|tpause|clzero|rdpru|ptwrite|movdir.*|enqcmds?|serialize"
                            + "|pconfig|cldemote|.?uiret|clui|stui|testui|senduipi|pbndkb|rdmsrlist"
                            + "|wrmsrlist|wrmsrns|mcommit"
                            // SSE4a, FMA4, XOP, AVX-512 masks, newer AVX and key locker
                            + "|extrq|insertq|movnts[sd]|vfn?m(add|sub|addsub|subadd)[ps][sd]"
                            + "|vpermil2p.|k(mov|and|andn|or|xor|xnor|not|ortest|test|add|shift[lr]"
                            + "|unpck)(bw|wd|dq|[bwdq])|vpdp.*|vpmadd52.*|cmp.*xadd|a(add|and|or|xor)"
                            + "|aes.*kl|vbcst.*|vcvtne.*|t(dp|ile|zero|load|store).*|ldtilecfg"
                            + "|sttilecfg|vsha512.*|vsm[34].*");

    abstract boolean explains(Case c);

    /** One comparison. {@code length} may be {@link Decoder#TOO_LONG}. */
    record Case(int mode, byte[] bytes, int length, Insn insn, String text, int textLength) {
        boolean isInvalid() {
            return length > 0 && insn.op == Op.INVALID;
        }

        boolean isBad() {
            return text.contains("(bad)");
        }

        String ours() {
            return Disassembly.format(insn);
        }

        String mnemonic() {
            int space = text.indexOf(' ');
            return space < 0 ? text : text.substring(0, space);
        }

        boolean isVector() {
            return text.contains("mm");
        }

        boolean sameButSize(String ourSize, String... sizes) {
            String ours = ObjdumpComparison.comparable(ours());
            for (String size : sizes) {
                if (ours.equals(text.replace(size, ourSize))) {
                    return true;
                }
            }
            return false;
        }

        private int opcodeAt() {
            int i = 0;
            while (i < bytes.length - 1 && (isLegacyPrefix(i) || isRex(i))) {
                i++;
            }
            return i;
        }

        int opcode() {
            return bytes[opcodeAt()] & 0xFF;
        }

        private boolean isRex(int i) {
            return mode == 64 && (bytes[i] & 0xF0) == 0x40;
        }

        private boolean isLegacyPrefix(int i) {
            return switch (bytes[i] & 0xFF) {
                case 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 -> true;
                default -> false;
            };
        }

        boolean hasAnyOf(int... prefixes) {
            int end = opcodeAt();
            for (int i = 0; i < end; i++) {
                for (int prefix : prefixes) {
                    if ((bytes[i] & 0xFF) == prefix) {
                        return true;
                    }
                }
            }
            return false;
        }

        boolean hasVex() {
            return opcode() == 0xC4 || opcode() == 0xC5;
        }

        boolean vexAfterPrefix() {
            int end = opcodeAt();
            boolean rex = end > 0 && isRex(end - 1);
            return hasVex() && (rex || hasAnyOf(0x66, 0xF0, 0xF2, 0xF3));
        }

        boolean rexBeforePrefix() {
            int end = opcodeAt();
            for (int i = 0; i + 1 < end; i++) {
                if (isRex(i)) {
                    return true;
                }
            }
            return false;
        }
    }

    static @Nullable ObjdumpDifference of(Case c) {
        for (ObjdumpDifference difference : values()) {
            if (difference.explains(c)) {
                return difference;
            }
        }
        return null;
    }
}
