package dev.javisor.softcpu.exec;

import dev.javisor.softcpu.core.Cpu;
import dev.javisor.softcpu.core.Flags;
import dev.javisor.softcpu.decode.Insn;

/** The general-purpose instructions (SDM 1 §7.3): generic forms for all sizes and operand kinds. */
public final class IntegerOps {
    private IntegerOps() {}

    /**
     * Executes one instruction of family INTEGER. Architectural effects come after the last fault.
     */
    public static void execute(Cpu cpu, Insn in) {
        switch (in.op) {
            case MOV, MOVNTI -> MoveOps.mov(cpu, in);
            case MOVZX -> MoveOps.movzx(cpu, in);
            case MOVSX, MOVSXD -> MoveOps.movsx(cpu, in);
            case MOVBE -> MoveOps.movbe(cpu, in);
            case LEA -> MoveOps.lea(cpu, in);
            case XLAT -> MoveOps.xlat(cpu, in);
            case SETCC -> MoveOps.setcc(cpu, in);
            case CMOVCC -> MoveOps.cmovcc(cpu, in);
            case BSWAP -> MoveOps.bswap(cpu, in);
            case CBW -> MoveOps.cbw(cpu, in);
            case CWD -> MoveOps.cwd(cpu, in);
            case ADD, OR, ADC, SBB, AND, SUB, XOR -> ArithmeticOps.binary(cpu, in);
            case CMP -> ArithmeticOps.cmp(cpu, in);
            case TEST -> ArithmeticOps.test(cpu, in);
            case INC, DEC, NEG, NOT -> ArithmeticOps.unary(cpu, in);
            case ADCX, ADOX -> ArithmeticOps.adx(cpu, in);
            case BOUND -> ArithmeticOps.bound(cpu, in);
            case MUL -> MultiplyOps.mul(cpu, in);
            case IMUL -> MultiplyOps.imul(cpu, in);
            case MULX -> MultiplyOps.mulx(cpu, in);
            case DIV -> MultiplyOps.div(cpu, in);
            case IDIV -> MultiplyOps.idiv(cpu, in);
            case XCHG -> ExchangeOps.xchg(cpu, in);
            case XADD -> ExchangeOps.xadd(cpu, in);
            case CMPXCHG -> ExchangeOps.cmpxchg(cpu, in);
            case CMPXCHG8B -> ExchangeOps.cmpxchg8b(cpu, in);
            case CMPXCHG16B -> ExchangeOps.cmpxchg16b(cpu, in);
            case ROL, ROR, RCL, RCR, SHL, SHR, SAR -> ShiftOps.shift(cpu, in);
            case SHLD, SHRD -> ShiftOps.doubleShift(cpu, in);
            case RORX, SARX, SHLX, SHRX -> ShiftOps.withoutFlags(cpu, in);
            case BT, BTS, BTR, BTC -> BitOps.bitTest(cpu, in);
            case BSF, BSR -> BitOps.bitScan(cpu, in);
            case POPCNT, LZCNT, TZCNT -> BitOps.count(cpu, in);
            case CRC32 -> BitOps.crc32(cpu, in);
            case ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, PDEP, PEXT -> BmiOps.execute(cpu, in);
            case PUSH -> StackOps.push(cpu, in);
            case POP -> StackOps.pop(cpu, in);
            case PUSHA -> StackOps.pusha(cpu, in);
            case POPA -> StackOps.popa(cpu, in);
            case PUSHF -> StackOps.pushf(cpu, in);
            case POPF -> StackOps.popf(cpu, in);
            case ENTER -> StackOps.enter(cpu, in);
            case LEAVE -> StackOps.leave(cpu, in);
            case LAHF -> cpu.regs[0] = (cpu.regs[0] & ~0xFF00L) | (lowFlags(cpu) << 8);
            case SAHF -> sahf(cpu);
            case SALC -> cpu.setReg(0, 1, cpu.flags.cf() ? 0xFF : 0);
            case CLC -> cpu.flags.setCf(false);
            case STC -> cpu.flags.setCf(true);
            case CMC -> cpu.flags.setCf(!cpu.flags.cf());
            case CLD -> cpu.flags.system &= ~Flags.DF;
            case STD -> cpu.flags.system |= Flags.DF;
            case RDRAND, RDSEED -> random(cpu, in);
            case PAUSE -> cpu.pause();
            // Loads are acquires and stores are releases already; only store-load order is left.
            case MFENCE -> cpu.mmu.fullFence();
            case NOP, PREFETCH, LFENCE, SFENCE -> {}
            // Caches are not modelled: what is left is the fault that a load would take.
            case CLFLUSH, CLFLUSHOPT, CLWB -> cpu.mmu.bulkOffset(cpu.linear(in, 1, false), false);
            default -> throw new IllegalStateException("not an integer instruction: " + in.op);
        }
    }

    /** The low byte of RFLAGS: SF, ZF, AF, PF, CF and bit 1. */
    private static long lowFlags(Cpu cpu) {
        return (cpu.flags.status() & 0xFF) | 2;
    }

    private static void sahf(Cpu cpu) {
        int ah = (int) (cpu.regs[0] >>> 8) & 0xFF;
        cpu.flags.setStatus((cpu.flags.status() & Flags.OF) | (ah & ~Flags.OF & Flags.STATUS));
    }

    private static void random(Cpu cpu, Insn in) {
        cpu.write(in, in.kind0, in.reg0, in.opSize, cpu.random.nextLong());
        cpu.flags.setStatus(Flags.CF);
    }
}
