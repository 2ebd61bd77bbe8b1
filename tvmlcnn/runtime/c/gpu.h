/* A GPU as the instances of a file share it: with their code and weights. */
#ifndef TVMLCNN_GPU_H
#define TVMLCNN_GPU_H

#include "driver.h"

typedef struct Gpu {
    struct Gpu *next;
    uint32_t users;
    CUdevice device;
    CUcontext context; /* the primary one, which CUDA's runtime uses too */
    CUmodule module;
    CUfunction *functions; /* of tvmlcnn_cuda.kernels */
    CUdeviceptr weights;
    int early; /* whether kernels can be launched before those in front of them end */
} Gpu;

/* Take the GPU of the context that is current, or else the first one; return a status. The first
 * who takes it loads code and weights. */
int gpu_take(Gpu **gpu, char *error);

/* Give it back; the last one unloads code and weights. */
void gpu_give(Gpu *gpu);

#endif
