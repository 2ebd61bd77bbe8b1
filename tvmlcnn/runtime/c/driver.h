/* NVIDIA's driver: libcuda.so.1, opened when it is needed.
 *
 * Nothing of CUDA's toolkit is needed, neither to compile this nor to run it. Source of names, types
 * and numbers: NVIDIA's reference manual, "CUDA Driver API".
 */
#ifndef TVMLCNN_DRIVER_H
#define TVMLCNN_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult, CUdevice;
typedef uintptr_t CUdeviceptr; /* of drivers for 64 bits */
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUevent_st *CUevent;
typedef struct {
    int id; /* CUlaunchAttributeID */
    char padding[4];
    union {
        char padding[64];
        int allowed;
    } value;
} CUlaunchAttribute;
typedef struct {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared;
    CUstream stream;
    CUlaunchAttribute *attributes;
    unsigned attribute_count;
} CUlaunchConfig;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_JIT_COMPILATION_DISABLED = 223
};
enum { COMPUTE_CAPABILITY_MAJOR = 75, COMPUTE_CAPABILITY_MINOR = 76 }; /* CUdevice_attribute */
enum { FUNC_PTX_VERSION = 5, FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8 }; /* CUfunction_attribute */
enum { PROGRAMMATIC_STREAM_SERIALIZATION = 6 };                        /* CUlaunchAttributeID */
enum { STREAM_NON_BLOCKING = 1 };                                      /* CUstream_flags */
enum { STREAM_CAPTURE_THREAD_LOCAL = 1 };                              /* CUstreamCaptureMode */
enum { EVENT_RECORD_EXTERNAL = 1 };                                    /* CUevent_record_flags */

/* Name here, name in the library, arguments. All are in CUDA 11's driver. */
#define DRIVER_FUNCTIONS(F)                                                                          \
    F(Init, cuInit, (unsigned flags))                                                                \
    F(DriverGetVersion, cuDriverGetVersion, (int *version))                                          \
    F(GetErrorName, cuGetErrorName, (CUresult error, const char **text))                             \
    F(GetErrorString, cuGetErrorString, (CUresult error, const char **text))                         \
    F(DeviceGet, cuDeviceGet, (CUdevice *device, int ordinal))                                       \
    F(DeviceGetName, cuDeviceGetName, (char *name, int bytes, CUdevice device))                      \
    F(DeviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))        \
    F(DevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (CUcontext *context, CUdevice device))       \
    F(DevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                      \
    F(CtxGetCurrent, cuCtxGetCurrent, (CUcontext *context))                                          \
    F(CtxGetDevice, cuCtxGetDevice, (CUdevice *device))                                              \
    F(CtxPushCurrent, cuCtxPushCurrent_v2, (CUcontext context))                                      \
    F(CtxPopCurrent, cuCtxPopCurrent_v2, (CUcontext *context))                                       \
    F(ModuleLoadData, cuModuleLoadData, (CUmodule *module, const void *image))                       \
    F(ModuleUnload, cuModuleUnload, (CUmodule module))                                               \
    F(ModuleGetFunction, cuModuleGetFunction,                                                        \
      (CUfunction *function, CUmodule module, const char *name))                                     \
    F(FuncGetAttribute, cuFuncGetAttribute, (int *value, int attribute, CUfunction function))        \
    F(FuncSetAttribute, cuFuncSetAttribute, (CUfunction function, int attribute, int value))         \
    F(MemAlloc, cuMemAlloc_v2, (CUdeviceptr *address, size_t bytes))                                 \
    F(MemFree, cuMemFree_v2, (CUdeviceptr address))                                                  \
    F(MemAllocHost, cuMemAllocHost_v2, (void **memory, size_t bytes))                                \
    F(MemFreeHost, cuMemFreeHost, (void *memory))                                                    \
    F(MemcpyHtoDAsync, cuMemcpyHtoDAsync_v2,                                                         \
      (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                             \
    F(MemcpyDtoHAsync, cuMemcpyDtoHAsync_v2,                                                         \
      (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                                   \
    F(MemcpyDtoDAsync, cuMemcpyDtoDAsync_v2,                                                         \
      (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))                             \
    F(StreamCreate, cuStreamCreate, (CUstream *stream, unsigned flags))                              \
    F(StreamDestroy, cuStreamDestroy_v2, (CUstream stream))                                          \
    F(StreamSynchronize, cuStreamSynchronize, (CUstream stream))                                     \
    F(LaunchKernel, cuLaunchKernel,                                                                  \
      (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,     \
       unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void **arguments,       \
       void **extra))

/* Without one of these, a network is launched kernel by kernel: cuGraphInstantiateWithFlags is new
 * in CUDA 11.4. */
#define GRAPH_FUNCTIONS(F)                                                                           \
    F(StreamBeginCapture, cuStreamBeginCapture_v2, (CUstream stream, int mode))                      \
    F(StreamEndCapture, cuStreamEndCapture, (CUstream stream, CUgraph *graph))                       \
    F(GraphInstantiate, cuGraphInstantiateWithFlags,                                                 \
      (CUgraphExec *executable, CUgraph graph, unsigned long long flags))                            \
    F(GraphDestroy, cuGraphDestroy, (CUgraph graph))                                                 \
    F(GraphLaunch, cuGraphLaunch, (CUgraphExec executable, CUstream stream))                         \
    F(GraphExecDestroy, cuGraphExecDestroy, (CUgraphExec executable))

/* Without it, a kernel is launched when the one before it has ended: new in CUDA 11.8. */
#define EARLY_FUNCTIONS(F)                                                                           \
    F(LaunchKernelEx, cuLaunchKernelEx,                                                              \
      (const CUlaunchConfig *config, CUfunction function, void **arguments, void **extra))

/* Without one of these, kernels are not timed: cuEventRecordWithFlags is new in CUDA 11.1. */
#define EVENT_FUNCTIONS(F)                                                                           \
    F(EventCreate, cuEventCreate, (CUevent *event, unsigned flags))                                  \
    F(EventDestroy, cuEventDestroy_v2, (CUevent event))                                              \
    F(EventRecord, cuEventRecordWithFlags, (CUevent event, CUstream stream, unsigned flags))         \
    F(EventElapsedTime, cuEventElapsedTime, (float *milliseconds, CUevent from, CUevent to))

typedef struct {
#define MEMBER(name, symbol, arguments) CUresult(*name) arguments;
    DRIVER_FUNCTIONS(MEMBER) GRAPH_FUNCTIONS(MEMBER) EARLY_FUNCTIONS(MEMBER) EVENT_FUNCTIONS(MEMBER)
#undef MEMBER
    int has_graphs, has_early, has_events;
} Driver;

/* The driver, once it was opened. */
extern Driver driver;

/* Fail in a process that was forked from one that uses the driver: it cannot be used there. */
int driver_usable(char *error);

/* Open the driver, and initialize it, if that was not done before; return a status. Called by one
 * thread at a time. */
int driver_open(char *error);

/* Say what failed and how CUDA calls that; return the status. */
int driver_failed(CUresult result, char *error, const char *what);

#endif
