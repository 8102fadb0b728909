package dev.javisor.oracle;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/**
 * The process that runs single instructions on silicon: a static ELF64 executable for Linux without
 * any library, made here byte by byte.
 *
 * <p>It lives in its signal handler. Every case ends in an exception: a fault of the instruction
 * itself, or the INT3 that surrounds it. The kernel then hands the handler the complete state in a
 * signal frame on the alternate stack; the handler stores that, with the data page, as the result,
 * puts the next case's state into the same frame and returns into it with rt_sigreturn, which loads
 * all registers, flags, x87, XMM and YMM. Nothing of the runner is in registers meanwhile, so the
 * instruction may do what it wants to them.
 */
final class RunnerImage {
    private static final int ENTRY = 0x78;

    // Variables.
    private static final int INDEX = OracleLayout.IMAGE + 0x1000;
    private static final int BYTE = INDEX + 8;
    private static final int ALT_STACK = INDEX + 0x10;
    private static final int ACTION = INDEX + 0x30;
    private static final int STACK = OracleLayout.IMAGE + 0x10000;
    private static final int STACK_BYTES = 0x20000;

    // Offsets in struct ucontext.
    private static final int REGISTERS = 40;
    private static final int FPSTATE = 224;

    private final ByteArrayOutputStream code = new ByteArrayOutputStream();
    private final Map<String, Integer> labels = new HashMap<>();
    private final Map<Integer, String> jumps = new HashMap<>();

    private RunnerImage() {}

    /** The file's bytes. */
    static byte[] build() {
        RunnerImage image = new RunnerImage();
        image.setUp();
        image.handler();
        return image.link();
    }

    private void setUp() {
        at("mov rdi, [rsp+16]        ; argv[1]", 0x48, 0x8B, 0x7C, 0x24, 0x10);
        movEsi(2); // O_RDWR
        at("xor edx, edx", 0x31, 0xD2);
        call(2); // open
        at("mov r8, rax", 0x49, 0x89, 0xC0);
        mmap(OracleLayout.SHARED, OracleLayout.SHARED_BYTES, 3, 0x11, 0); // shared, fixed
        mmap(OracleLayout.CODE, OracleLayout.PAGE, 5, 0x11, OracleLayout.CODE_IN_FILE);
        at("mov r8, -1", 0x49, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF);
        mmap(OracleLayout.DATA, OracleLayout.PAGE, 3, 0x32, 0); // private, anonymous, fixed
        movEdi(OracleLayout.SHARED + OracleLayout.CODE_IN_FILE);
        at("mov al, 0xCC", 0xB0, 0xCC);
        movEcx(OracleLayout.PAGE);
        at("rep stosb", 0xF3, 0xAA);
        movEdi(ALT_STACK);
        at("xor esi, esi", 0x31, 0xF6);
        call(131); // sigaltstack
        for (int signal : new int[] {4, 5, 7, 8, 11}) { // ILL, TRAP, BUS, FPE, SEGV
            movEdi(signal);
            movEsi(ACTION);
            at("xor edx, edx", 0x31, 0xD2);
            immediate("mov r10d, 8", 8, 0x41, 0xBA);
            call(13); // rt_sigaction
        }
        // 32-bit code needs data segments; Linux gives 64-bit processes null selectors.
        immediate("mov eax, 0x2B", OracleLayout.SS_USER, 0xB8);
        at("mov ds, eax", 0x8E, 0xD8);
        at("mov es, eax", 0x8E, 0xC0);
        at("int3", 0xCC);
    }

    private void handler() {
        label("handler");
        at("push 2", 0x6A, 0x02);
        at("popfq                    ; AC may be set", 0x9D);
        at("mov rbx, rdx             ; ucontext", 0x48, 0x89, 0xD3);
        immediate("mov r12, [INDEX]", INDEX, 0x4C, 0x8B, 0x24, 0x25);
        at("test r12, r12", 0x4D, 0x85, 0xE4);
        jump("js next", "next", 0x0F, 0x88);
        storeResult();
        label("next");
        at("inc r12", 0x49, 0xFF, 0xC4);
        label("check");
        immediate("cmp r12, [SHARED]", OracleLayout.SHARED, 0x4C, 0x3B, 0x24, 0x25);
        jump("jb load", "load", 0x0F, 0x82);
        movEdi(1);
        transferByte(1); // write
        at("xor edi, edi", 0x31, 0xFF);
        transferByte(0); // read
        at("cmp rax, 1", 0x48, 0x83, 0xF8, 0x01);
        jump("jne exit", "exit", 0x0F, 0x85);
        at("xor r12d, r12d", 0x45, 0x31, 0xE4);
        jump("jmp check", "check", 0xE9);
        label("load");
        loadCase();
        at("mov rsp, rbx", 0x48, 0x89, 0xDC);
        call(15); // rt_sigreturn
        label("exit");
        at("xor edi, edi", 0x31, 0xFF);
        call(231); // exit_group
    }

    /** R12 is the case. */
    private void storeResult() {
        record(OracleLayout.RESULTS, OracleLayout.RESULT_BYTES);
        at("lea rsi, [rbx+40]", 0x48, 0x8D, 0x73, REGISTERS);
        at("mov rdi, r14", 0x4C, 0x89, 0xF7);
        copyWords(23);
        immediate("mov rsi, [rbx+224]", FPSTATE, 0x48, 0x8B, 0xB3);
        immediate("lea rdi, [r14+256]", OracleLayout.FX, 0x49, 0x8D, 0xBE);
        copyWords(OracleLayout.FX_BYTES / 8);
        immediate("mov rsi, [rbx+224]", FPSTATE, 0x48, 0x8B, 0xB3);
        immediate("add rsi, 576", 576, 0x48, 0x81, 0xC6);
        copyWords(OracleLayout.YMM_BYTES / 8);
        movEsi(OracleLayout.DATA);
        immediate("lea rdi, [r14+1024]", OracleLayout.MEMORY, 0x49, 0x8D, 0xBE);
        copyWords(OracleLayout.PAGE / 8);
        record(OracleLayout.CASES, OracleLayout.CASE_BYTES);
        immediate("mov rdi, [r14+160]", OracleLayout.CODE_ADDRESS, 0x49, 0x8B, 0xBE);
        at(
                "mov rax, 0xCCCCCCCCCCCCCCCC",
                0x48,
                0xB8,
                0xCC,
                0xCC,
                0xCC,
                0xCC,
                0xCC,
                0xCC,
                0xCC,
                0xCC);
        movEcx(2);
        at("rep stosq", 0xF3, 0x48, 0xAB);
    }

    private void loadCase() {
        immediate("mov [INDEX], r12", INDEX, 0x4C, 0x89, 0x24, 0x25);
        record(OracleLayout.CASES, OracleLayout.CASE_BYTES);
        at("mov rsi, r14", 0x4C, 0x89, 0xF6);
        at("lea rdi, [rbx+40]", 0x48, 0x8D, 0x7B, REGISTERS);
        copyWords(19);
        immediate("mov rdi, [rbx+224]", FPSTATE, 0x48, 0x8B, 0xBB);
        immediate("lea rsi, [r14+256]", OracleLayout.FX, 0x49, 0x8D, 0xB6);
        copyWords(OracleLayout.FX_BYTES / 8);
        immediate("mov rdi, [rbx+224]", FPSTATE, 0x48, 0x8B, 0xBB);
        // struct _fpx_sw_bytes.xfeatures: what the kernel saved, and XRSTOR may load.
        immediate("mov eax, [rdi+472]", 472, 0x8B, 0x87);
        at("and eax, 7               ; x87, SSE, AVX", 0x83, 0xE0, 0x07);
        immediate("or [rdi+512], rax        ; XSTATE_BV", 512, 0x48, 0x09, 0x87);
        at("test al, 4", 0xA8, 0x04);
        jump("jz memory", "memory", 0x0F, 0x84);
        immediate("add rdi, 576", 576, 0x48, 0x81, 0xC7);
        copyWords(OracleLayout.YMM_BYTES / 8);
        label("memory");
        immediate("mov rsi, [r14+152]", OracleLayout.POOL_OFFSET, 0x49, 0x8B, 0xB6);
        immediate("add rsi, POOL", OracleLayout.SHARED + OracleLayout.POOL, 0x48, 0x81, 0xC6);
        movEdi(OracleLayout.DATA);
        copyWords(OracleLayout.PAGE / 8);
        immediate("mov rdi, [r14+160]", OracleLayout.CODE_ADDRESS, 0x49, 0x8B, 0xBE);
        immediate("lea rsi, [r14+168]", OracleLayout.CODE_BYTES, 0x49, 0x8D, 0xB6);
        copyWords(2);
    }

    /** R14 = the record of case R12. */
    private void record(int offset, int bytes) {
        immediate("imul r14, r12, bytes", bytes, 0x4D, 0x69, 0xF4);
        immediate("add r14, records", OracleLayout.SHARED + offset, 0x49, 0x81, 0xC6);
    }

    private void copyWords(int words) {
        movEcx(words);
        at("rep movsq", 0xF3, 0x48, 0xA5);
    }

    private void transferByte(int systemCall) {
        movEsi(BYTE);
        immediate("mov edx, 1", 1, 0xBA);
        call(systemCall);
    }

    /** R8 is the file; the kernel keeps it. */
    private void mmap(int address, int bytes, int protection, int flags, int offset) {
        movEdi(address);
        movEsi(bytes);
        immediate("mov edx, protection", protection, 0xBA);
        immediate("mov r10d, flags", flags, 0x41, 0xBA);
        immediate("mov r9d, offset", offset, 0x41, 0xB9);
        call(9);
    }

    private void movEdi(int value) {
        immediate("mov edi, value", value, 0xBF);
    }

    private void movEsi(int value) {
        immediate("mov esi, value", value, 0xBE);
    }

    private void movEcx(int value) {
        immediate("mov ecx, value", value, 0xB9);
    }

    private void call(int number) {
        immediate("mov eax, number", number, 0xB8);
        at("syscall", 0x0F, 0x05);
    }

    // ------------------------------------------------------------------ assembler

    /** The listing is for the reader. */
    private void at(@SuppressWarnings("unused") String listing, int... bytes) {
        for (int b : bytes) {
            code.write(b);
        }
    }

    private void immediate(String listing, int value, int... opcode) {
        at(listing, opcode);
        for (int i = 0; i < 4; i++) {
            code.write(value >> (8 * i));
        }
    }

    private void label(String name) {
        labels.put(name, code.size());
    }

    private void jump(String listing, String target, int... opcode) {
        immediate(listing, 0, opcode);
        jumps.put(code.size(), target);
    }

    private int addressOf(String label) {
        Integer offset = labels.get(label);
        if (offset == null) {
            throw new IllegalStateException("no label " + label);
        }
        return OracleLayout.IMAGE + ENTRY + offset;
    }

    /** ELF-64 object file format 1.5: one loadable segment that is the whole file and its BSS. */
    private byte[] link() {
        byte[] text = code.toByteArray();
        ByteBuffer file = ByteBuffer.allocate(0x1100).order(ByteOrder.LITTLE_ENDIAN);
        file.put(new byte[] {0x7F, 'E', 'L', 'F', 2, 1, 1}); // 64-bit, little endian, version 1
        file.position(16);
        file.putShort((short) 2).putShort((short) 62).putInt(1); // ET_EXEC, EM_X86_64
        file.putLong(OracleLayout.IMAGE + ENTRY); // e_entry
        file.putLong(64).putLong(0).putInt(0); // e_phoff, e_shoff, e_flags
        file.putShort((short) 64).putShort((short) 56).putShort((short) 1);
        file.position(64);
        file.putInt(1).putInt(7); // PT_LOAD, read, write, execute
        file.putLong(0).putLong(OracleLayout.IMAGE).putLong(OracleLayout.IMAGE);
        file.putLong(file.capacity()).putLong(OracleLayout.IMAGE_BYTES).putLong(0x1000);
        file.position(ENTRY);
        file.put(text);
        for (Map.Entry<Integer, String> jump : jumps.entrySet()) {
            int end = jump.getKey();
            int target = addressOf(jump.getValue()) - OracleLayout.IMAGE;
            file.putInt(ENTRY + end - 4, target - ENTRY - end);
        }
        file.putLong(INDEX - OracleLayout.IMAGE, -1);
        file.position(ALT_STACK - OracleLayout.IMAGE); // stack_t
        // SS_AUTODISARM: the stack is the handler's even where the case's RSP points into it.
        file.putLong(STACK).putLong(0x8000_0000L).putLong(STACK_BYTES);
        file.position(ACTION - OracleLayout.IMAGE); // struct kernel_sigaction
        int handler = addressOf("handler");
        // SIGINFO | ONSTACK | RESTORER | NODEFER; the restorer is never returned to.
        file.putLong(handler).putLong(0x4C00_0004L).putLong(handler).putLong(0);
        return file.array();
    }
}
