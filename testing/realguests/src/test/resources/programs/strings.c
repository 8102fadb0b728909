/* Strings: the C library's own (which takes what CPUID offers), SSE4.2, REP, CRC32 and POPCNT. */
#include <nmmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 12345;

static uint32_t next(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static char from[8192], to[8192];

static uint32_t crc(const void *data, size_t length) {
    const unsigned char *p = data;
    uint64_t value = 0xFFFFFFFFu;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        value = _mm_crc32_u64(value, word);
        p += 8;
        length -= 8;
    }
    while (length--) value = _mm_crc32_u8((uint32_t)value, *p++);
    return (uint32_t)value;
}

#define COMPARE(mode)                                                                            \
    printf(#mode " %d %d%d%d%d%d", _mm_cmpestri(a, la, b, lb, mode), _mm_cmpestra(a, la, b, lb, mode), \
           _mm_cmpestrc(a, la, b, lb, mode), _mm_cmpestro(a, la, b, lb, mode),                   \
           _mm_cmpestrs(a, la, b, lb, mode), _mm_cmpestrz(a, la, b, lb, mode));                  \
    printf(" %d %d%d%d%d%d", _mm_cmpistri(a, b, mode), _mm_cmpistra(a, b, mode),                 \
           _mm_cmpistrc(a, b, mode), _mm_cmpistro(a, b, mode), _mm_cmpistrs(a, b, mode),         \
           _mm_cmpistrz(a, b, mode));                                                            \
    show(_mm_cmpestrm(a, la, b, lb, mode));                                                      \
    show(_mm_cmpistrm(a, b, mode));                                                              \
    putchar('\n')

static void show(__m128i v) {
    uint64_t w[2];
    memcpy(w, &v, 16);
    printf(" %016llx%016llx", (unsigned long long)w[1], (unsigned long long)w[0]);
}

static __m128i text(void) {
    char bytes[16];
    for (int i = 0; i < 16; i++) bytes[i] = next() % 20 == 0 ? 0 : (char)('a' + next() % 6);
    __m128i v;
    memcpy(&v, bytes, 16);
    return v;
}

static void string_instructions(void) {
    __m128i a = text(), b = text();
    int la = (int)(next() % 20) - 2, lb = (int)(next() % 20) - 2;
    COMPARE(0x00);
    COMPARE(0x04);
    COMPARE(0x08);
    COMPARE(0x0C);
    COMPARE(0x12);
    COMPARE(0x18);
    COMPARE(0x34);
    COMPARE(0x3A);
    COMPARE(0x44);
    COMPARE(0x48);
    COMPARE(0x4D);
    COMPARE(0x5A);
    COMPARE(0x69);
    COMPARE(0x75);
}

static void library(void) {
    size_t length = next() % 4000, source = next() % 64, target = next() % 64;
    for (size_t i = 0; i < sizeof from; i++) from[i] = (char)('A' + next() % 50);
    from[source + length] = 0;
    memset(to, '.', sizeof to);
    memcpy(to + target, from + source, length);
    printf("%zu %zu %08x", strlen(from + source), strnlen(from + source, 100), crc(to, sizeof to));
    memmove(to + target + 17, to + target, length);
    memmove(to + target, to + target + 29, length);
    printf(" %08x", crc(to, sizeof to));
    int order = memcmp(to + target, from + source, length);
    printf(" %d", order < 0 ? -1 : order > 0);
    const char *found = strchr(from + source, 'q');
    printf(" %td", found ? found - from : -1);
    found = strrchr(from + source, 'B');
    printf(" %td", found ? found - from : -1);
    found = memchr(from, 'Z', sizeof from);
    printf(" %td", found ? found - from : -1);
    from[source + length / 2] = '!';
    strcpy(to, from + source);
    strcat(to, "#tail");
    found = strstr(to, "#tai");
    printf(" %td %zu %zu %08x\n", found ? found - to : -1, strcspn(to, "!"), strspn(to, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
           crc(to, sizeof to));
}

static void repeated(void) {
    size_t count = next() % 1000;
    char *d = to + next() % 16;
    const char *s = from + next() % 16;
    size_t left = count;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(left) : : "memory");
    printf("%td %td %zu %08x", d - to, s - from, left, crc(to, sizeof to));
    d = to;
    left = count / 8;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(left) : "a"(0x0123456789ABCDEFull) : "memory");
    printf(" %td %08x", d - to, crc(to, sizeof to));
    d = from;
    left = sizeof from;
    __asm__ volatile("repne scasb" : "+D"(d), "+c"(left) : "a"('m') : "memory", "cc");
    printf(" %td %zu", d - from, left);
    /* Downwards, overlapping. */
    d = to + 2000;
    s = to + 1990;
    left = count;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(left) : : "memory", "cc");
    printf(" %td %08x\n", d - to, crc(to, sizeof to));
}

static int by_value(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    for (int i = 0; i < 60; i++) string_instructions();
    for (int i = 0; i < 100; i++) library();
    for (int i = 0; i < 100; i++) repeated();
    enum { WORDS = 2000 };
    static char words[WORDS][12], *order[WORDS];
    for (int i = 0; i < WORDS; i++) {
        snprintf(words[i], sizeof words[i], "%x", next());
        order[i] = words[i];
    }
    qsort(order, WORDS, sizeof order[0], by_value);
    for (int i = 0; i < WORDS; i += 97) puts(order[i]);
    uint64_t bits = 0;
    for (int i = 0; i < WORDS; i++) bits += (uint64_t)_mm_popcnt_u64((uint64_t)next() << 20 ^ next());
    printf("%llu %.6f %s\n", (unsigned long long)bits, strtod("2.718281828459045", NULL), strerror(2));
    return 0;
}
