package dev.javisor.softcpu.decode;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Decodes random byte strings with {@link Decoder} and objdump and compares length, mnemonic and
 * operands.
 */
final class ObjdumpComparison {
    /** Junk of 15 bytes, then single-byte NOPs: objdump is back in step at the next slot. */
    private static final int SLOT = 32;

    private static final int BATCH = 50_000;
    private static final int MAX_REPORTED = 200;
    private static final Pattern TARGET = Pattern.compile("0x[0-9a-f]+$");
    private static final Pattern NOP = Pattern.compile("xchg ([re]?ax),\\1");
    private static final Pattern CACHE_HINT = Pattern.compile("^prefetch\\w*");

    private final int mode;
    private final InstructionBytes generator;
    private final Path directory;
    private final Insn insn = new Insn();
    private final List<String> failures = new ArrayList<>();
    private final Map<ObjdumpDifference, Integer> differences =
            new EnumMap<>(ObjdumpDifference.class);
    private int compared;
    private int valid;

    ObjdumpComparison(int mode, long seed, Path directory) {
        this.mode = mode;
        this.generator = new InstructionBytes(new Random(seed), mode);
        this.directory = directory;
    }

    List<String> run(int cases) throws IOException, InterruptedException {
        for (int done = 0; done < cases; done += BATCH) {
            batch(Math.min(BATCH, cases - done));
        }
        return failures;
    }

    String summary() {
        return "%d-bit: %d compared, %d of them instructions, %d failed, explained: %s"
                .formatted(mode, compared, valid, failures.size(), differences);
    }

    private void batch(int count) throws IOException, InterruptedException {
        byte[] code = new byte[count * SLOT];
        Arrays.fill(code, (byte) 0x90);
        for (int i = 0; i < count; i++) {
            generator.next(code, i * SLOT);
        }
        long address = mode == 16 ? 0 : 0x400000;
        int before = compared;
        Objdump.run(
                code,
                mode,
                address,
                directory,
                (offset, length, text) -> {
                    if (offset % SLOT == 0) {
                        compare(code, offset, address + offset, length, text);
                    }
                });
        if (compared - before != count) {
            failures.add("objdump lost step: %d of %d".formatted(compared - before, count));
        }
    }

    private void compare(byte[] code, int offset, long ip, int theirLength, String line) {
        compared++;
        int length = Decoder.decode(code, offset, offset + SLOT, mode, ip, insn);
        byte[] bytes = Arrays.copyOfRange(code, offset, offset + InstructionBytes.LENGTH);
        String text = comparable(ObjdumpText.canonical(line));
        var one = new ObjdumpDifference.Case(mode, bytes, length, insn, text, theirLength);
        if (one.isInvalid() && one.isBad()) {
            return;
        }
        if (length > 0 && insn.op != Op.INVALID) {
            valid++;
        }
        if (!one.isInvalid() && length == theirLength && sameOperands(text, line)) {
            return;
        }
        @Nullable ObjdumpDifference difference = ObjdumpDifference.of(one);
        if (difference != null) {
            differences.merge(difference, 1, Integer::sum);
        } else if (failures.size() < MAX_REPORTED) {
            failures.add(
                    "%d-bit %s: objdump %d \"%s\" (%s), decoder %d \"%s\""
                            .formatted(
                                    mode,
                                    HexFormat.of().formatHex(bytes),
                                    theirLength,
                                    text,
                                    line.strip(),
                                    length,
                                    comparable(Disassembly.format(insn))));
        }
    }

    private boolean sameOperands(String text, String line) {
        int size = ObjdumpText.operandSize(line);
        if (size != 0 && size != insn.opSize) {
            return false;
        }
        String theirs = text;
        if (insn.kind0 == Insn.REL && insn.opSize == 2) {
            // objdump shows the target before truncation
            Matcher target = TARGET.matcher(text);
            if (target.find()) {
                long value = Long.parseUnsignedLong(target.group().substring(2), 16);
                theirs = target.replaceFirst("0x" + Long.toHexString(value & 0xFFFF));
            }
        }
        return theirs.equals(comparable(Disassembly.format(insn)));
    }

    /** Names and sizes that one of the two does not write. */
    static String comparable(String text) {
        String result = text.replace(" far ", " ");
        if (NOP.matcher(result).matches()) {
            return "nop";
        }
        if (result.startsWith("ud")) {
            return result.replaceFirst("^ud[012]", "ud");
        }
        if (result.startsWith("prefetch")) {
            return CACHE_HINT.matcher(result).replaceFirst("prefetch");
        }
        int space = result.indexOf(' ');
        return switch (space < 0 ? result : result.substring(0, space)) {
            case "lgdt", "lidt", "sgdt", "sidt" ->
                    result.replace("TBYTE PTR ", "").replace("FWORD PTR ", "");
            case "lddqu", "vlddqu", "invpcid" ->
                    result.replace("XMMWORD PTR ", "").replace("YMMWORD PTR ", "");
            default -> result;
        };
    }
}
