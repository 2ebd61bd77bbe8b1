/* A backend of an NVIDIA GPU: what an instance has there, and how its programs are launched. */
#ifndef TVMLCNN_CUDA_BACKEND_H
#define TVMLCNN_CUDA_BACKEND_H

#include "backend.h"
#include "cuda.h"
#include "gpu.h"

/* A program of an instance. Inputs lie one behind the other, then outputs, in the GPU's memory and
 * in the host's. */
typedef struct {
    size_t *offsets; /* of inputs, then outputs */
    size_t input_bytes, bytes;
    CUdeviceptr *addresses; /* of the places */
    void **arguments;       /* to each of the addresses */
    CUgraphExec graph;
    int captured; /* whether that was tried */
} Prepared;

struct Backend {
    Gpu *gpu;
    CUstream stream;
    CUdeviceptr memory; /* inputs and outputs, then the workspace */
    CUdeviceptr workspace;
    char *host; /* inputs and outputs, at an address that the GPU copies from and to by itself */
    Prepared *programs;
};

/* Events around the calls of a program: before each and after it, by turns. */
typedef struct {
    CUevent *events;
    unsigned flags; /* of recording them */
} Marks;

/* Copy inputs to where the GPU copies them from, and make its context current; return a status. */
int cuda_begin(Backend *backend, const Program *program, Prepared *prepared, const void *const *inputs,
               char *error);

/* Have the GPU do all of a program after what it was told before; marks may be NULL. */
int cuda_enqueue(Backend *backend, const Program *program, Prepared *prepared, Hook hook, const Marks *marks,
                 char *error);

/* Make a graph of a program, which takes one call to launch; NULL where there is none, and none is
 * needed. It has run before: the driver loads kernels when they run first, which cannot be captured. */
CUgraphExec cuda_graph(Backend *backend, const Program *program, Prepared *prepared, const Marks *marks);

/* Launch a program's graph, or where there is none, or a hook, its kernels one by one. */
int cuda_launch(Backend *backend, const Program *program, Prepared *prepared, Hook hook, char *error);

/* Launch it likewise, wait for it, and make its graph where that was not tried. */
int cuda_run(Backend *backend, const Program *program, Prepared *prepared, Hook hook, char *error);

#endif
