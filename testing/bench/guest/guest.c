/* Bare-metal main: runs every kernel and reports on COM1 (0x3f8). */
#include "kernels.h"

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

void guest_main(void) {
    for (int i = 0; i < kernel_count * REPETITIONS; i++) {
        const struct kernel *k = &kernels[i / REPETITIONS];
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
