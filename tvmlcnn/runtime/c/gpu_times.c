/* Timing the calls of a program on the GPU, by its own events. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "cuda_backend.h"
#include "instance.h"

static int elapsed(CUevent from, CUevent to, float *microseconds, char *error) {
    float milliseconds = 0;
    CUresult failed = driver.EventElapsedTime(&milliseconds, from, to);
    *microseconds = 1e3f * milliseconds;
    return failed ? driver_failed(failed, error, "the time between events") : TVMLCNN_OK;
}

static int waited(Backend *backend, int status, char *error) {
    CUresult failed = driver.StreamSynchronize(backend->stream);
    return status || !failed ? status : driver_failed(failed, error, "a kernel");
}

/* Time the program as it runs by itself, from one event to another, then with events in it. */
static int time_round(Backend *backend, const Program *program, Prepared *prepared, CUgraphExec timed,
                      const Marks *marks, const CUevent *around, float *microseconds, char *error) {
    uint32_t marked = 2 * program->call_count;
    CUresult failed = driver.EventRecord(around[0], backend->stream, 0);
    int status = cuda_launch(backend, program, prepared, (Hook){0, 0}, error);
    if (!failed) failed = driver.EventRecord(around[1], backend->stream, 0);
    if (!status && failed) status = driver_failed(failed, error, "an event");
    status = waited(backend, status, error);
    if (!status && (!timed || driver.GraphLaunch(timed, backend->stream)))
        status = cuda_enqueue(backend, program, prepared, (Hook){0, 0}, marks, error);
    status = waited(backend, status, error);
    if (!status) status = elapsed(around[0], around[1], microseconds, error);
    for (uint32_t i = 1; !status && i < marked; i++)
        status = elapsed(marks->events[i - 1], marks->events[i], microseconds + i, error);
    return status;
}

static int time_rounds(Backend *backend, const Program *program, Prepared *prepared, CUevent *events,
                       size_t rounds, float *microseconds, char *error) {
    uint32_t marked = 2 * program->call_count;
    Marks in_graph = {events, EVENT_RECORD_EXTERNAL}, in_stream = {events, 0};
    /* Kernels are loaded when they run first. */
    int status = cuda_run(backend, program, prepared, (Hook){0, 0}, error);
    if (status) return status;
    CUgraphExec timed = cuda_graph(backend, program, prepared, &in_graph);
    for (size_t round = 0; !status && round < rounds; round++)
        status = time_round(backend, program, prepared, timed, &in_stream, events + marked,
                            microseconds + round * marked, error);
    if (timed) driver.GraphExecDestroy(timed);
    return status;
}

static int gpu_times(Backend *backend, size_t number, const void *const *inputs, size_t rounds,
                     float *microseconds, char *error) {
    const Program *program = &tvmlcnn_network.programs[number];
    Prepared *prepared = &backend->programs[number];
    uint32_t count = 2 * program->call_count + 2, made = 0;
    if (!driver.has_events)
        return FAIL(error, TVMLCNN_UNSUPPORTED, "timing kernels needs a driver of CUDA 11.1 or later");
    CUevent *events = calloc(count, sizeof(*events));
    if (!events) return FAIL(error, TVMLCNN_NO_MEMORY, "no memory for events");
    CUcontext popped;
    int status = cuda_begin(backend, program, prepared, inputs, error);
    if (!status) {
        CUresult failed = 0;
        while (made < count && !(failed = driver.EventCreate(&events[made], 0))) made++;
        status = failed ? driver_failed(failed, error, "an event")
                        : time_rounds(backend, program, prepared, events, rounds, microseconds, error);
        while (made) driver.EventDestroy(events[--made]);
        driver.CtxPopCurrent(&popped);
    }
    free(events);
    return status;
}

int tvmlcnn_gpu_times(tvmlcnn_instance *instance, size_t program, const void *const *inputs, size_t rounds,
                      float *microseconds) {
    int status = instance_begin(instance, program);
    if (status) return status;
    status = gpu_times(instance->backend, program, inputs, rounds, microseconds, instance->error);
    instance_end(instance);
    return status;
}
