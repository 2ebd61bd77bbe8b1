/* Kernels on the CPU, over one workspace and the threads of an instance. */
#define _GNU_SOURCE
#include "cpu.h"

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "kernels.h"
#include "machine.h"

struct Backend {
    Pool *pool;
    Running *running;     /* of each thread */
    char *memory;         /* the workspace, then the scratch of each thread */
    Argument **arguments; /* of each program, one for each of its places */
};

enum { MOST_THREADS = MOST_CPUS };

/* Where a place is that stays where it is. */
static void *fixed(const Backend *backend, Place place) {
    if (place.base == WORKSPACE) return backend->memory + place.offset;
    return (char *)tvmlcnn_weights_section + place.offset;
}

static int prepare(Backend *backend, uint32_t threads, const uint32_t *cpus, size_t cpu_count) {
    const Network *network = &tvmlcnn_network;
    uint64_t workspace = aligned(network->workspace), scratch = aligned(tvmlcnn_cpu.scratch);
    uint64_t whole = workspace + threads * scratch + ALIGNMENT;
    void *memory = 0;
    backend->running = calloc(threads, sizeof(Running));
    backend->arguments = calloc(network->program_count, sizeof(Argument *));
    if (whole > PTRDIFF_MAX || !backend->running || !backend->arguments ||
        posix_memalign(&memory, ALIGNMENT, (size_t)whole))
        return TVMLCNN_NO_MEMORY;
    backend->memory = memory;
    for (uint32_t thread = 0; thread < threads; thread++)
        backend->running[thread].scratch = backend->memory + workspace + thread * scratch;
    for (uint32_t p = 0; p < network->program_count; p++) {
        const Program *program = &network->programs[p];
        Argument *arguments = calloc(program->place_count + 1, sizeof(Argument));
        if (!arguments) return TVMLCNN_NO_MEMORY;
        backend->arguments[p] = arguments;
        for (uint32_t i = 0; i < program->place_count; i++)
            if (program->places[i].base < INPUT)
                arguments[i].value.pointer = fixed(backend, program->places[i]);
    }
    backend->pool = pool_open(threads, cpus, cpu_count, backend->running);
    return backend->pool ? TVMLCNN_OK : TVMLCNN_NO_MEMORY;
}

int backend_open(const tvmlcnn_options *options, Backend **result, char *error) {
    for (const char *const *name = tvmlcnn_cpu.features; *name; name++)
        if (!has_feature(*name))
            return FAIL(error, TVMLCNN_UNSUPPORTED, "the file needs %s, which this processor lacks", *name);
    uint32_t found[MOST_CPUS];
    const uint32_t *cpus = options->cpu_count ? options->cpus : found;
    size_t cpu_count = options->cpu_count ? options->cpu_count : fastest_cpus(found);
    uint32_t threads = options->threads;
    if (!threads) {
        threads = tvmlcnn_cpu.threads;
        if (!threads || threads > cpu_count) threads = (uint32_t)cpu_count;
        if (!threads) threads = 1;
    }
    if (options->cpu_count && !options->cpus)
        return FAIL(error, TVMLCNN_INVALID, "no CPUs were given, but their number");
    if (threads > MOST_THREADS)
        return FAIL(error, TVMLCNN_INVALID, "%u threads: at most %d can be had", threads, MOST_THREADS);
    if (!options->cpu_count && threads > cpu_count) cpu_count = 0; /* more than the fastest */
    Backend *backend = calloc(1, sizeof(*backend));
    if (backend) running_begin();
    int status = backend ? prepare(backend, threads, cpus, cpu_count) : TVMLCNN_NO_MEMORY;
    if (!status) return *result = backend, TVMLCNN_OK;
    backend_close(backend);
    return FAIL(error, status, "no memory for the network's tensors");
}

uint32_t backend_threads(const Backend *backend) { return pool_threads(backend->pool); }

static int run(Backend *backend, const Program *program, Argument *arguments, const void *const *inputs,
               void *const *outputs, Hook hook, char *error) {
    for (uint32_t i = 0; i < program->place_count; i++) {
        Place place = program->places[i];
        if (place.base == INPUT)
            arguments[i].value.pointer = (char *)inputs[place.index] + place.offset;
        else if (place.base == OUTPUT)
            arguments[i].value.pointer = (char *)outputs[place.index] + place.offset;
    }
    if (hook.function) hook.function(hook.context, 0);
    for (uint32_t i = 0; i < program->call_count; i++) {
        int32_t failed = program->calls[i].kernel(arguments + program->calls[i].first);
        if (failed) return FAIL(error, TVMLCNN_FAILED, "kernel %u returned %d", i, failed);
        if (hook.function) hook.function(hook.context, i + 1);
    }
    for (uint32_t i = 0; i < program->copy_count; i++) {
        Copy copy = program->copies[i];
        const void *from = copy.from.base == INPUT
                               ? (const char *)inputs[copy.from.index] + copy.from.offset
                           : copy.from.base == OUTPUT
                               ? (const char *)outputs[copy.from.index] + copy.from.offset
                               : fixed(backend, copy.from);
        memcpy(outputs[copy.output], from, copy.bytes);
    }
    return TVMLCNN_OK;
}

int backend_run(Backend *backend, size_t number, const void *const *inputs, void *const *outputs, Hook hook,
                char *error) {
    const Program *program = &tvmlcnn_network.programs[number];
    Running *before;
    if (!running_enter(backend->running, &before))
        return FAIL(error, TVMLCNN_NO_MEMORY, "no memory for a thread that is new to the network");
    backend->running->used = 0; /* a kernel that failed has not given it back */
    int status = run(backend, program, backend->arguments[number], inputs, outputs, hook, error);
    running_leave(before);
    return status;
}

static void release(Backend *backend, void (*end)(Pool *)) {
    if (!backend) return;
    if (backend->pool) end(backend->pool);
    running_end();
    if (backend->arguments)
        for (uint32_t p = 0; p < tvmlcnn_network.program_count; p++) free(backend->arguments[p]);
    free(backend->arguments);
    free(backend->memory);
    free(backend->running);
    free(backend);
}

void backend_close(Backend *backend) { release(backend, pool_close); }

void backend_forget(Backend *backend) { release(backend, pool_forget); }
