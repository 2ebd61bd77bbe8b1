/* Kernels as the code of a CPU: what the compiler writes and cpu.c reads. */
#ifndef TVMLCNN_CPU_H
#define TVMLCNN_CPU_H

#include "program.h"

#pragma GCC visibility push(hidden)

/* An argument of a kernel, as TVM's code generator reads it (TVMFFIAny of tvm-ffi's c_api.h). */
typedef struct {
    int32_t type, padding; /* not read */
    union {
        void *pointer;
        int64_t number;
    } value;
} Argument;

/* Returns 0, or what a piece of a parallel loop returned. */
typedef int32_t Kernel(Argument *arguments);

struct Call {
    Kernel *kernel;
    uint32_t first; /* of its arguments among the places of the program */
};

typedef struct {
    uint32_t threads;            /* that the file was compiled for; 0: all cores */
    uint64_t scratch;            /* bytes of a thread inside of a kernel */
    const char *const *features; /* of the processor, as Linux calls them; ends with NULL */
} CpuCode;

extern const CpuCode tvmlcnn_cpu;

#pragma GCC visibility pop

#endif
