/* x87: 80-bit arithmetic in every precision and rounding mode, conversions, comparisons, status. */
#include <fenv.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void show(const char *name, long double value) {
    uint64_t significand;
    uint16_t sign_exponent;
    memcpy(&significand, &value, 8);
    memcpy(&sign_exponent, (char *)&value + 8, 2);
    printf("%s %04x:%016llx\n", name, sign_exponent, (unsigned long long)significand);
}

static uint16_t status(void) {
    uint16_t word;
    __asm__ volatile("fnstsw %0" : "=a"(word));
    return word;
}

static void set_control(uint16_t word) { __asm__ volatile("fldcw %0" : : "m"(word)); }

static void clear(void) { __asm__ volatile("fnclex"); }

static const struct {
    uint64_t significand;
    uint16_t sign_exponent;
} OPERANDS[] = {
    {0, 0},                          /* +0 */
    {0, 0x8000},                     /* -0 */
    {0x8000000000000000ull, 0x3FFF}, /* 1 */
    {0xC90FDAA22168C235ull, 0x4000}, /* pi */
    {0xADF85458A2BB4A9Bull, 0xC000}, /* -e */
    {0xAAAAAAAAAAAAAAABull, 0x3FFD}, /* 1/3 */
    {0xFFFFFFFFFFFFFFFFull, 0x7FFE}, /* largest */
    {0x8000000000000000ull, 0x0001}, /* least normal */
    {0x0000000000000001ull, 0x0000}, /* least denormal */
    {0x8000000000000000ull, 0x7FFF}, /* +infinity */
    {0x8000000000000000ull, 0xFFFF}, /* -infinity */
    {0xC000000000001234ull, 0x7FFF}, /* quiet NaN */
    {0x8000000000005678ull, 0x7FFF}, /* signalling NaN */
    {0x8000000000000001ull, 0xC03E}, /* about -2^63 */
    {0xF424000000000000ull, 0x4012}, /* 1000000 */
};
#define COUNT ((int)(sizeof OPERANDS / sizeof OPERANDS[0]))

static long double operand(int i) {
    long double value = 0;
    memcpy(&value, &OPERANDS[i].significand, 8);
    memcpy((char *)&value + 8, &OPERANDS[i].sign_exponent, 2);
    return value;
}

/* The instruction's result and the exception flags and condition codes that it leaves. */
#define BINARY(name, instruction)                                                            \
    static void name(const char *label, long double a, long double b) {                      \
        long double result;                                                                  \
        clear();                                                                             \
        __asm__ volatile("fldt %1\n\tfldt %2\n\t" instruction "\n\tfstpt %0"                 \
                         : "=m"(result)                                                      \
                         : "m"(b), "m"(a)                                                    \
                         : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
        printf("%s " #name " %04x ", label, status() & 0x7F);                                \
        show("=", result);                                                                   \
    }
BINARY(add, "faddp")
BINARY(sub, "fsubp")
BINARY(mul, "fmulp")
BINARY(div, "fdivp")
BINARY(prem, "fprem\n\tfstp %%st(1)")
BINARY(prem1, "fprem1\n\tfstp %%st(1)")
BINARY(scale, "fscale\n\tfstp %%st(1)")
BINARY(root, "fabs\n\tfsqrt\n\tfstp %%st(1)")
BINARY(rint_, "frndint\n\tfstp %%st(1)")
BINARY(extract, "fxtract\n\tfaddp\n\tfstp %%st(1)")

static void compare(long double a, long double b) {
    unsigned char carry, parity, zero;
    clear();
    __asm__ volatile("fldt %4\n\tfldt %3\n\tfucomip %%st(1), %%st\n\tsetc %0\n\tsetp %1\n\tsetz %2\n\tfstp %%st(0)"
                     : "=q"(carry), "=q"(parity), "=q"(zero)
                     : "m"(a), "m"(b)
                     : "st", "st(1)", "cc");
    printf("compare %d%d%d %02x\n", carry, parity, zero, status() & 0x7F);
}

static void convert(long double a) {
    int16_t w;
    int32_t d;
    int64_t q;
    float f;
    double g;
    unsigned char bcd[10];
    uint32_t fbits;
    uint64_t gbits;
    clear();
    __asm__ volatile("fldt %1\n\tfistps %0" : "=m"(w) : "m"(a) : "st");
    __asm__ volatile("fldt %1\n\tfistpl %0" : "=m"(d) : "m"(a) : "st");
    __asm__ volatile("fldt %1\n\tfistpll %0" : "=m"(q) : "m"(a) : "st");
    __asm__ volatile("fldt %1\n\tfstps %0" : "=m"(f) : "m"(a) : "st");
    __asm__ volatile("fldt %1\n\tfstpl %0" : "=m"(g) : "m"(a) : "st");
    __asm__ volatile("fldt %1\n\tfbstp %0" : "=m"(bcd) : "m"(a) : "st");
    memcpy(&fbits, &f, 4);
    memcpy(&gbits, &g, 8);
    printf("convert %d %d %lld %08x %016llx ", w, d, (long long)q, fbits, (unsigned long long)gbits);
    for (int i = 9; i >= 0; i--) printf("%02x", bcd[i]);
    printf(" %02x\n", status() & 0x7F);
}

int main(void) {
    /* All exceptions masked; precision 24, 53, 64 bits; the four rounding modes. */
    static const uint16_t PRECISION[] = {0x000, 0x200, 0x300};
    for (int p = 0; p < 3; p++) {
        for (int r = 0; r < 4; r++) {
            uint16_t control = (uint16_t)(0x7F | PRECISION[p] | r << 10);
            char label[8];
            snprintf(label, sizeof label, "%03x", control);
            set_control(control);
            for (int i = 0; i < COUNT; i++) {
                for (int j = 0; j < COUNT; j++) {
                    long double a = operand(i), b = operand(j);
                    add(label, a, b);
                    sub(label, a, b);
                    mul(label, a, b);
                    div(label, a, b);
                    if (p == 2 && r == 0) {
                        prem(label, a, b);
                        prem1(label, a, b);
                        scale(label, a, b);
                        compare(a, b);
                    }
                }
                root(label, operand(i), 1);
                rint_(label, operand(i), 1);
                extract(label, operand(i), 1);
                convert(operand(i));
            }
        }
    }
    set_control(0x37F);
    clear();
    /* What a compiler makes of long double: sums that must not lose bits, and printing them. */
    long double sum = 0, product = 1;
    for (int i = 1; i <= 1000; i++) {
        sum += 1.0L / i;
        product *= 1.0L + 1.0L / ((long double)i * i);
    }
    show("harmonic", sum);
    show("product", product);
    printf("%.20Lg %.20Lg %La\n", sum, product, sum);
    return 0;
}
