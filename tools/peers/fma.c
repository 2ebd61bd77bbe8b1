// Multiply-adds on registers alone: as fast as a core can compute.
//
// Each accumulator waits for itself, so there are enough of them to fill the pipes
// (latency times pipes is 8 to 10 on current cores), and few enough to stay in registers.

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

// Returns the floating-point operations done, a multiply-add counted as two.
double fma_loop(long rounds, float scale, float *sink) {
    vector a = {0}, b = {0}, sum[CHAINS];
    a += scale;
    b += 1 - scale;
    for (int i = 0; i < CHAINS; ++i) sum[i] = b + (float)i;
    for (long round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
        for (int i = 0; i < CHAINS; ++i) sum[i] = sum[i] * a + b;
    }
    for (int i = 1; i < CHAINS; ++i) sum[0] += sum[i];
    *sink = sum[0][0];
    return 2.0 * CHAINS * (BYTES / sizeof(float)) * rounds;
}
