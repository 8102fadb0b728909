package dev.javisor.softcpu.translate;

import dev.javisor.softcpu.block.Block;
import dev.javisor.softcpu.decode.Disassembly;
import dev.javisor.softcpu.decode.Insn;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeModel;
import java.lang.classfile.Instruction;
import java.lang.classfile.Label;
import java.lang.classfile.instruction.BranchInstruction;
import java.lang.classfile.instruction.ConstantInstruction;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.IncrementInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.classfile.instruction.LabelTarget;
import java.lang.classfile.instruction.LineNumber;
import java.lang.classfile.instruction.LoadInstruction;
import java.lang.classfile.instruction.StoreInstruction;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A region as text: each guest instruction with the bytecode that was written for it. The class
 * must have been written with line numbers: number n is the n-th dispatch code of the blocks, and
 * {@link #EXITS} what belongs to none.
 */
final class RegionListing {
    static final int EXITS = 0xFFFF;

    private final List<Block> blocks;
    private final Map<Label, Integer> labels = new HashMap<>();
    private final StringBuilder text = new StringBuilder();

    private RegionListing(List<Block> blocks) {
        this.blocks = blocks;
    }

    static String of(byte[] classFile, List<Block> blocks) {
        return new RegionListing(blocks).write(classFile);
    }

    private String write(byte[] classFile) {
        CodeModel run =
                ClassFile.of().parse(classFile).methods().stream()
                        .filter(m -> m.methodName().equalsString("run"))
                        .findFirst()
                        .flatMap(m -> m.code())
                        .orElseThrow();
        for (CodeElement element : run) {
            switch (element) {
                case LineNumber line -> text.append(guest(line.line()));
                case LabelTarget target -> text.append(name(target.label())).append(":\n");
                case Instruction instruction ->
                        text.append("        ").append(describe(instruction)).append('\n');
                default -> {}
            }
        }
        return text.toString();
    }

    /** The n-th dispatch code, counted from 1. */
    private String guest(int number) {
        int n = number - 1;
        if (number == EXITS) {
            return "-- exits\n";
        }
        for (Block block : blocks) {
            if (n < block.code.length) {
                Insn in = block.code[n];
                String head = n == 0 ? "== block at %x%n".formatted(block.linear) : "";
                return "%s%x  %s  (code %d)%n"
                        .formatted(head, in.ip, Disassembly.format(in), in.uop);
            }
            n -= block.code.length;
        }
        return "?\n";
    }

    private String name(Label label) {
        return "L" + labels.computeIfAbsent(label, l -> labels.size());
    }

    private String describe(Instruction instruction) {
        String op = instruction.opcode().name().toLowerCase(java.util.Locale.ROOT);
        return switch (instruction) {
            case BranchInstruction b -> op + " " + name(b.target());
            case LoadInstruction l -> op + " " + Frame.nameOf(l.slot());
            case StoreInstruction s -> op + " " + Frame.nameOf(s.slot());
            case IncrementInstruction i -> op + " " + Frame.nameOf(i.slot()) + " " + i.constant();
            case FieldInstruction f ->
                    op + " " + f.owner().asSymbol().displayName() + "." + f.name();
            case InvokeInstruction i ->
                    op + " " + i.owner().asSymbol().displayName() + "." + i.name();
            case ConstantInstruction c -> op + " " + constant(c.constantValue());
            default -> op;
        };
    }

    private static String constant(Object value) {
        return value instanceof Long l ? "%#x".formatted(l) : String.valueOf(value);
    }
}
