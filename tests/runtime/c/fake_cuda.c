/* A libcuda.so.1 for machines without a GPU: what a program does with the driver is checked.
 *
 * Memory of the "GPU" is the host's, at other addresses than what the program holds as host memory;
 * copies happen, and so do launches, which call what the test gives. As in CUDA, what is put into a
 * stream is done when the stream is waited for, and what is put into a stream that is captured is
 * done when the graph is launched and waited for. A mistake (an unknown handle, bytes beyond an
 * allocation, no context, a launch of another shape than a kernel can have) ends the process.
 *
 * The test calls fake_* to set up, to have a function fail, to read the log, and to count what lives.
 * For programs that a test does not run itself: with FAKE_CUDA_AS=87 the GPU is of sm_87 and knows
 * every kernel; launches do nothing, and take a made-up time: a microsecond for each block of threads.
 * FAKE_CUDA_FAILS="cuMemAlloc_v2 1 2" is fake_fail with these arguments.
 *
 * Source of what functions do: NVIDIA's reference manual, "CUDA Driver API".
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

typedef enum { CONTEXT, MODULE, STREAM, DEVICE_MEMORY, HOST_MEMORY, GRAPH, EXECUTABLE, EVENT } Kind;
static const char *const kinds[] = {"context", "module", "stream", "memory", "host memory", "graph",
                                    "graph executable", "event"};

/* An operation of a stream: a copy, a launch of a kernel with copies of its arguments, or an event. */
typedef struct Operation {
    struct Operation *next;
    void *to;
    const void *from;
    size_t bytes;
    const struct Kernel *kernel;
    struct Object *event;
    unsigned shape[7];
    uint64_t arguments[32];
} Operation;

typedef struct Object {
    struct Object *next;
    Kind kind;
    char *memory;
    size_t bytes;
    Operation *operations, **end; /* of streams and graphs */
    struct Object *capture;       /* the graph that a stream writes */
    int users;                    /* of the primary context */
    int64_t time;                 /* of an event: microseconds, 0 before it happened */
} Object;

typedef struct Kernel {
    const char *name;
    int arguments;
} Kernel;

typedef void OnLaunch(const char *name, const unsigned *shape, uint64_t *arguments);

static int driver_version = 12020, compiled_for = 61;
static Object *objects;
static Kernel kernels[1024];
static int kernel_count, initialized;
static OnLaunch *on_launch;
static int64_t now; /* by the GPU: microseconds */
static char *log_text;
static size_t log_used, log_size;
static const char *failing;
static int failing_at, failing_with, devices = 1;
static __thread CUcontext stack[16];
static __thread int depth;

static void wrong(const char *format, ...) {
    va_list more;
    va_start(more, format);
    fprintf(stderr, "fake CUDA: ");
    vfprintf(stderr, format, more);
    fprintf(stderr, "\n");
    _Exit(77);
}

static void note(const char *format, ...) {
    va_list more;
    if (log_size - log_used < 512) log_text = realloc(log_text, log_size += 1 << 16);
    va_start(more, format);
    log_used += (size_t)vsnprintf(log_text + log_used, 512, format, more);
    va_end(more);
    log_text[log_used++] = '\n', log_text[log_used] = 0;
}

/* Begin a function: whether it is to fail, and with what. */
static int begins(const char *name) {
    static int begun;
    if (!begun++ && getenv("FAKE_CUDA_FAILS")) {
        static char function[64];
        if (sscanf(getenv("FAKE_CUDA_FAILS"), "%63s %d %d", function, &failing_at, &failing_with) == 3)
            failing = function;
    }
    if (!initialized && strcmp(name, "cuInit")) wrong("%s before cuInit", name);
    if (!failing || strcmp(name, failing) || --failing_at > 0) return 0;
    if (failing_at < 0) return 0;
    note("%s fails with %d", name, failing_with);
    return failing_with;
}

/* One thread at a time is in here. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void unlock(const int *locked) { (void)locked, pthread_mutex_unlock(&mutex); }
#define LOCK __attribute__((cleanup(unlock))) const int locked = pthread_mutex_lock(&mutex);
#define BEGIN(name) \
    LOCK int failed = begins(#name); \
    if (failed) return failed;

static Object *make(Kind kind, size_t bytes) {
    Object *object = calloc(1, sizeof(*object));
    *object = (Object){objects, kind, bytes ? malloc(bytes) : 0, bytes, 0, 0, 0, 0, 0};
    if (bytes) memset(object->memory, 0xa5, bytes); /* nobody may count on zeros */
    object->end = &object->operations;
    return objects = object;
}

static Object *is(Kind kind, const void *handle, const char *where) {
    for (Object *each = objects; each; each = each->next)
        if (each == handle && each->kind == kind) return each;
    wrong("%s: %p is no %s that lives", where, handle, kinds[kind]);
    return 0;
}

static void clear(Object *object) {
    for (Operation *next, *each = object->operations; each; each = next) next = each->next, free(each);
    object->operations = 0, object->end = &object->operations;
}

static void end(Object *object) {
    Object **link = &objects;
    while (*link != object) link = &(*link)->next;
    *link = object->next;
    clear(object);
    free(object->memory);
    free(object);
}

static void needs_context(const char *where) {
    if (!depth || !stack[depth - 1]) wrong("%s without a context", where);
    is(CONTEXT, stack[depth - 1], where);
}

/* Make sure that bytes lie within one allocation of a kind. */
static void within(Kind kind, const void *start, size_t bytes, const char *where) {
    for (Object *each = objects; each; each = each->next)
        if (each->kind == kind && (const char *)start >= each->memory &&
            (const char *)start + bytes <= each->memory + each->bytes)
            return;
    wrong("%s: %zu bytes at %p lie in no %s", where, bytes, start, kinds[kind]);
}

static void add(Object *list, Operation operation) {
    Operation *copy = malloc(sizeof(*copy));
    *copy = operation;
    copy->next = 0;
    *list->end = copy, list->end = &copy->next;
}

static int put(CUstream handle, Operation operation, const char *where) {
    needs_context(where);
    Object *stream = is(STREAM, handle, where);
    add(stream->capture ? stream->capture : stream, operation);
    return CUDA_SUCCESS;
}

static int of_environment(void) { return getenv("FAKE_CUDA_AS") != 0; }
static int capability(void) { return of_environment() ? atoi(getenv("FAKE_CUDA_AS")) : 61; }

/* What the test calls. */
void fake_kernel(const char *name, int arguments) {
    kernels[kernel_count++] = (Kernel){strdup(name), arguments};
}
void fake_on_launch(OnLaunch *function) { on_launch = function; }
void fake_devices(int count) { devices = count; }
/* The driver's version, and the architecture that kernels were compiled for. */
void fake_versions(int driver, int kernels) { driver_version = driver, compiled_for = kernels; }
/* Have the n-th call of a function from now on fail; 0: none. */
void fake_fail(const char *function, int at, int with) {
    static char name[64];
    snprintf(name, sizeof(name), "%s", function);
    failing = at ? name : 0, failing_at = at, failing_with = with;
}
const char *fake_log(void) { return log_text ? log_text : ""; }
void fake_clear_log(void) { log_used = 0, log_text ? log_text[0] = 0 : 0; }
int fake_live(void) {
    int count = depth;
    for (Object *each = objects; each; each = each->next) {
        fprintf(stderr, "alive: %s\n", kinds[each->kind]);
        count++;
    }
    return count;
}
int fake_depth(void) { return depth; }

int cuInit(unsigned flags) {
    BEGIN(cuInit)
    note("cuInit %u", flags);
    if (!devices) return CUDA_ERROR_NO_DEVICE;
    initialized = 1;
    return CUDA_SUCCESS;
}
int cuDriverGetVersion(int *version) { return *version = driver_version, CUDA_SUCCESS; }
int cuGetErrorName(int error, const char **text) {
    *text = error == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
            : error == 209 ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
            : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                           : 0;
    return *text ? CUDA_SUCCESS : 1;
}
int cuGetErrorString(int error, const char **text) {
    *text = error == 2 ? "out of memory" : error == 700 ? "an illegal memory access was encountered" : 0;
    return *text ? CUDA_SUCCESS : 1;
}
int cuDeviceGetCount(int *count) { return *count = devices, CUDA_SUCCESS; }
int cuDeviceGet(int *device, int ordinal) {
    BEGIN(cuDeviceGet)
    return ordinal < devices ? (*device = ordinal, CUDA_SUCCESS) : 101;
}
int cuDeviceGetName(char *name, int bytes, int device) {
    return snprintf(name, (size_t)bytes, "Fake %d", device), CUDA_SUCCESS;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    switch (attribute) {
    case 13: return *value = 1500000, CUDA_SUCCESS; /* the clock in kHz */
    case 16: return *value = 10, CUDA_SUCCESS;      /* multiprocessors */
    case 36: return *value = 4000000, CUDA_SUCCESS; /* the memory's clock in kHz */
    case 37: return *value = 192, CUDA_SUCCESS;     /* bits of its bus */
    case 38: return *value = 1572864, CUDA_SUCCESS; /* bytes of the second-level cache */
    case 81: return *value = 98304, CUDA_SUCCESS;   /* shared memory of a multiprocessor, */
    case 97: return *value = 49152, CUDA_SUCCESS;   /* of a block, if it asks */
    case COMPUTE_CAPABILITY_MAJOR: return *value = capability() / 10, CUDA_SUCCESS;
    case COMPUTE_CAPABILITY_MINOR: return *value = capability() % 10, CUDA_SUCCESS;
    default: return 1;
    }
}

static Object *primary(int device) {
    for (Object *each = objects; each; each = each->next)
        if (each->kind == CONTEXT && each->bytes == (size_t)device + 1) return each;
    Object *made = make(CONTEXT, 0);
    made->bytes = (size_t)device + 1;
    return made;
}
int cuDevicePrimaryCtxRetain(CUcontext *context, int device) {
    BEGIN(cuDevicePrimaryCtxRetain)
    note("retain context of device %d", device);
    Object *object = primary(device);
    object->users++;
    return *context = (CUcontext)object, CUDA_SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
    BEGIN(cuDevicePrimaryCtxRelease_v2)
    note("release context of device %d", device);
    Object *object = primary(device);
    if (!object->users--) wrong("a context is released that was not retained");
    if (!object->users) end(object);
    return CUDA_SUCCESS;
}
int cuCtxGetCurrent(CUcontext *context) {
    BEGIN(cuCtxGetCurrent)
    return *context = depth ? stack[depth - 1] : 0, CUDA_SUCCESS;
}
int cuCtxGetDevice(int *device) {
    LOCK
    needs_context("cuCtxGetDevice");
    return *device = (int)((Object *)stack[depth - 1])->bytes - 1, CUDA_SUCCESS;
}
int cuCtxPushCurrent_v2(CUcontext context) {
    BEGIN(cuCtxPushCurrent_v2)
    is(CONTEXT, context, "cuCtxPushCurrent");
    return stack[depth++] = context, CUDA_SUCCESS;
}
int cuCtxPopCurrent_v2(CUcontext *context) {
    LOCK
    if (!depth) wrong("no context to pop");
    return *context = stack[--depth], CUDA_SUCCESS;
}

int cuModuleLoadData(CUmodule *module, const void *image) {
    BEGIN(cuModuleLoadData)
    needs_context("cuModuleLoadData");
    note("load module of %d", *(const unsigned char *)image);
    return *module = (CUmodule)make(MODULE, 0), CUDA_SUCCESS;
}
int cuModuleUnload(CUmodule module) {
    BEGIN(cuModuleUnload)
    needs_context("cuModuleUnload");
    return end(is(MODULE, module, "cuModuleUnload")), CUDA_SUCCESS;
}
int cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    BEGIN(cuModuleGetFunction)
    needs_context("cuModuleGetFunction");
    is(MODULE, module, "cuModuleGetFunction");
    for (int i = 0; i < kernel_count; i++)
        if (!strcmp(kernels[i].name, name))
            return *function = (CUfunction)&kernels[i], CUDA_SUCCESS;
    if (of_environment()) return fake_kernel(name, 0), *function = (CUfunction)&kernels[kernel_count - 1], 0;
    return 500; /* CUDA_ERROR_NOT_FOUND */
}
int cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    BEGIN(cuFuncGetAttribute)
    if (!function || attribute != FUNC_PTX_VERSION) wrong("attribute %d of a kernel", attribute);
    return *value = compiled_for, CUDA_SUCCESS;
}
int cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    BEGIN(cuFuncSetAttribute)
    note("%s: attribute %d is %d", ((const Kernel *)function)->name, attribute, value);
    return CUDA_SUCCESS;
}

int cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    BEGIN(cuMemAlloc_v2)
    needs_context("cuMemAlloc");
    if (!bytes) return 1; /* CUDA_ERROR_INVALID_VALUE */
    note("allocate");
    return *address = (CUdeviceptr)make(DEVICE_MEMORY, bytes)->memory, CUDA_SUCCESS;
}
int cuMemAllocHost_v2(void **memory, size_t bytes) {
    BEGIN(cuMemAllocHost_v2)
    needs_context("cuMemAllocHost");
    if (!bytes) return 1;
    note("allocate on the host");
    return *memory = make(HOST_MEMORY, bytes)->memory, CUDA_SUCCESS;
}
static int free_memory(Kind kind, const void *memory) {
    LOCK
    needs_context("freeing memory");
    for (Object *each = objects; each; each = each->next)
        if (each->kind == kind && each->memory == memory) return end(each), CUDA_SUCCESS;
    wrong("%p is no %s", memory, kinds[kind]);
    return 1;
}
int cuMemFree_v2(CUdeviceptr address) { return free_memory(DEVICE_MEMORY, (void *)address); }
int cuMemFreeHost(void *memory) { return free_memory(HOST_MEMORY, memory); }

int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyHtoDAsync_v2)
    note("copy %zu to device", bytes);
    within(DEVICE_MEMORY, (void *)to, bytes, "cuMemcpyHtoDAsync");
    return put(stream, (Operation){.to = (void *)to, .from = from, .bytes = bytes}, "cuMemcpyHtoDAsync");
}
int cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyDtoHAsync_v2)
    note("copy %zu to host", bytes);
    within(DEVICE_MEMORY, (void *)from, bytes, "cuMemcpyDtoHAsync");
    within(HOST_MEMORY, to, bytes, "cuMemcpyDtoHAsync");
    return put(stream, (Operation){.to = to, .from = (void *)from, .bytes = bytes}, "cuMemcpyDtoHAsync");
}
int cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    BEGIN(cuMemcpyDtoDAsync_v2)
    note("copy %zu on device", bytes);
    within(DEVICE_MEMORY, (void *)from, bytes, "cuMemcpyDtoDAsync");
    within(DEVICE_MEMORY, (void *)to, bytes, "cuMemcpyDtoDAsync");
    return put(stream, (Operation){.to = (void *)to, .from = (void *)from, .bytes = bytes},
               "cuMemcpyDtoDAsync");
}

int cuStreamCreate(CUstream *stream, unsigned flags) {
    BEGIN(cuStreamCreate)
    needs_context("cuStreamCreate");
    if (flags != STREAM_NON_BLOCKING) wrong("a stream waits for the application's");
    return *stream = (CUstream)make(STREAM, 0), CUDA_SUCCESS;
}
int cuStreamDestroy_v2(CUstream handle) {
    BEGIN(cuStreamDestroy_v2)
    Object *stream = is(STREAM, handle, "cuStreamDestroy");
    if (stream->operations || stream->capture) wrong("a stream ends before what it does");
    return end(stream), CUDA_SUCCESS;
}
int cuStreamSynchronize(CUstream handle) {
    LOCK
    Object *stream = is(STREAM, handle, "cuStreamSynchronize");
    needs_context("cuStreamSynchronize");
    if (stream->capture) wrong("waiting for a stream that is captured");
    for (Operation *each = stream->operations; each; each = each->next)
        if (each->event) {
            each->event->time = now += 1;
        } else if (!each->kernel) {
            now += 5;
            memmove(each->to, each->from, each->bytes);
        } else {
            const unsigned *shape = each->shape;
            now += of_environment() ? (int64_t)shape[0] * shape[1] * shape[2] : 10;
            if (on_launch) on_launch(each->kernel->name, each->shape, each->arguments);
        }
    clear(stream);
    int failed = begins("cuStreamSynchronize");
    if (failed) return failed;
    note("synchronize");
    return CUDA_SUCCESS;
}

#ifndef WITHOUT_GRAPHS
int cuEventCreate(CUevent *event, unsigned flags) {
    BEGIN(cuEventCreate)
    needs_context("cuEventCreate");
    if (flags) wrong("flags of an event");
    return *event = (CUevent)make(EVENT, 0), CUDA_SUCCESS;
}
int cuEventDestroy_v2(CUevent event) {
    LOCK
    return end(is(EVENT, event, "cuEventDestroy")), CUDA_SUCCESS;
}
int cuEventRecordWithFlags(CUevent event, CUstream handle, unsigned flags) {
    BEGIN(cuEventRecordWithFlags)
    int captured = is(STREAM, handle, "cuEventRecord")->capture != 0;
    if (captured != (flags == EVENT_RECORD_EXTERNAL)) wrong("an event in a graph, or in none");
    return put(handle, (Operation){.event = is(EVENT, event, "cuEventRecord")}, "cuEventRecord");
}
int cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
    BEGIN(cuEventElapsedTime)
    int64_t begin = is(EVENT, from, "cuEventElapsedTime")->time, after = is(EVENT, to, "")->time;
    if (!begin || !after) wrong("the time of an event that did not happen");
    return *milliseconds = (float)(after - begin) / 1e3f, CUDA_SUCCESS;
}
#endif

static int launch(const char *how, CUfunction function, CUlaunchConfig config, void **arguments, void **extra) {
    unsigned gx = config.grid_x, gy = config.grid_y, gz = config.grid_z, shared = config.shared;
    unsigned bx = config.block_x, by = config.block_y, bz = config.block_z;
    const Kernel *kernel = (const Kernel *)function;
    if (kernel < kernels || kernel >= kernels + kernel_count) wrong("a launch of no kernel");
    unsigned threads = bx * by * bz;
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !threads || threads > 1024 || bz > 64)
        wrong("%s: %u %u %u blocks of %u %u %u threads", kernel->name, gx, gy, gz, bx, by, bz);
    if (extra) wrong("extra arguments");
    note("%s %s", how, kernel->name);
    Operation launch = {.kernel = kernel, .shape = {gx, gy, gz, bx, by, bz, shared}};
    for (int i = 0; i < kernel->arguments; i++) {
        memcpy(&launch.arguments[i], arguments[i], sizeof(uint64_t));
        within(DEVICE_MEMORY, (void *)launch.arguments[i], 1, kernel->name);
    }
    return put(config.stream, launch, "cuLaunchKernel");
}
int cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, CUstream stream, void **arguments, void **extra) {
    BEGIN(cuLaunchKernel)
    return launch("launch", function, (CUlaunchConfig){gx, gy, gz, bx, by, bz, shared, stream, 0, 0}, arguments,
                  extra);
}
#ifndef WITHOUT_GRAPHS
/* A launch before the one in front of it ends: that is one of a kernel, in this stream. */
int cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **arguments, void **extra) {
    BEGIN(cuLaunchKernelEx)
    const CUlaunchAttribute *early = config->attributes;
    if (config->attribute_count != 1 || early->id != PROGRAMMATIC_STREAM_SERIALIZATION || !early->value.allowed)
        wrong("attributes of a launch");
    const Object *stream = is(STREAM, config->stream, "cuLaunchKernelEx");
    const Operation *last = (stream->capture ? stream->capture : stream)->operations;
    while (last && last->next) last = last->next;
    if (last && !last->kernel) wrong("a launch before the end of what is no kernel");
    return launch("launch early", function, *config, arguments, extra);
}
#endif

#ifndef WITHOUT_GRAPHS
int cuStreamBeginCapture_v2(CUstream handle, int mode) {
    BEGIN(cuStreamBeginCapture_v2)
    note("capture %d", mode);
    Object *stream = is(STREAM, handle, "cuStreamBeginCapture");
    if (stream->capture) wrong("a stream is captured already");
    return stream->capture = make(GRAPH, 0), CUDA_SUCCESS;
}
int cuStreamEndCapture(CUstream handle, CUgraph *graph) {
    LOCK
    Object *stream = is(STREAM, handle, "cuStreamEndCapture");
    if (!stream->capture) wrong("the stream is not captured");
    Object *made = stream->capture;
    stream->capture = 0;
    int failed = begins("cuStreamEndCapture");
    if (failed) return end(made), *graph = 0, failed;
    return *graph = (CUgraph)made, CUDA_SUCCESS;
}
int cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph handle, unsigned long long flags) {
    BEGIN(cuGraphInstantiateWithFlags)
    if (flags) wrong("flags");
    Object *graph = is(GRAPH, handle, "cuGraphInstantiate"), *made = make(EXECUTABLE, 0);
    for (Operation *each = graph->operations; each; each = each->next) add(made, *each);
    return *executable = (CUgraphExec)made, CUDA_SUCCESS;
}
int cuGraphDestroy(CUgraph graph) {
    LOCK return end(is(GRAPH, graph, "cuGraphDestroy")), CUDA_SUCCESS; }
int cuGraphExecDestroy(CUgraphExec handle) {
    LOCK
    return end(is(EXECUTABLE, handle, "cuGraphExecDestroy")), CUDA_SUCCESS;
}
int cuGraphLaunch(CUgraphExec handle, CUstream stream) {
    BEGIN(cuGraphLaunch)
    note("launch graph");
    Object *executable = is(EXECUTABLE, handle, "cuGraphLaunch");
    for (Operation *each = executable->operations; each; each = each->next)
        put(stream, *each, "cuGraphLaunch");
    return CUDA_SUCCESS;
}
#endif
