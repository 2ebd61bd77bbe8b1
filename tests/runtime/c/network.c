/* The tables of a network, as the compiler writes them, and kernels like those of TVM. */
#define _GNU_SOURCE
#include "network.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"
#include "intact.h"
#include "pool.h"

int intact(void) { return 1; } /* a program is no file that was compiled */

extern int (*__TVMBackendParallelLaunch)(Piece *, void *, int);
extern void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int);
extern int (*__TVMBackendFreeWorkspace)(int, int, void *);

enum { CPU = 1, FLOAT = 2, ROW = NUMBERS * sizeof(float) };

static float *allocate(uint64_t bytes) { return __TVMBackendAllocWorkspace(CPU, 0, bytes, FLOAT, 32); }

static void release(float *memory) { __TVMBackendFreeWorkspace(CPU, 0, memory); }

/* What a piece of a loop reads and writes. */
typedef struct {
    const float *from, *by;
    float *to;
} Data;

/* A piece that allocates: its numbers go through two rooms, which nobody else may write. */
static int scale_piece(int piece, Group *group, void *argument) {
    const Data *data = argument;
    int begin = (int)((int64_t)NUMBERS * piece / group->pieces);
    int end = (int)((int64_t)NUMBERS * (piece + 1) / group->pieces);
    float *one = allocate(ROW), *two = allocate(ROW);
    for (int i = begin; i < end; i++) one[i] = data->from[i];
    for (int i = begin; i < end; i++) two[i] = one[i] * data->by[0];
    memcpy(data->to + begin, two + begin, (size_t)(end - begin) * sizeof(float));
    release(two);
    release(one);
    return 0;
}

static int shift_piece(int piece, Group *group, void *argument) {
    const Data *data = argument;
    for (int i = piece; i < NUMBERS; i += group->pieces) data->to[i] = data->from[i] + data->by[i];
    return 0;
}

/* A piece that fails gives nothing back. */
static int fail_piece(int piece, Group *group, void *argument) {
    (void)group;
    (void)argument;
    memset(allocate(ROW), piece, ROW);
    usleep(100); /* others have pieces too */
    return -5;
}

static int32_t scale(Argument *arguments) {
    Data data = {arguments[0].value.pointer, arguments[1].value.pointer, arguments[2].value.pointer};
    return __TVMBackendParallelLaunch(scale_piece, &data, 0);
}

/* A kernel that allocates outside of its loop. */
static int32_t shift(Argument *arguments) {
    float *ones = allocate(ROW);
    for (int i = 0; i < NUMBERS; i++) ones[i] = 1;
    Data data = {arguments[0].value.pointer, ones, arguments[1].value.pointer};
    int status = __TVMBackendParallelLaunch(shift_piece, &data, 0);
    release(ones);
    return status;
}

static int32_t fail(Argument *arguments) {
    (void)arguments;
    allocate(ROW);
    return -7;
}

static int32_t fail_in_piece(Argument *arguments) {
    return __TVMBackendParallelLaunch(fail_piece, arguments, 0);
}

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".global tvmlcnn_weights_section, tvmlcnn_manifest_section, tvmlcnn_manifest_section_end\n"
        "tvmlcnn_weights_section: .float 4, 5, 6, 7\n"
        "tvmlcnn_manifest_section: .ascii \"{}\"\n"
        "tvmlcnn_manifest_section_end:\n"
        ".popsection");

static const int64_t row[] = {NUMBERS}, weights[] = {4}, part[] = {PART}, none[] = {0};
static const tvmlcnn_tensor inputs[] = {{"x", "float32", 1, row, ROW}};
static const tvmlcnn_tensor outputs[] = {{"y", "float32", 1, row, ROW},
                                         {"x", "float32", 1, row, ROW},
                                         {"w", "float32", 1, weights, 16},
                                         {"p", "float32", 1, part, PART * 4}};
static const tvmlcnn_tensor nothing[] = {{"n", "float32", 1, none, 0}};
static const Place places[] = {{INPUT, 0, 0}, {WEIGHTS, 0, 0}, {WORKSPACE, 0, 64},
                               {WORKSPACE, 0, 64}, {OUTPUT, 0, 0}};
static const Call two[] = {{scale, 0}, {shift, 3}}, fails[] = {{fail, 0}}, piece[] = {{fail_in_piece, 0}};
static const Copy copies[] = {{{INPUT, 0, 0}, 1, ROW},
                              {{WEIGHTS, 0, 0}, 2, 16},
                              {{OUTPUT, 0, PART * sizeof(float)}, 3, PART * sizeof(float)}};
static const Copy copy[] = {{{INPUT, 0, 0}, 0, ROW}};
static const Program programs[] = {
    {inputs, outputs, places, two, copies, 1, 4, 5, 2, 3},
    {inputs, outputs, places, fails, copies, 1, 1, 0, 1, 0},
    {inputs, outputs, places, piece, copies, 1, 1, 0, 1, 0},
    {inputs, outputs, places, fails, copy, 1, 1, 0, 0, 1},
    {nothing, nothing, places, fails, copy, 1, 1, 0, 0, 0},
};
static const char *const features[] = {0};
_Static_assert(sizeof(programs) / sizeof(*programs) == PROGRAMS, "a program is missing");

/* Each thread needs two rooms at most at a time: the caller one outside of a loop, or two in it. */
const CpuCode tvmlcnn_cpu = {0, 2 * ((ROW + 63) / 64 * 64), features};

const Network tvmlcnn_network = {programs, PROGRAMS, 64 + ROW};

/* Give other threads time after the destructors of the runtime. */
__attribute__((destructor(101))) static void linger(void) {
    if (getenv("LINGER") && *getenv("LINGER")) usleep(50000);
}
