/* Entry of the bare-metal benchmark guest. PVH boot (xen/include/public/arch-x86/hvm/start_info.h):
 * 32-bit protected mode, paging off. Builds an identity map of the first GiB in 2 MiB pages, enters
 * 64-bit mode with SSE on, calls guest_main, and ends by the debug-exit port. */
    .section .note.pvh, "a", @note
    .long 4, 4, 18              /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start32

    .section .text.start, "ax"
    .code32
    .global start32
start32:
    cli
    movl $stack_top, %esp
    /* PML4[0] -> PDPT, PDPT[0] -> PD, PD[i] = i * 2 MiB | present | writable | user | large */
    movl $pdpt + 7, pml4
    movl $pd + 7, pdpt
    movl $pd3 + 7, pdpt + 24
    movl $0xFEE00093, pd3 + 503 * 8     /* the local APIC, uncached */
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x87, %eax
    movl %eax, pd(,%ecx,8)
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    call long_mode
    lgdt gdt_pointer
    ljmp $8, $start64

    /* Paging on, in long mode; the code segment is still 32-bit. */
long_mode:
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0x40620, %eax         /* CR4: PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    movl %eax, %cr4
    movl $0xC0000080, %ecx      /* EFER: LME, SCE */
    rdmsr
    orl $0x101, %eax
    wrmsr
    xorl %ecx, %ecx             /* XCR0: x87, SSE, AVX */
    xorl %edx, %edx
    movl $7, %eax
    xsetbv
    movl $0x80000033, %eax      /* CR0: PG, NE, ET, MP, PE */
    movl %eax, %cr0
    ret

    .code64
start64:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movq $stack_top, %rsp
    fninit
    call guest_main
    movl $0, %eax
    movw $0xf4, %dx
    outl %eax, %dx
2:  hlt
    jmp 2b

    /* Where the second processor starts, copied to 0x8000. */
    .code16
    .global ap_trampoline, ap_trampoline_end
ap_trampoline:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl 0x8000 + ap_gdt_pointer - ap_trampoline
    movl $0x11, %eax
    movl %eax, %cr0
    ljmpl $0x18, $ap32
ap_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
ap_trampoline_end:
    .code32
ap32:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $ap_stack_top, %esp
    call long_mode
    ljmp $8, $ap64
    .code64
ap64:
    movq $ap_stack_top, %rsp
    call ap_main
3:  hlt
    jmp 3b

    /* uint64_t user_syscalls(uint64_t count): that many calls from user mode. */
    .global user_syscalls, syscall_entry
user_syscalls:
    pushq %rbx
    movq %rsp, kernel_rsp
    xorl %ebx, %ebx
    movl $user_loop, %ecx
    movl $2, %r11d
    sysretq
user_loop:
    xorl %eax, %eax
    syscall
    decq %rdi
    jnz user_loop
    movl $1, %eax
    syscall
syscall_entry:
    swapgs
    testl %eax, %eax
    jnz 4f
    leaq 1(%rbx,%rbx,2), %rbx
    swapgs
    sysretq
4:  swapgs
    movq kernel_rsp, %rsp
    movq %rbx, %rax
    popq %rbx
    ret

    /* #PF: maps the page that is missing, and counts. */
    .global fault_entry
fault_entry:
    pushq %rax
    pushq %rcx
    movq %cr2, %rax
    movl %eax, %ecx
    shrl $12, %ecx
    andl $511, %ecx
    leaq bytes_b(%rip), %rax
    andq $-4096, %rax
    orq $7, %rax
    movq %rax, pt(,%rcx,8)
    incq fault_count
    popq %rcx
    popq %rax
    addq $8, %rsp
    iretq

    /* void switch_to(uint64_t *from_rsp, uint64_t to_rsp): another stack, another address space. */
    .global switch_to
switch_to:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %cr3, %rax
    movq %rsi, %rsp
    movq %rax, %cr3
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .section .rodata
    .align 8
gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF    /* 64-bit code */
    .quad 0x00CF93000000FFFF    /* data */
    .quad 0x00CF9B000000FFFF    /* 32-bit code */
    .quad 0
    .quad 0x00CFF3000000FFFF    /* user data */
    .quad 0x00AFFB000000FFFF    /* user 64-bit code */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .section .bss
    .align 4096
pml4: .skip 4096
pdpt: .skip 4096
    .global pd, pt, fault_count
pd:   .skip 4096
pd3:  .skip 4096
pt:   .skip 4096
    .skip 65536
stack_top:
    .skip 16384
ap_stack_top:
kernel_rsp: .skip 8
fault_count: .skip 8
    .section .note.GNU-stack, "", @progbits
