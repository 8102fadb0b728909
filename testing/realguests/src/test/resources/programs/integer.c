/* What a compiler makes of integer code: 128-bit products, divisions, shifts, bit fields, recursion. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t seed = 88172645463325252ull;

static uint64_t next(void) {
    seed ^= seed << 7;
    seed ^= seed >> 9;
    return seed;
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus) {
    uint64_t result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result = (uint64_t)((unsigned __int128)result * base % modulus);
        base = (uint64_t)((unsigned __int128)base * base % modulus);
    }
    return result;
}

static unsigned ackermann(unsigned m, unsigned n) {
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static sigjmp_buf back;
static volatile int code;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    code = info->si_code;
    siglongjmp(back, 1);
}

/* Faults that arrive as signals: the number, the code and that the program goes on. */
static void faults(void) {
    struct sigaction action = {0};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    volatile int zero = 0;
    volatile uintptr_t low = 16;
    if (!sigsetjmp(back, 1)) printf("%d\n", 7 / zero);
    printf("divide %d\n", code);
    if (!sigsetjmp(back, 1)) *(volatile int *)low = 1;
    printf("write %d\n", code);
    if (!sigsetjmp(back, 1)) *(volatile int *)(uintptr_t)&ackermann = 1;
    printf("protected %d\n", code);
    if (!sigsetjmp(back, 1)) __asm__ volatile("ud2");
    printf("ud2 %d\n", code);
    if (!sigsetjmp(back, 1)) __asm__ volatile("int3");
    printf("int3 %d\n", code);
    if (!sigsetjmp(back, 1)) __asm__ volatile("cli");
    printf("cli %d\n", code);
    if (!sigsetjmp(back, 1)) (void)*(volatile int *)0x8000000000000000ull;
    printf("not canonical %d\n", code);
}

int main(void) {
    uint64_t sum = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t a = next(), b = next() | 1;
        int shift = (int)(b >> 58);
        sum ^= a / b + a % b + (a << shift | a >> ((64 - shift) & 63));
        sum += (uint64_t)((int64_t)a / (int32_t)b) ^ (uint64_t)((int16_t)a * (int8_t)b);
        sum ^= (uint64_t)(((unsigned __int128)a * b) >> 64) + (uint64_t)__builtin_clzll(b) + (uint64_t)__builtin_ctzll(b);
        sum += __builtin_bswap64(a) ^ (uint32_t)a / (uint16_t)b;
    }
    printf("%016" PRIx64 "\n", sum);
    for (int i = 0; i < 200; i++) printf("%" PRIu64 "\n", power(next(), next(), (uint64_t)-59));
    printf("%u\n", ackermann(2, 300));
    static unsigned char sieve[200000];
    int primes = 0;
    for (int i = 2; i < (int)sizeof sieve; i++) {
        if (sieve[i]) continue;
        primes++;
        for (int j = i * 2; j < (int)sizeof sieve; j += i) sieve[j] = 1;
    }
    printf("%d\n", primes);
    faults();
    return 0;
}
