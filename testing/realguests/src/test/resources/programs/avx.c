/* AVX, AVX2, FMA, F16C, BMI1 and BMI2. The argument is the seed. */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed;

static uint64_t next(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void show(const char *name, __m256i v) {
    uint64_t w[4];
    memcpy(w, &v, 32);
    printf("%s %016llx%016llx%016llx%016llx\n", name, (unsigned long long)w[3], (unsigned long long)w[2],
           (unsigned long long)w[1], (unsigned long long)w[0]);
}

static void show_flags(void) {
    printf("flags %02x\n", _mm_getcsr() & 0x3F);
    _mm_setcsr(_mm_getcsr() & ~0x3Fu);
}

#define PS(operation) show(#operation, _mm256_castps_si256(operation))
#define PD(operation) show(#operation, _mm256_castpd_si256(operation))
#define SI(operation) show(#operation, operation)
#define HALF(operation) show(#operation, _mm256_zextsi128_si256(operation))

static const uint32_t SINGLE[] = {0x00000000, 0x80000000, 0x3F800000, 0x40490FDB, 0xC02DF854, 0x7F7FFFFF,
                                  0x00800000, 0x00000001, 0x807FFFFF, 0x7F800000, 0xFF800000, 0x7FC01234,
                                  0x7F805678, 0x477FF000, 0x33800001, 0x3EAAAAAB};
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

static __m256i integers(void) {
    return _mm256_set_epi64x((long long)next(), (long long)next(), (long long)next(), (long long)next());
}

static __m256 singles(void) {
    uint32_t w[8];
    for (int i = 0; i < 8; i++) {
        uint64_t n = next();
        w[i] = n & 1 ? SINGLE[n >> 8 & 15] : (uint32_t)(n >> 32);
    }
    __m256 v;
    memcpy(&v, w, 32);
    return v;
}

static __m256d doubles(void) {
    uint64_t w[4];
    for (int i = 0; i < 4; i++) {
        uint64_t n = next();
        w[i] = n & 1 ? DOUBLE[n >> 8 & 15] : next();
    }
    __m256d v;
    memcpy(&v, w, 32);
    return v;
}

static void floats(void) {
    __m256 a = singles(), b = singles(), c = singles();
    PS(_mm256_add_ps(a, b));
    PS(_mm256_mul_ps(a, b));
    PS(_mm256_div_ps(a, b));
    PS(_mm256_sqrt_ps(a));
    PS(_mm256_max_ps(a, b));
    PS(_mm256_hadd_ps(a, b));
    PS(_mm256_addsub_ps(a, b));
    PS(_mm256_dp_ps(a, b, 0xA7));
    PS(_mm256_cmp_ps(a, b, _CMP_NGE_UQ));
    PS(_mm256_cmp_ps(a, b, _CMP_ORD_S));
    PS(_mm256_round_ps(a, _MM_FROUND_CUR_DIRECTION));
    PS(_mm256_permutevar_ps(a, integers()));
    PS(_mm256_permute2f128_ps(a, b, 0x21));
    PS(_mm256_blendv_ps(a, b, c));
    PS(_mm256_fmadd_ps(a, b, c));
    PS(_mm256_fnmsub_ps(a, b, c));
    PS(_mm256_fmaddsub_ps(a, b, c));
    show_flags();
    SI(_mm256_cvtps_epi32(a));
    SI(_mm256_cvttps_epi32(b));
    PD(_mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
    HALF(_mm256_cvtps_ph(a, _MM_FROUND_CUR_DIRECTION));
    PS(_mm256_cvtph_ps(_mm256_castsi256_si128(integers())));
    show_flags();
    __m256d d = doubles(), e = doubles(), f = doubles();
    PD(_mm256_sub_pd(d, e));
    PD(_mm256_div_pd(d, e));
    PD(_mm256_min_pd(d, e));
    PD(_mm256_fmadd_pd(d, e, f));
    PD(_mm256_fmsubadd_pd(d, e, f));
    PD(_mm256_fnmadd_pd(d, e, f));
    PD(_mm256_permute4x64_pd(d, 0x6C));
    printf("%d %d %d\n", _mm256_movemask_ps(a), _mm256_movemask_pd(d), _mm256_testz_ps(a, b));
    show_flags();
    PS(_mm256_cvtepi32_ps(integers()));
    show("_mm256_cvtpd_ps(d)", _mm256_zextsi128_si256(_mm_castps_si128(_mm256_cvtpd_ps(d))));
    HALF(_mm256_cvtpd_epi32(d));
    show_flags();
}

static void memory(void) {
    int32_t words[64];
    int64_t longs[64];
    for (int i = 0; i < 64; i++) {
        words[i] = (int32_t)next();
        longs[i] = (int64_t)next();
    }
    __m256i index = _mm256_and_si256(integers(), _mm256_set1_epi32(63)), mask = integers();
    SI(_mm256_i32gather_epi32(words, index, 4));
    SI(_mm256_mask_i32gather_epi32(mask, words, index, mask, 4));
    SI(_mm256_i64gather_epi64((const long long *)longs, _mm256_and_si256(integers(), _mm256_set1_epi64x(63)), 8));
    PD(_mm256_i32gather_pd((const double *)longs, _mm256_castsi256_si128(index), 8));
    SI(_mm256_maskload_epi32(words + 3, mask));
    _mm256_maskstore_epi64((long long *)longs + 1, mask, integers());
    _mm256_maskstore_ps((float *)words + 9, mask, singles());
    uint64_t sum = 0;
    for (int i = 0; i < 64; i++) sum = sum * 31 + (uint64_t)longs[i] + (uint32_t)words[i];
    printf("sum %016llx\n", (unsigned long long)sum);
}

static void integer(void) {
    __m256i a = integers(), b = integers();
    __m128i small = _mm_cvtsi32_si128((int)(next() % 70));
    SI(_mm256_add_epi8(a, b));
    SI(_mm256_subs_epu16(a, b));
    SI(_mm256_mullo_epi32(a, b));
    SI(_mm256_mul_epu32(a, b));
    SI(_mm256_madd_epi16(a, b));
    SI(_mm256_maddubs_epi16(a, b));
    SI(_mm256_mulhrs_epi16(a, b));
    SI(_mm256_sad_epu8(a, b));
    SI(_mm256_mpsadbw_epu8(a, b, 0x2B));
    SI(_mm256_packus_epi32(a, b));
    SI(_mm256_unpackhi_epi8(a, b));
    SI(_mm256_shuffle_epi8(a, b));
    SI(_mm256_alignr_epi8(a, b, 11));
    SI(_mm256_permutevar8x32_epi32(a, b));
    SI(_mm256_permute4x64_epi64(a, 0x93));
    SI(_mm256_permute2x128_si256(a, b, 0x83));
    SI(_mm256_inserti128_si256(a, _mm256_extracti128_si256(b, 1), 0));
    SI(_mm256_broadcastb_epi8(small));
    SI(_mm256_sllv_epi32(a, _mm256_and_si256(b, _mm256_set1_epi32(63))));
    SI(_mm256_srlv_epi64(a, _mm256_and_si256(b, _mm256_set1_epi64x(127))));
    SI(_mm256_srav_epi32(a, _mm256_and_si256(b, _mm256_set1_epi32(63))));
    SI(_mm256_sra_epi16(a, small));
    SI(_mm256_bslli_epi128(a, 5));
    SI(_mm256_cmpgt_epi64(a, b));
    SI(_mm256_min_epu8(a, b));
    SI(_mm256_sign_epi32(a, b));
    SI(_mm256_hsub_epi16(a, b));
    SI(_mm256_blend_epi32(a, b, 0x5A));
    SI(_mm256_blendv_epi8(a, b, integers()));
    SI(_mm256_cvtepi8_epi32(small));
    SI(_mm256_cvtepu16_epi64(_mm256_castsi256_si128(a)));
    printf("%x %d %d\n", (unsigned)_mm256_movemask_epi8(a), _mm256_testc_si256(a, b), _mm256_testnzc_si256(a, b));
    uint64_t x = next(), y = next();
    unsigned long long high, low = _mulx_u64(x, y, &high);
    printf("%llx %llx %llx %llx %llx %llx %llx %llx\n", high, low, (unsigned long long)_pdep_u64(x, y),
           (unsigned long long)_pext_u64(x, y), (unsigned long long)_bzhi_u64(x, (unsigned)y & 0x7F),
           (unsigned long long)_bextr_u64(x, (unsigned)y & 63, (unsigned)(y >> 8) & 63),
           (unsigned long long)_andn_u64(x, y), (unsigned long long)_blsr_u64(x));
    printf("%llu %llu\n", (unsigned long long)_lzcnt_u64(x >> (y & 63)), (unsigned long long)_tzcnt_u64(x << (y & 63)));
}

int main(int count, char **arguments) {
    seed = 0x9E3779B97F4A7C15ull * (count > 1 ? strtoull(arguments[1], NULL, 10) : 1);
    for (int round = 0; round < 4; round++) {
        /* With and without flush-to-zero and denormals-are-zero. */
        for (int flush = 0; flush < 2; flush++) {
            _mm_setcsr(0x1F80u | (unsigned)round << 13 | (flush ? 0x8040u : 0));
            for (int i = 0; i < 25; i++) floats();
        }
    }
    _mm_setcsr(0x1F80);
    for (int i = 0; i < 50; i++) memory();
    for (int i = 0; i < 100; i++) integer();
    /* Long enough to be switched away from, with all registers in use. */
    __m256d sum = _mm256_setzero_pd(), one = _mm256_set1_pd(1), n = _mm256_set_pd(1, 2, 3, 4);
    __m256i hash = integers();
    for (int i = 0; i < 300000; i++) {
        sum = _mm256_fmadd_pd(_mm256_div_pd(one, n), _mm256_div_pd(one, n), sum);
        n = _mm256_add_pd(n, _mm256_set1_pd(4));
        hash = _mm256_add_epi64(_mm256_xor_si256(hash, _mm256_slli_epi64(hash, 7)), _mm256_srli_epi64(hash, 9));
    }
    PD(sum);
    SI(hash);
    return 0;
}
