/* Bare-metal main: runs every kernel and reports on COM1 (0x3f8). */
#include "kernels.h"

void *memcpy(void *to, const void *from, unsigned long n);

static void put(char c) {
    uint8_t ready;
    do __asm__ volatile("inb %1, %0" : "=a"(ready) : "Nd"((uint16_t)0x3fd));
    while (!(ready & 0x20));
    __asm__ volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)0x3f8));
}
static void text(const char *s) { while (*s) put(*s++); }
static void hex(uint64_t v) {
    for (int i = 60; i >= 0; i -= 4) put("0123456789abcdef"[v >> i & 15]);
}

/* ---------------------------------------------------------------- the second processor */
extern uint8_t ap_trampoline[], ap_trampoline_end[];
static void (*volatile ap_work)(void);
static volatile int ap_done;

void ap_main(void) {
    ap_work();
    __atomic_store_n(&ap_done, 1, __ATOMIC_RELEASE);
}
static void send_ipi(uint32_t command) {
    volatile uint32_t *icr = (volatile uint32_t *)0xFEE00300;
    *icr = command;
    while (*icr & 0x1000) {}
}
void other_cpu_start(void (*work)(void)) {
    ap_work = work;
    ap_done = 0;
    memcpy((void *)0x8000, ap_trampoline, (unsigned long)(ap_trampoline_end - ap_trampoline));
    send_ipi(0xC4500); /* INIT, then start-up at page 8, to all but oneself (SDM 3A 12.6) */
    send_ipi(0xC4608);
}
void other_cpu_wait(void) {
    while (!__atomic_load_n(&ap_done, __ATOMIC_ACQUIRE)) __builtin_ia32_pause();
}

/* ---------------------------------------------------------------- what only a kernel can do */
extern uint64_t pd[512], pt[512], fault_count;
extern uint8_t fault_entry[], syscall_entry[];
extern uint64_t user_syscalls(uint64_t count);
extern void switch_to(uint64_t *from, uint64_t to);

static void wrmsr(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
uint64_t syscalls(uint32_t rounds) {
    wrmsr(0xC0000081, (uint64_t)0x20 << 48 | (uint64_t)8 << 32); /* STAR */
    wrmsr(0xC0000082, (uint64_t)syscall_entry);                  /* LSTAR */
    wrmsr(0xC0000084, 0x700);                                    /* FMASK */
    return user_syscalls((uint64_t)rounds * 1000);
}

static struct { uint64_t low, high; } idt[15];
uint64_t page_faults(uint32_t rounds) {
    uint64_t entry = (uint64_t)fault_entry;
    idt[14].low = (entry & 0xFFFF) | 8 << 16 | (uint64_t)0x8E00 << 32 | (entry >> 16 & 0xFFFF) << 48;
    idt[14].high = entry >> 32;
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = {
        sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    pd[511] = (uint64_t)pt | 7;
    __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
    fault_count = 0;
    for (uint32_t i = 0; i < rounds * 100; i++) {
        volatile uint8_t *page = (volatile uint8_t *)(0x3FE00000ull + (i & 15) * 4096);
        *page = (uint8_t)i;
        pt[i & 15] = 0;
        __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
    }
    return fault_count;
}

static uint64_t stacks[2][512], rsp[2], switched;
static void task(void) {
    for (;;) {
        switched = switched * 3 + 1;
        switch_to(&rsp[1], rsp[0]);
    }
}
uint64_t context_switches(uint32_t rounds) {
    switched = 0;
    uint64_t *top = &stacks[1][504];
    *top = (uint64_t)task;
    rsp[1] = (uint64_t)(top - 6);
    for (uint32_t i = 0; i < rounds * 100; i++) {
        switched ^= i;
        switch_to(&rsp[0], rsp[1]);
    }
    return switched;
}

void guest_main(void) {
    for (int i = 0; i < kernel_count * REPETITIONS; i++) {
        const struct kernel *k = &kernels[i / REPETITIONS];
        if (!is_wanted(k->name)) continue;
        text("begin ");
        text(k->name);
        put(' ');
        hex(ticks());
        put('\n');
        uint64_t start = ticks();
        uint64_t sum = k->run(k->rounds);
        uint64_t end = ticks();
        text("end ");
        text(k->name);
        put(' ');
        hex(sum);
        put(' ');
        hex(end - start);
        put(' ');
        hex(ticks());
        put('\n');
    }
    text("done\n");
}

void *memcpy(void *to, const void *from, unsigned long n) {
    for (unsigned long i = 0; i < n; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}
void *memset(void *to, int c, unsigned long n) {
    for (unsigned long i = 0; i < n; i++) ((char *)to)[i] = (char)c;
    return to;
}
