/* Loading code and weights onto a GPU, once for all instances of the process. */
#include "gpu.h"

#include <pthread.h>
#include <stdlib.h>

#include "backend.h"
#include "cuda.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Gpu *gpus; /* those in use */

/* Say why the driver does not take the image. */
static int refused(const Gpu *gpu, CUresult result, char *error) {
    switch (result) {
    case CUDA_ERROR_INVALID_IMAGE:
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
    case CUDA_ERROR_INVALID_PTX:
    case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    case CUDA_ERROR_JIT_COMPILATION_DISABLED: break;
    default: return driver_failed(result, error, "loading the kernels");
    }
    char name[64] = "?";
    const char *text = 0;
    int major = 0, minor = 0, version = 0;
    driver.DeviceGetName(name, sizeof(name), gpu->device);
    driver.DeviceGetAttribute(&major, COMPUTE_CAPABILITY_MAJOR, gpu->device);
    driver.DeviceGetAttribute(&minor, COMPUTE_CAPABILITY_MINOR, gpu->device);
    driver.DriverGetVersion(&version);
    driver.GetErrorName(result, &text);
    return FAIL(error, TVMLCNN_UNSUPPORTED,
                "the file has code for %s, by %s; the GPU (%s) is sm_%d%d, its driver for CUDA %d.%d: %s",
                tvmlcnn_cuda.code, tvmlcnn_cuda.compiler, name, major, minor, version / 1000,
                version % 1000 / 10, text ? text : "CUDA refuses it");
}

/* Kernels compiled for compute capability 9.0 wait for those before them (early_launches.py), and
 * graphs know such launches from CUDA 12.3 on. */
static int launches_early(const Gpu *gpu) {
    int version = 0, compiled = 0;
    if (!driver.has_early || !tvmlcnn_cuda.kernel_count) return 0;
    if (driver.DriverGetVersion(&version) || version < 12030) return 0;
    return !driver.FuncGetAttribute(&compiled, FUNC_PTX_VERSION, gpu->functions[0]) && compiled >= 90;
}

static int load_code(Gpu *gpu, char *error) {
    CUresult result = driver.ModuleLoadData(&gpu->module, tvmlcnn_cuda_section);
    if (result) return gpu->module = 0, refused(gpu, result, error);
    for (uint32_t i = 0; i < tvmlcnn_cuda.kernel_count; i++) {
        const GpuKernel *kernel = &tvmlcnn_cuda.kernels[i];
        result = driver.ModuleGetFunction(&gpu->functions[i], gpu->module, kernel->name);
        /* More than 48 KiB are to be asked for. */
        if (!result && kernel->shared)
            result = driver.FuncSetAttribute(gpu->functions[i], FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                             (int)kernel->shared);
        if (result) return driver_failed(result, error, kernel->name);
    }
    gpu->early = launches_early(gpu);
    return TVMLCNN_OK;
}

/* A stream of its own: copies of others are not waited for, and theirs may be captured. */
static int load_weights(Gpu *gpu, char *error) {
    size_t bytes = (size_t)(tvmlcnn_weights_section_end - tvmlcnn_weights_section);
    CUstream stream;
    CUresult result = driver.MemAlloc(&gpu->weights, aligned(bytes + 1));
    if (result) return gpu->weights = 0, driver_failed(result, error, "memory for weights on the GPU");
    result = driver.StreamCreate(&stream, STREAM_NON_BLOCKING);
    if (!result) {
        if (bytes) result = driver.MemcpyHtoDAsync(gpu->weights, tvmlcnn_weights_section, bytes, stream);
        CUresult finished = driver.StreamSynchronize(stream);
        if (!result) result = finished;
        driver.StreamDestroy(stream);
    }
    return result ? driver_failed(result, error, "copying weights to the GPU") : TVMLCNN_OK;
}

static void unload(Gpu *gpu) {
    CUcontext popped;
    if (gpu->context && !driver.CtxPushCurrent(gpu->context)) {
        if (gpu->weights) driver.MemFree(gpu->weights);
        if (gpu->module) driver.ModuleUnload(gpu->module);
        driver.CtxPopCurrent(&popped);
    }
    if (gpu->context) driver.DevicePrimaryCtxRelease(gpu->device);
    free(gpu->functions);
    free(gpu);
}

static int load(CUdevice device, Gpu **result, char *error) {
    Gpu *gpu = calloc(1, sizeof(*gpu));
    CUcontext popped;
    if (gpu) gpu->functions = calloc(tvmlcnn_cuda.kernel_count + 1, sizeof(CUfunction));
    if (!gpu || !gpu->functions) return free(gpu), FAIL(error, TVMLCNN_NO_MEMORY, "no memory for a GPU");
    gpu->device = device;
    int status = TVMLCNN_OK;
    CUresult failed = driver.DevicePrimaryCtxRetain(&gpu->context, device);
    if (failed)
        gpu->context = 0, status = driver_failed(failed, error, "CUDA's context of the GPU");
    else if ((failed = driver.CtxPushCurrent(gpu->context)))
        status = driver_failed(failed, error, "using CUDA's context of the GPU");
    else {
        status = load_code(gpu, error);
        if (!status) status = load_weights(gpu, error);
        driver.CtxPopCurrent(&popped);
    }
    if (status) return unload(gpu), status;
    *result = gpu;
    return TVMLCNN_OK;
}

static int take(Gpu **result, char *error) {
    int status = driver_open(error);
    if (status) return status;
    CUcontext current = 0;
    CUdevice device;
    CUresult failed = driver.CtxGetCurrent(&current);
    if (!failed) failed = current ? driver.CtxGetDevice(&device) : driver.DeviceGet(&device, 0);
    if (failed) return driver_failed(failed, error, "finding the GPU");
    Gpu *gpu = gpus;
    while (gpu && gpu->device != device) gpu = gpu->next;
    if (!gpu) {
        status = load(device, &gpu, error);
        if (status) return status;
        gpu->next = gpus;
        gpus = gpu;
    }
    gpu->users++;
    *result = gpu;
    return TVMLCNN_OK;
}

int gpu_take(Gpu **gpu, char *error) {
    int status = driver_usable(error);
    if (status) return status; /* and the lock may be another process's */
    pthread_mutex_lock(&lock);
    status = take(gpu, error);
    pthread_mutex_unlock(&lock);
    return status;
}

void gpu_give(Gpu *gpu) {
    pthread_mutex_lock(&lock);
    if (!--gpu->users) {
        Gpu **link = &gpus;
        while (*link != gpu) link = &(*link)->next;
        *link = gpu->next;
        unload(gpu);
    }
    pthread_mutex_unlock(&lock);
}
