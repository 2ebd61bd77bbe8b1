/* Kernels as the code of a GPU: what the compiler writes and cuda.c reads. */
#ifndef TVMLCNN_CUDA_H
#define TVMLCNN_CUDA_H

#include "program.h"

#pragma GCC visibility push(hidden)

/* A kernel of the image, and how it is launched: blocks and threads as x, y, z. */
typedef struct {
    const char *name;
    uint32_t grid[3], block[3], shared; /* bytes of dynamic shared memory */
    uint32_t early;                     /* whether it may be launched before the one in front ends */
} GpuKernel;

typedef struct {
    uint32_t kernel;
    uint32_t first; /* of its arguments among the places of the program: addresses all */
} Launch;

struct Call {
    const Launch *launches;
    uint32_t count;
};

typedef struct {
    const GpuKernel *kernels;
    uint32_t kernel_count;
    const char *code;     /* the architectures of the image, as nvcc calls them */
    const char *compiler; /* and its version, which is CUDA's */
} CudaCode;

extern const CudaCode tvmlcnn_cuda;

/* The section of the file with the image: a cubin or a fatbin. */
extern const char tvmlcnn_cuda_section[];

#pragma GCC visibility pop

#endif
