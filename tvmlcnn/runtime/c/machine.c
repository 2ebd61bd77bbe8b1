/* What the machine has, asked of the processor itself and of Linux. */
#define _GNU_SOURCE
#include "machine.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* Intel's manual, volume 2, CPUID: leaf, subleaf, register (EAX to EDX), bit; and the bits of XCR0
 * that say whether the operating system keeps the registers (volume 1, 13.3). */
enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6, AMX_STATE = 0x60000 };
static const struct {
    const char *name;
    unsigned leaf, subleaf, reg, bit, state;
} features[] = {
    {"avx", 1, 0, 2, 28, AVX_STATE},
    {"fma", 1, 0, 2, 12, AVX_STATE},
    {"f16c", 1, 0, 2, 29, AVX_STATE},
    {"avx2", 7, 0, 1, 5, AVX_STATE},
    {"bmi2", 7, 0, 1, 8, 0},
    {"avx512f", 7, 0, 1, 16, AVX512_STATE},
    {"avx512dq", 7, 0, 1, 17, AVX512_STATE},
    {"avx512cd", 7, 0, 1, 28, AVX512_STATE},
    {"avx512bw", 7, 0, 1, 30, AVX512_STATE},
    {"avx512vl", 7, 0, 1, 31, AVX512_STATE},
    {"avx512_vnni", 7, 0, 2, 11, AVX512_STATE},
    {"avx512_fp16", 7, 0, 3, 23, AVX512_STATE},
    {"amx_tile", 7, 0, 3, 24, AMX_STATE},
    {"avx_vnni", 7, 1, 0, 4, AVX_STATE},
    {"avx512_bf16", 7, 1, 0, 5, AVX512_STATE},
};

static unsigned kept_state(void) {
    unsigned r[4], low, high;
    if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] >> 27 & 1)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

int has_feature(const char *name) {
    for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++) {
        if (strcmp(features[i].name, name)) continue;
        unsigned r[4];
        return __get_cpuid_count(features[i].leaf, features[i].subleaf, &r[0], &r[1], &r[2], &r[3]) &&
               r[features[i].reg] >> features[i].bit & 1 &&
               (kept_state() & features[i].state) == features[i].state;
    }
    return 0;
}

#else
#include <sys/auxv.h>

/* Linux's uapi/asm/hwcap.h: which word, and which bit. */
static const struct {
    const char *name;
    unsigned long word;
    int bit;
} features[] = {
#if defined(__aarch64__)
    {"asimd", AT_HWCAP, 1},    {"fphp", AT_HWCAP, 9}, {"asimdhp", AT_HWCAP, 10},
    {"asimddp", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22}, {"i8mm", AT_HWCAP2, 13},
#else
    {"neon", AT_HWCAP, 12},
    {"vfpv4", AT_HWCAP, 16},
#endif
};

int has_feature(const char *name) {
    for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
        if (!strcmp(features[i].name, name)) return getauxval(features[i].word) >> features[i].bit & 1;
    return 0;
}
#endif

/* How fast a CPU is beside the fastest one, of 1024; Linux knows it where there are several kinds
 * (Documentation/ABI/testing/sysfs-devices-system-cpu, cpu_capacity). */
static long capacity(uint32_t cpu) {
    char path[64], text[16] = "";
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cpu_capacity", cpu);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    return length > 0 ? strtol(text, 0, 10) : 0;
}

size_t fastest_cpus(uint32_t cpus[MOST_CPUS]) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set)) return 0;
    size_t count = 0;
    long fastest = 0;
    for (uint32_t cpu = 0; cpu < MOST_CPUS && cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) continue;
        long this = capacity(cpu);
        if (this > fastest) count = 0, fastest = this;
        if (this == fastest) cpus[count++] = cpu;
    }
    return count;
}
