package dev.javisor.oracle;

import dev.javisor.softcpu.decode.Insn;
import dev.javisor.softcpu.decode.Op;
import dev.javisor.softcpu.decode.Op.Family;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which extensions the host's processor has, by Linux's names of CPUID bits. x86-64-v2 is taken for
 * granted; what is missing beyond it cannot be compared.
 */
final class HostProcessor {
    /** Extensions that instructions need, and what is left out without them. */
    private static final Map<Op, String> NEEDS = new EnumMap<>(Op.class);

    static {
        need("pclmulqdq", Op.PCLMULQDQ);
        range("aes", Op.AESENC, Op.AESKEYGENASSIST);
        range("sha_ni", Op.SHA1RNDS4, Op.SHA256MSG2);
        range("gfni", Op.GF2P8AFFINEQB, Op.GF2P8MULB);
        need("abm", Op.LZCNT);
        need("movbe", Op.MOVBE);
        need("bmi1", Op.ANDN, Op.BEXTR, Op.BLSI, Op.BLSMSK, Op.BLSR, Op.TZCNT);
        need("bmi2", Op.BZHI, Op.MULX, Op.PDEP, Op.PEXT, Op.RORX, Op.SARX, Op.SHLX, Op.SHRX);
        need("adx", Op.ADCX, Op.ADOX);
        need("f16c", Op.VCVTPH2PS, Op.VCVTPS2PH);
        range("fma", Op.VFMADD132PS, Op.VFMSUBADD231PD);
    }

    private final Set<String> flags;

    HostProcessor(Set<String> flags) {
        this.flags = Set.copyOf(flags);
    }

    /** The one this runs on. */
    static HostProcessor here() throws IOException {
        Set<String> flags = new HashSet<>();
        for (String line :
                Files.readAllLines(Path.of("/proc/cpuinfo"), StandardCharsets.US_ASCII)) {
            if (line.startsWith("flags")) {
                flags.addAll(List.of(line.substring(line.indexOf(':') + 1).strip().split(" ")));
                break;
            }
        }
        return new HostProcessor(flags);
    }

    private static void need(String flag, Op... ops) {
        for (Op op : ops) {
            NEEDS.put(op, flag);
        }
    }

    private static void range(String flag, Op first, Op last) {
        for (int i = first.ordinal(); i <= last.ordinal(); i++) {
            NEEDS.put(Op.values()[i], flag);
        }
    }

    boolean executes(Insn in) {
        String flag = NEEDS.get(in.op);
        if (flag != null && !flags.contains(flag)) {
            return false;
        }
        Family family = in.op.family();
        if (in.vexBytes == 0 || family == Family.INTEGER) {
            return true;
        }
        if (!hasAvx()) {
            return false;
        }
        if (family == Family.CRYPTO && in.vexBytes == 32) {
            return in.op == Op.PCLMULQDQ
                    ? flags.contains("vpclmulqdq")
                    : !isAes(in.op) || flags.contains("vaes");
        }
        return true;
    }

    private static boolean isAes(Op op) {
        return op.compareTo(Op.AESENC) >= 0 && op.compareTo(Op.AESKEYGENASSIST) <= 0;
    }

    /** AVX and AVX2 are compared together: no processor since 2013 has the first only. */
    boolean hasAvx() {
        return flags.contains("avx") && flags.contains("avx2");
    }

    /** Names of the extensions that are executed by the software CPU and not compared here. */
    List<String> missing() {
        List<String> missing = new ArrayList<>();
        for (String flag : NEEDS.values()) {
            addMissing(missing, flag);
        }
        for (String flag : List.of("avx", "avx2", "vaes", "vpclmulqdq")) {
            addMissing(missing, flag);
        }
        return missing;
    }

    private void addMissing(List<String> missing, String flag) {
        if (!flags.contains(flag) && !missing.contains(flag)) {
            missing.add(flag);
        }
    }
}
