package dev.javisor.softcpu.decode;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rewrites a line of {@code objdump -M intel} into the form of {@link Disassembly}. */
final class ObjdumpText {
    private static final Set<String> PREFIXES =
            Set.of(
                    "data16",
                    "data32",
                    "addr16",
                    "addr32",
                    "cs",
                    "ds",
                    "es",
                    "ss",
                    "fs",
                    "gs",
                    "bnd",
                    "notrack",
                    "xacquire",
                    "xrelease",
                    "lock",
                    "rep",
                    "repz",
                    "repnz",
                    "{vex}",
                    "{vex3}",
                    "{evex}",
                    "{disp32}",
                    "{disp8}",
                    "{load}");
    private static final Pattern NO_INDEX = Pattern.compile("\\+[re]iz\\*\\d|[re]iz\\*\\d\\+?");
    private static final Pattern ABSOLUTE = Pattern.compile("\\b([c-gs]s):(0x[0-9a-f]+)");
    private static final Pattern OVERRIDE = Pattern.compile("\\b([c-gs]s):\\[[re]?(..)(.?)");
    private static final Pattern NEGATIVE = Pattern.compile("\\[-(0x[0-9a-f]+)\\]");
    private static final Pattern HINT = Pattern.compile(",p[nt]$");
    private static final Pattern SPACES = Pattern.compile(" +");
    private static final Map<String, String> NAMES = names();

    /** In the order of the immediate. */
    private static final String[] COMPARISONS = {
        "eq",
        "lt",
        "le",
        "unord",
        "neq",
        "nlt",
        "nle",
        "ord",
        "eq_uq",
        "nge",
        "ngt",
        "false",
        "neq_oq",
        "ge",
        "gt",
        "true",
        "eq_os",
        "lt_oq",
        "le_oq",
        "unord_s",
        "neq_us",
        "nlt_uq",
        "nle_uq",
        "ord_s",
        "eq_us",
        "nge_uq",
        "ngt_uq",
        "false_os",
        "neq_os",
        "ge_oq",
        "gt_oq",
        "true_us"
    };

    private static final Pattern COMPARE = Pattern.compile("(v?cmp)([a-z_]+)([ps][sd])");

    private static final Set<String> SHIFTS =
            Set.of("rol", "ror", "rcl", "rcr", "shl", "shr", "sar");

    /** Operations whose operand size is seen only in a suffix. */
    private static final Pattern SIZED =
            Pattern.compile(
                    "(push|pop|ret|retf|enter|leave|iret|pushf|popf|pusha|popa|call|jmp|lgdt|lidt"
                            + "|sgdt|sidt|fldenv|fnstenv|frstor|fnsave|sysexit|sysret"
                            + "|v?pcmpestri|v?pcmpestrm|fxsave|fxrstor|xsave|xrstor|xsaveopt|xsavec"
                            + "|xsaves|xrstors)(w|d|q|64)");

    private static final Pattern MOFFS = Pattern.compile("(.*,)?((?:[c-gs]s:)?\\[0x[^,]*)(,.*)?");

    private static final Pattern CARRYLESS = Pattern.compile("(v?pclmul)([lh]q)([lh]q)dq");

    private ObjdumpText() {}

    /** The operand size that the mnemonic's suffix says, or 0. */
    static int operandSize(String line) {
        for (String word : SPACES.split(line.strip())) {
            Matcher sized = SIZED.matcher(word);
            if (sized.matches()) {
                return switch (sized.group(2)) {
                    case "w" -> 2;
                    case "d" -> 4;
                    default -> 8;
                };
            }
        }
        return 0;
    }

    private static long unsigned(String hex) {
        return Long.parseUnsignedLong(hex.substring(2), 16);
    }

    /** What is left of a negative displacement when an index register "none" has gone. */
    private static String withPositiveAddress(String text, boolean narrow) {
        Matcher negative = NEGATIVE.matcher(text);
        if (!negative.find()) {
            return text;
        }
        long address = -unsigned(negative.group(1));
        return negative.replaceFirst(
                "[0x" + Long.toHexString(narrow ? address & 0xFFFFFFFFL : address) + "]");
    }

    /** The forms with an absolute offset are written without the size of the memory operand. */
    private static String withMoffsSize(String operands) {
        Matcher moffs = MOFFS.matcher(operands);
        if (!moffs.matches()) {
            return operands;
        }
        String before = moffs.group(1) == null ? "" : moffs.group(1);
        String after = moffs.group(3) == null ? "" : moffs.group(3);
        String size =
                switch (before + after) {
                    case "al,", ",al" -> "BYTE PTR ";
                    case "ax,", ",ax" -> "WORD PTR ";
                    case "eax,", ",eax" -> "DWORD PTR ";
                    case "rax,", ",rax" -> "QWORD PTR ";
                    default -> "";
                };
        return before + size + moffs.group(2) + after;
    }

    private static Map<String, String> names() {
        Map<String, String> names = new HashMap<>();
        names.put("movabs", "mov");
        return names;
    }

    /** Without comment, prefixes and spaces; a lone prefix stays. */
    static String canonical(String line) {
        String text = SPACES.matcher(line.strip()).replaceAll(" ");
        int comment = text.indexOf(" # ");
        if (comment >= 0) {
            String address = text.substring(comment + 3).strip();
            text = text.substring(0, comment).strip();
            if (text.contains("[eip")) {
                address = "0x" + Long.toHexString(0xFFFFFFFFL & unsigned(address));
            }
            text = text.replaceFirst("\\[[re]ip[^\\]]*\\]", "[" + address + "]");
        }
        boolean lock = false;
        String repeat = "";
        while (true) {
            int space = text.indexOf(' ');
            String word = space < 0 ? text : text.substring(0, space);
            if (!PREFIXES.contains(word) && !word.startsWith("rex")) {
                break;
            }
            lock |= word.equals("lock");
            if (word.startsWith("rep")) {
                repeat = word;
            }
            text = space < 0 ? "" : text.substring(space + 1);
        }
        if (text.isEmpty()) {
            return "prefixes";
        }
        text = HINT.matcher(text).replaceFirst("");
        boolean narrow = text.contains("eiz");
        text = NO_INDEX.matcher(text).replaceAll("");
        text = text.replace("+0x0]", "]").replace("OWORD PTR", "XMMWORD PTR");
        text = withPositiveAddress(text, narrow);
        text = ABSOLUTE.matcher(text).replaceAll("$1:[$2]");
        int space = text.indexOf(' ');
        String mnemonic = space < 0 ? text : text.substring(0, space);
        String operands = space < 0 ? "" : text.substring(space + 1);
        boolean string = operands.contains(":[") && isString(mnemonic);
        if (!string && !mnemonic.equals("xlat")) {
            operands = withoutUsualSegment(operands);
        }
        mnemonic = NAMES.getOrDefault(mnemonic, mnemonic);
        if (mnemonic.equals("mov")) {
            operands = withMoffsSize(operands);
        }
        if (SHIFTS.contains(mnemonic) && operands.endsWith(",1")) {
            operands = operands.substring(0, operands.length() - 1) + "0x1";
        }
        Matcher sized = SIZED.matcher(mnemonic);
        if (sized.matches()) {
            mnemonic = sized.group(1);
        }
        Matcher compare = COMPARE.matcher(mnemonic);
        if (compare.matches()) {
            for (int i = 0; i < COMPARISONS.length; i++) {
                if (COMPARISONS[i].equals(compare.group(2))) {
                    mnemonic = compare.group(1) + compare.group(3);
                    operands += ",0x" + Integer.toHexString(i);
                    break;
                }
            }
        }
        Matcher product = CARRYLESS.matcher(mnemonic);
        if (product.matches()) {
            mnemonic = product.group(1) + "qdq";
            int high = product.group(2).equals("hq") ? 1 : 0;
            operands += product.group(3).equals("hq") ? ",0x1" + high : ",0x" + high;
        }
        StringBuilder result = new StringBuilder();
        if (lock) {
            result.append("lock ");
        }
        if (string && !repeat.isEmpty()) {
            result.append(repeat).append(' ');
        }
        result.append(mnemonic);
        if (!operands.isEmpty()) {
            result.append(' ').append(operands);
        }
        return result.toString();
    }

    private static boolean isString(String mnemonic) {
        return switch (mnemonic) {
            case "movs", "cmps", "stos", "lods", "scas", "ins", "outs" -> true;
            default -> false;
        };
    }

    /** An override that names the default segment is not written by {@link Disassembly}. */
    private static String withoutUsualSegment(String operands) {
        Matcher matcher = OVERRIDE.matcher(operands);
        if (!matcher.find()) {
            return operands;
        }
        boolean stack = matcher.group(2).equals("sp") || matcher.group(2).equals("bp");
        String usual = stack && !matcher.group(3).equals("*") ? "ss" : "ds";
        return matcher.group(1).equals(usual) ? operands.replaceFirst(usual + ":", "") : operands;
    }
}
