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
    /* PML4[0] -> PDPT, PDPT[0] -> PD, PD[i] = i * 2 MiB | present | writable | large */
    movl $pdpt + 3, pml4
    movl $pd + 3, pdpt
    xorl %ecx, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x83, %eax
    movl %eax, pd(,%ecx,8)
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0x620, %eax           /* CR4: PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xC0000080, %ecx      /* EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl $0x80000033, %eax      /* CR0: PG, NE, ET, MP, PE */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $start64

    .code64
start64:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movq $stack_top, %rsp
    call guest_main
    movl $0, %eax
    movw $0xf4, %dx
    outl %eax, %dx
2:  hlt
    jmp 2b

    .section .rodata
    .align 8
gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF    /* 64-bit code */
    .quad 0x00CF93000000FFFF    /* data */
gdt_pointer:
    .word 23
    .long gdt

    .section .bss
    .align 4096
pml4: .skip 4096
pdpt: .skip 4096
pd:   .skip 4096
    .skip 65536
stack_top:
    .section .note.GNU-stack, "", @progbits
