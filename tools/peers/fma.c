// Multiply-adds on registers alone: as fast as a core can compute.
//
// Each accumulator waits for itself, so there are enough of them to fill the pipes
// (latency times pipes is 8 to 10 on current cores), and few enough to stay in registers.
// Compiled for the instructions that a target may use.

#if defined(__AVX512F__)
enum { BYTES = 64, CHAINS = 24 };
#elif defined(__AVX__)
enum { BYTES = 32, CHAINS = 12 };
#elif defined(__x86_64__)
enum { BYTES = 16, CHAINS = 12 };
#elif defined(__aarch64__)
enum { BYTES = 16, CHAINS = 24 };
#else
enum { BYTES = 16, CHAINS = 12 };
#endif

typedef float vector __attribute__((vector_size(BYTES)));
typedef int integers __attribute__((vector_size(BYTES)));

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

// Returns the operations done, a multiply-add counted as two.
#define RUN(kind, element, start, step, products)                                 \
    kind sum[CHAINS];                                                             \
    for (int i = 0; i < CHAINS; ++i) sum[i] = (start) + (element)i;               \
    for (long round = 0; round < rounds; ++round) {                               \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; ++i) step; \
    }                                                                             \
    for (int i = 1; i < CHAINS; ++i) sum[0] += sum[i];                            \
    *sink = (float)sum[0][0];                                                     \
    return 2.0 * (products) * CHAINS * (BYTES / 4) * rounds

double loop_of_float32(long rounds, float scale, float *sink) {
    vector a = {0}, b = {0};
    a += scale;
    b += 1 - scale;
    RUN(vector, float, b, sum[i] = sum[i] * a + b, 1);
}

double loop_of_bfloat16(long rounds, float scale, float *sink) {
#if defined(__AVX512BF16__)
    vector a = {0};
    a += scale;
    __m512bh b = _mm512_cvtne2ps_pbh((__m512)a, (__m512)a);
    RUN(vector, float, a, sum[i] = (vector)_mm512_dpbf16_ps((__m512)sum[i], b, b), 2);
#else
    return loop_of_float32(rounds, scale, sink); // converted, as there is nothing better
#endif
}

// Exact sums: where products of bytes add up in 16 bits (vpmaddubsw), they can be cut off.
double loop_of_int8(long rounds, float scale, float *sink) {
    integers a = {0};
    a += (int)(scale * 1000);
#if defined(__AVX512VNNI__)
    __m512i b = (__m512i)a;
    RUN(integers, int, a, sum[i] = (integers)_mm512_dpbusd_epi32((__m512i)sum[i], b, b), 4);
#elif defined(__AVX512BW__)
    RUN(integers, int, a, sum[i] += (integers)_mm512_madd_epi16((__m512i)sum[i], (__m512i)a), 2);
#elif defined(__AVX2__)
    RUN(integers, int, a, sum[i] += (integers)_mm256_madd_epi16((__m256i)sum[i], (__m256i)a), 2);
#elif defined(__ARM_FEATURE_DOTPROD)
    int8x16_t b = (int8x16_t)a;
    RUN(integers, int, a, sum[i] = (integers)vdotq_s32((int32x4_t)sum[i], b, b), 4);
#else
    RUN(integers, int, a, sum[i] = sum[i] * a + a, 1);
#endif
}
