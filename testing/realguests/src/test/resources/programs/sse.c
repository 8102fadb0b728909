/* SSE to SSE4.1: floats and integers, rounding modes, exception flags, special values. */
#include <smmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t seed = 0x9E3779B97F4A7C15ull;

static uint64_t next(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void show(const char *name, __m128i v) {
    uint64_t w[2];
    memcpy(w, &v, 16);
    printf("%s %016llx%016llx\n", name, (unsigned long long)w[1], (unsigned long long)w[0]);
}

static void show_flags(void) {
    printf("flags %02x\n", _mm_getcsr() & 0x3F);
    _mm_setcsr(_mm_getcsr() & ~0x3Fu);
}

#define PS(operation) show(#operation, _mm_castps_si128(operation))
#define PD(operation) show(#operation, _mm_castpd_si128(operation))
#define SI(operation) show(#operation, operation)

static const uint32_t SINGLE[] = {0x00000000, 0x80000000, 0x3F800000, 0x40490FDB, 0xC02DF854, 0x7F7FFFFF,
                                  0x00800000, 0x00000001, 0x807FFFFF, 0x7F800000, 0xFF800000, 0x7FC01234,
                                  0x7F805678, 0x4F000000, 0xCF000001, 0x3EAAAAAB};
static const uint64_t DOUBLE[] = {0,
                                  0x8000000000000000ull,
                                  0x3FF0000000000000ull,
                                  0x400921FB54442D18ull,
                                  0xC005BF0A8B145769ull,
                                  0x7FEFFFFFFFFFFFFFull,
                                  0x0010000000000000ull,
                                  0x0000000000000001ull,
                                  0x7FF0000000000000ull,
                                  0xFFF0000000000000ull,
                                  0x7FF8000000001234ull,
                                  0x7FF0000000005678ull,
                                  0x43E0000000000000ull,
                                  0xC1E0000000200000ull,
                                  0x3FD5555555555555ull,
                                  0x36A0000000000001ull};

static __m128 singles(void) {
    uint32_t w[4];
    for (int i = 0; i < 4; i++) {
        uint64_t n = next();
        w[i] = n & 1 ? SINGLE[n >> 8 & 15] : (uint32_t)(n >> 32);
    }
    __m128 v;
    memcpy(&v, w, 16);
    return v;
}

static __m128d doubles(void) {
    uint64_t w[2];
    for (int i = 0; i < 2; i++) {
        uint64_t n = next();
        w[i] = n & 1 ? DOUBLE[n >> 8 & 15] : next();
    }
    __m128d v;
    memcpy(&v, w, 16);
    return v;
}

static __m128i integers(void) { return _mm_set_epi64x((long long)next(), (long long)next()); }

static void floats(void) {
    __m128 a = singles(), b = singles();
    PS(_mm_add_ps(a, b));
    PS(_mm_sub_ps(a, b));
    PS(_mm_mul_ps(a, b));
    PS(_mm_div_ps(a, b));
    PS(_mm_sqrt_ps(a));
    PS(_mm_min_ps(a, b));
    PS(_mm_max_ps(a, b));
    PS(_mm_hadd_ps(a, b));
    PS(_mm_addsub_ps(a, b));
    PS(_mm_cmplt_ps(a, b));
    PS(_mm_cmpunord_ps(a, b));
    PS(_mm_round_ps(a, _MM_FROUND_CUR_DIRECTION));
    PS(_mm_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
    PS(_mm_dp_ps(a, b, 0xF5));
    PS(_mm_add_ss(a, b));
    show_flags();
    SI(_mm_cvtps_epi32(a));
    SI(_mm_cvttps_epi32(b));
    PD(_mm_cvtps_pd(a));
    printf("%d %d %lld\n", _mm_cvtss_si32(a), _mm_cvttss_si32(a), (long long)_mm_cvtss_si64(b));
    printf("%d%d%d\n", _mm_comieq_ss(a, b), _mm_comilt_ss(a, b), _mm_ucomigt_ss(a, b));
    show_flags();
    __m128d c = doubles(), d = doubles();
    PD(_mm_add_pd(c, d));
    PD(_mm_sub_pd(c, d));
    PD(_mm_mul_pd(c, d));
    PD(_mm_div_pd(c, d));
    PD(_mm_sqrt_pd(c));
    PD(_mm_min_pd(c, d));
    PD(_mm_max_pd(c, d));
    PD(_mm_hsub_pd(c, d));
    PD(_mm_cmple_pd(c, d));
    PD(_mm_round_pd(c, _MM_FROUND_CUR_DIRECTION));
    PD(_mm_dp_pd(c, d, 0x31));
    show_flags();
    PS(_mm_cvtpd_ps(c));
    SI(_mm_cvtpd_epi32(c));
    SI(_mm_cvttpd_epi32(d));
    printf("%lld %lld\n", (long long)_mm_cvtsd_si64(c), (long long)_mm_cvttsd_si64(d));
    printf("%d%d%d\n", _mm_comieq_sd(c, d), _mm_comilt_sd(c, d), _mm_ucomige_sd(c, d));
    show_flags();
    __m128i n = integers();
    PS(_mm_cvtepi32_ps(n));
    PD(_mm_cvtepi32_pd(n));
    PD(_mm_cvtsi64_sd(c, (long long)next()));
    PS(_mm_cvtsi64_ss(a, (long long)next()));
    show_flags();
}

static void integer(void) {
    __m128i a = integers(), b = integers(), small = _mm_cvtsi32_si128((int)(next() % 70));
    SI(_mm_add_epi8(a, b));
    SI(_mm_adds_epi16(a, b));
    SI(_mm_subs_epu8(a, b));
    SI(_mm_sub_epi64(a, b));
    SI(_mm_mullo_epi16(a, b));
    SI(_mm_mulhi_epi16(a, b));
    SI(_mm_mulhi_epu16(a, b));
    SI(_mm_mulhrs_epi16(a, b));
    SI(_mm_mullo_epi32(a, b));
    SI(_mm_mul_epi32(a, b));
    SI(_mm_mul_epu32(a, b));
    SI(_mm_madd_epi16(a, b));
    SI(_mm_maddubs_epi16(a, b));
    SI(_mm_sad_epu8(a, b));
    SI(_mm_avg_epu8(a, b));
    SI(_mm_packs_epi32(a, b));
    SI(_mm_packus_epi16(a, b));
    SI(_mm_packus_epi32(a, b));
    SI(_mm_unpacklo_epi8(a, b));
    SI(_mm_unpackhi_epi16(a, b));
    SI(_mm_shuffle_epi8(a, b));
    SI(_mm_shuffle_epi32(a, 0x1B));
    SI(_mm_shufflehi_epi16(a, 0x2D));
    SI(_mm_alignr_epi8(a, b, 5));
    SI(_mm_sign_epi16(a, b));
    SI(_mm_abs_epi32(a));
    SI(_mm_hadds_epi16(a, b));
    SI(_mm_sll_epi64(a, small));
    SI(_mm_sra_epi16(a, small));
    SI(_mm_srl_epi32(a, small));
    SI(_mm_slli_si128(a, 3));
    SI(_mm_cmpgt_epi8(a, b));
    SI(_mm_cmpgt_epi32(a, b));
    SI(_mm_cmpeq_epi64(a, b));
    SI(_mm_min_epi8(a, b));
    SI(_mm_max_epu32(a, b));
    SI(_mm_minpos_epu16(a));
    SI(_mm_mpsadbw_epu8(a, b, 5));
    SI(_mm_blendv_epi8(a, b, integers()));
    SI(_mm_blend_epi16(a, b, 0x5A));
    SI(_mm_cvtepi8_epi32(a));
    SI(_mm_cvtepu16_epi64(a));
    SI(_mm_insert_epi8(a, (int)next(), 7));
    printf("%d %d %d %d\n", _mm_movemask_epi8(a), _mm_testz_si128(a, b), _mm_testc_si128(a, b),
           _mm_extract_epi16(b, 3));
}

int main(void) {
    for (int round = 0; round < 4; round++) {
        /* With and without flush-to-zero and denormals-are-zero. */
        for (int flush = 0; flush < 2; flush++) {
            _mm_setcsr(0x1F80u | (unsigned)round << 13 | (flush ? 0x8040u : 0));
            for (int i = 0; i < 25; i++) floats();
        }
    }
    _mm_setcsr(0x1F80);
    for (int i = 0; i < 100; i++) integer();
    double sum = 0;
    float product = 1;
    for (int i = 1; i < 2000; i++) {
        sum += 1.0 / i / i;
        product *= 1.0f + 1.0f / (float)(i * i);
    }
    printf("%.17g %.9g %a\n", sum, product, sum);
    return 0;
}
