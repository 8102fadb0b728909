/* The hot kernels: small loops that stand for what programs spend their time in. Built once for the
 * bare-metal guest and once for the host, so that checksums and native times can be compared. */
#include "kernels.h"

#define NOINLINE __attribute__((noinline))
static uint8_t bytes_a[1 << 20];
uint8_t bytes_b[1 << 20];

static uint64_t mix(uint32_t rounds) {
    uint64_t a = 1, b = 0x9E3779B97F4A7C15u;
    for (uint32_t i = 0; i < rounds * 1000; i++) {
        a += b;
        b ^= a << 13;
        b ^= b >> 7;
        a = a * 5 + i;
    }
    return a ^ b;
}

static uint32_t crc_table[256];
static uint64_t crc32_table(uint32_t rounds) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[i] = c;
    }
    for (uint32_t i = 0; i < 65536; i++) bytes_a[i] = (uint8_t)(i * 7 + (i >> 8));
    uint32_t crc = ~0u;
    for (uint32_t r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < 4096; i++)
            crc = crc_table[(crc ^ bytes_a[(r * 13 + i) & 65535]) & 255] ^ (crc >> 8);
    return ~crc;
}

static uint64_t sieve(uint32_t rounds) {
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < 65536; i++) bytes_a[i] = 1;
        for (uint32_t i = 2; i < 256; i++)
            if (bytes_a[i])
                for (uint32_t j = i * i; j < 65536; j += i) bytes_a[j] = 0;
        for (uint32_t i = 2; i < 65536; i++) sum += bytes_a[i] ? i : 0;
    }
    return sum;
}

static NOINLINE uint64_t length(const uint8_t *s) {
    const uint8_t *p = s;
    while (*p) p++;
    return (uint64_t)(p - s);
}
static uint64_t strlen_bytes(uint32_t rounds) {
    for (uint32_t i = 0; i < 4095; i++) bytes_a[i] = (uint8_t)(i % 255 + 1);
    bytes_a[4095] = 0;
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) sum += length(bytes_a + (r & 63));
    return sum;
}

static NOINLINE void copy(uint8_t *to, const uint8_t *from) {
    while ((*to++ = *from++)) {}
}
static uint64_t strcpy_bytes(uint32_t rounds) {
    for (uint32_t i = 0; i < 4095; i++) bytes_a[i] = (uint8_t)(i % 251 + 1);
    bytes_a[4095] = 0;
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        copy(bytes_b, bytes_a + (r & 31));
        sum += bytes_b[r & 1023];
    }
    return sum;
}

static uint64_t rep_movs(uint32_t rounds) {
    for (uint32_t i = 0; i < sizeof bytes_a; i++) bytes_a[i] = (uint8_t)(i ^ (i >> 8));
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        void *to = bytes_b;
        const void *from = bytes_a + (r & 7) * 8;
        uint64_t count = (sizeof bytes_a - 64) / 8;
        __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        sum += bytes_b[r & 0xFFFF];
    }
    return sum;
}

static NOINLINE uint64_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static uint64_t fib_calls(uint32_t rounds) {
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) sum += fib(16 + (r & 1));
    return sum;
}

static NOINLINE uint64_t leaf_a(uint64_t x) { return x * 3 + 1; }
static NOINLINE uint64_t leaf_b(uint64_t x) { return x ^ (x >> 3); }
static uint64_t leaf_calls(uint32_t rounds) {
    uint64_t x = 7;
    for (uint32_t i = 0; i < rounds * 1000; i++) x = leaf_b(leaf_a(x) + i);
    return x;
}

static uint64_t f0(uint64_t x) { return x + 1; }
static uint64_t f1(uint64_t x) { return x ^ 0x55; }
static uint64_t f2(uint64_t x) { return x * 3; }
static uint64_t f3(uint64_t x) { return x - (x >> 2); }
static uint64_t (*volatile table[4])(uint64_t) = {f0, f1, f2, f3};
static uint64_t indirect_calls(uint32_t rounds) {
    uint64_t x = 1;
    for (uint32_t i = 0; i < rounds * 1000; i++) x = table[(x ^ i) & 3](x);
    return x;
}

static double ma[32][32], mb[32][32], mc[32][32];
static uint64_t matmul_double(uint32_t rounds) {
    for (int i = 0; i < 32; i++)
        for (int j = 0; j < 32; j++) {
            ma[i][j] = i * 0.5 + j;
            mb[i][j] = i - j * 0.25;
        }
    double sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < 32; i++)
            for (int j = 0; j < 32; j++) {
                double s = 0;
                for (int k = 0; k < 32; k++) s += ma[i][k] * mb[k][j];
                mc[i][j] = s;
            }
        sum += mc[r & 31][(r >> 5) & 31];
        ma[r & 31][0] += 1;
    }
    return (uint64_t)(int64_t)sum;
}

static struct node { struct node *next; uint64_t value; } nodes[4096];
static uint64_t pointer_chase(uint32_t rounds) {
    for (uint32_t i = 0; i < 4096; i++) {
        nodes[i].next = &nodes[(i * 1201 + 17) & 4095];
        nodes[i].value = i;
    }
    struct node *n = nodes;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < rounds * 1000; i++) {
        sum += n->value;
        n = n->next;
    }
    return sum;
}

static uint64_t bytecode(uint32_t rounds) {
    /* acc += i; acc ^= acc << 3; i -= 1; if (i) goto 0; end */
    static const uint8_t program[] = {0, 1, 3, 2, 3, 4, 0, 5};
    uint64_t acc = 1, shifted = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        uint64_t i = 200;
        uint32_t pc = 0;
        for (;;) {
            uint8_t op = program[pc++];
            switch (op) {
                case 0: acc += i; break;
                case 1: shifted = acc << program[pc++]; break;
                case 2: acc ^= shifted; break;
                case 3: i -= 1; break;
                case 4: pc = i ? program[pc] : pc + 1; break;
                default: goto done;
            }
        }
    done:;
    }
    return acc;
}

static uint32_t sorted[2048];
static NOINLINE void quicksort(uint32_t *a, int low, int high) {
    while (low < high) {
        uint32_t pivot = a[(low + high) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (j - low < high - i) {
            quicksort(a, low, j);
            low = i;
        } else {
            quicksort(a, i, high);
            high = j;
        }
    }
}
static uint64_t sort(uint32_t rounds) {
    uint64_t sum = 0;
    uint32_t seed = 12345;
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < 2048; i++) {
            seed = seed * 1664525u + 1013904223u;
            sorted[i] = seed;
        }
        quicksort(sorted, 0, 2047);
        sum += sorted[r & 2047];
    }
    return sum;
}

static const uint32_t k256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
#define ROR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
static uint64_t sha256(uint32_t rounds) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint32_t w[64];
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < 16; i++) w[i] = (uint32_t)(i * 0x01010101u) ^ r ^ h[i & 7];
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = ROR(w[i - 15], 7) ^ ROR(w[i - 15], 18) ^ (w[i - 15] >> 3);
            uint32_t s1 = ROR(w[i - 2], 17) ^ ROR(w[i - 2], 19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = x + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + ((e & f) ^ (~e & g)) +
                          k256[i] + w[i];
            uint32_t t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            x = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
        }
        h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += x;
    }
    return (uint64_t)h[0] << 32 | h[7];
}

static uint64_t division(uint32_t rounds) {
    uint64_t x = 0x123456789ABCDEFu, sum = 0;
    for (uint32_t i = 1; i <= rounds * 1000; i++) {
        sum += x / (i | 1);
        x ^= sum + x % (i | 3);
    }
    return sum;
}

/* Counts lower-case letters and finds the largest byte, 16 bytes at a time: SSE2. */
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
static uint64_t sse_integer(uint32_t rounds) {
    for (uint32_t i = 0; i < 16384; i++) bytes_a[i] = (uint8_t)(i * 31 + (i >> 7));
    uint64_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        u8x16 largest = {0}, mixed = {0};
        i8x16 letters = {0};
        for (uint32_t i = 0; i < 16384; i += 16) {
            u8x16 v = *(u8x16 *)(bytes_a + i);
            i8x16 s = (i8x16)v;
            letters -= (s > 96) & (s < 123);
            u8x16 above = (u8x16)(v > largest);
            largest = (v & above) | (largest & ~above);
            mixed = (mixed + v) ^ (u8x16)letters;
        }
        for (int i = 0; i < 16; i++) sum = sum * 31 + largest[i] + mixed[i];
        bytes_a[r & 16383] ^= (uint8_t)r;
    }
    return sum;
}

/* Adler-like sums over 32-bit lanes with multiplications: AVX2. */
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8u __attribute__((vector_size(32), aligned(1)));
static __attribute__((target("avx2"))) uint64_t avx2_integer(uint32_t rounds) {
    for (uint32_t i = 0; i < 16384; i++) bytes_a[i] = (uint8_t)(i * 13 + (i >> 5));
    u32x8 a = {1, 2, 3, 4, 5, 6, 7, 8}, b = {0};
    for (uint32_t r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < 16384; i += 32) {
            u32x8 v = *(u32x8u *)(bytes_a + i);
            a = a + v;
            b = (b ^ (a << 5)) + (v >> 3) + a * 16777619u;
        }
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++) sum = sum * 1000003 + (a[i] ^ b[i]);
    return sum;
}

static double wave[64];
static uint64_t x87(uint32_t rounds) {
    for (int i = 0; i < 64; i++) wave[i] = i * 0.37 - 11;
    long double x = 1, y = 0;
    for (uint32_t r = 0; r < rounds; r++)
        for (int i = 0; i < 64; i++) {
            y += x * wave[i];
            x = x * 0.75L + (long double)wave[63 - i] * 0.01L;
            if (y > 1000) y -= 1000;
        }
    return (uint64_t)(int64_t)(y * 1e6L) ^ (uint64_t)(int64_t)(x * 1e6L);
}

static uint64_t counter;
static uint32_t increments;
static void increment(void) {
    for (uint32_t i = 0; i < increments; i++) __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}
static uint64_t atomic_increments(uint32_t rounds) {
    counter = 0;
    increments = rounds * 1000;
    other_cpu_start(increment);
    increment();
    other_cpu_wait();
    return counter;
}

const struct kernel kernels[] = {
    {"integer mix", mix, 12000},       {"crc32 table", crc32_table, 2000},
    {"sieve", sieve, 40},              {"strlen", strlen_bytes, 2000},
    {"strcpy", strcpy_bytes, 1500},    {"rep movs", rep_movs, 300},
    {"fib", fib_calls, 1500},          {"leaf calls", leaf_calls, 3000},
    {"indirect calls", indirect_calls, 3000}, {"matmul double", matmul_double, 60},
    {"pointer chase", pointer_chase, 8000},  {"bytecode", bytecode, 4000},
    {"quicksort", sort, 40},           {"sha256", sha256, 8000},
    {"division", division, 3000},      {"sse integer", sse_integer, 300},
    {"avx2 integer", avx2_integer, 300}, {"x87", x87, 1500},
    {"atomic increments", atomic_increments, 200},
#ifdef BARE_METAL
    {"syscalls", syscalls, 100},       {"page faults", page_faults, 200},
    {"context switches", context_switches, 500},
#endif
};
const int kernel_count = sizeof kernels / sizeof kernels[0];
