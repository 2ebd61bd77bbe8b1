/* Instances on a GPU, opened, run and closed, alone and by threads; built under a sanitizer.
 *
 * Exits with 0 where outputs that are inputs come back, each function of the driver may fail, and
 * nothing is left. Linked with the runtime and the tables of fake_gpu.py; run beside fake_cuda.c.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intact.h"
#include "tvmlcnn.h"

int intact(void) { return 1; } /* a program is no file that was compiled */

enum { MOST = 128, THREADS = 8 };

static const char *const functions[] = {
    "cuInit",         "cuCtxGetCurrent",     "cuDeviceGet",        "cuDevicePrimaryCtxRetain",
    "cuModuleLoadData", "cuModuleGetFunction", "cuFuncSetAttribute", "cuMemAlloc_v2",
    "cuMemAllocHost_v2", "cuStreamCreate",   "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
    "cuLaunchKernel", "cuStreamSynchronize", "cuStreamBeginCapture_v2", "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuCtxPushCurrent_v2",
};
static void (*fail)(const char *, int, int);
static int (*live)(void);

/* Open, run, close; whether all went well. Closing cannot fail: the driver does not refuse it. */
static int use(int runs, int fails) {
    tvmlcnn_instance *instance;
    int failed = tvmlcnn_open(0, &instance);
    for (int turn = 0; !failed && turn < runs; turn++) {
        float x[MOST], outputs[3][MOST];
        for (int i = 0; i < MOST; i++) x[i] = (float)(turn + i);
        const void *inputs[] = {x};
        void *rooms[] = {outputs[0], outputs[1], outputs[2]};
        size_t program = (size_t)turn % 2, count;
        failed = tvmlcnn_run(instance, program, inputs, rooms);
        size_t bytes = tvmlcnn_inputs(program, &count)->bytes;
        if (!failed && memcmp(outputs[1], x, bytes)) puts("an output is wrong"), exit(1);
    }
    if (failed && !*tvmlcnn_error(instance)) puts("an error says nothing"), exit(1);
    if (fails) fail("", 0, 0);
    tvmlcnn_close(instance);
    return !failed;
}

static void *work(void *argument) {
    for (int turn = 0; turn < 50; turn++)
        if (!use(5, 0)) return argument;
    return 0;
}

int main(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    void (*kernel)(const char *, int) = (void (*)(const char *, int))dlsym(driver, "fake_kernel");
    fail = (void (*)(const char *, int, int))dlsym(driver, "fake_fail");
    live = (int (*)(void))dlsym(driver, "fake_live");
    kernel("scale_64_kernel", 3), kernel("reverse_64_kernel", 2), kernel("reverse_64_kernel_1", 2);
    kernel("scale_128_kernel", 3), kernel("reverse_128_kernel", 2), kernel("reverse_128_kernel_1", 2);
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
        for (int at = 1; at < 12; at++) {
            fail(functions[i], at, 2);
            use(4, 1);
            if (live()) return puts("something is left"), 1;
        }
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, work, threads);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        if (failed) return puts("a thread failed"), 1;
    }
    return live() != 0;
}
