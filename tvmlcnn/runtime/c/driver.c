/* Opening NVIDIA's driver, and saying what it says. */
#include "driver.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <unistd.h>

#include "backend.h"

/* Before glibc 2.34 they are in a library of their own, which is loaded where a file can be. */
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlerror

Driver driver;

static atomic_int process; /* that uses the driver */

int driver_failed(CUresult result, char *error, const char *what) {
    const char *name = 0, *text = 0;
    driver.GetErrorName(result, &name);
    driver.GetErrorString(result, &text);
    return FAIL(error, result == CUDA_ERROR_OUT_OF_MEMORY ? TVMLCNN_NO_MEMORY : TVMLCNN_FAILED,
                "%s: %s (%s)", what, name ? name : "CUDA's error", text ? text : "unknown");
}

static int load(char *error) {
    void *library = dlopen ? dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) : 0;
    if (!library)
        return FAIL(error, TVMLCNN_UNSUPPORTED, "the file needs NVIDIA's driver: %s",
                    dlopen ? dlerror() : "the program lacks dlopen; link it with -ldl");
    /* It stays open: it has threads of its own, and others may use it. */
    const char *missing = 0;
#define NEED(name, symbol, arguments)                             \
    *(void **)&driver.name = dlsym(library, #symbol); \
    if (!driver.name) missing = #symbol;
    GRAPH_FUNCTIONS(NEED)
    driver.has_graphs = !missing;
    missing = 0;
    EARLY_FUNCTIONS(NEED)
    driver.has_early = !missing;
    missing = 0;
    EVENT_FUNCTIONS(NEED)
    driver.has_events = !missing;
    missing = 0;
    DRIVER_FUNCTIONS(NEED)
#undef NEED
    if (missing)
        return FAIL(error, TVMLCNN_UNSUPPORTED, "NVIDIA's driver is older than CUDA 11: it lacks %s",
                    missing);
    return TVMLCNN_OK;
}

int driver_usable(char *error) {
    if (!process || process == getpid()) return TVMLCNN_OK;
    return FAIL(error, TVMLCNN_FORKED, "CUDA cannot be used in a process that was forked after it was used");
}

int driver_open(char *error) {
    if (process) return TVMLCNN_OK;
    int status = load(error);
    if (status) return status;
    process = getpid();
    CUresult result = driver.Init(0);
    if (!result) return TVMLCNN_OK;
    process = 0;
    if (result != CUDA_ERROR_NO_DEVICE) return driver_failed(result, error, "starting CUDA");
    return FAIL(error, TVMLCNN_UNSUPPORTED, "the file needs an NVIDIA GPU, and there is none");
}
