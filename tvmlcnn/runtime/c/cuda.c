/* Kernels on an NVIDIA GPU, as one CUDA graph for each program. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

#include "cuda_backend.h"

static CUdeviceptr address(const Backend *backend, const Program *program, const Prepared *prepared,
                           Place place) {
    switch (place.base) {
    case WORKSPACE: return backend->workspace + place.offset;
    case WEIGHTS: return backend->gpu->weights + place.offset;
    case INPUT: return backend->memory + prepared->offsets[place.index] + place.offset;
    default: return backend->memory + prepared->offsets[program->input_count + place.index] + place.offset;
    }
}

static int lay_out(const Program *program, Prepared *prepared) {
    prepared->offsets = calloc(program->input_count + program->output_count + 1, sizeof(size_t));
    prepared->addresses = calloc(program->place_count + 1, sizeof(CUdeviceptr));
    prepared->arguments = calloc(program->place_count + 1, sizeof(void *));
    if (!prepared->offsets || !prepared->addresses || !prepared->arguments) return 0;
    for (uint32_t i = 0; i < program->input_count; i++) {
        prepared->offsets[i] = prepared->input_bytes;
        prepared->input_bytes += aligned(program->inputs[i].bytes);
    }
    prepared->bytes = prepared->input_bytes;
    for (uint32_t i = 0; i < program->output_count; i++) {
        prepared->offsets[program->input_count + i] = prepared->bytes;
        prepared->bytes += aligned(program->outputs[i].bytes);
    }
    return 1;
}

static int prepare(Backend *backend, char *error) {
    const Network *network = &tvmlcnn_network;
    size_t bytes = 0;
    backend->programs = calloc(network->program_count, sizeof(Prepared));
    for (uint32_t p = 0; p < network->program_count; p++) {
        if (!backend->programs || !lay_out(&network->programs[p], &backend->programs[p]))
            return FAIL(error, TVMLCNN_NO_MEMORY, "no memory for the network's programs");
        if (backend->programs[p].bytes > bytes) bytes = backend->programs[p].bytes;
    }
    CUresult failed = driver.StreamCreate(&backend->stream, STREAM_NON_BLOCKING);
    if (failed) return backend->stream = 0, driver_failed(failed, error, "a stream of the GPU");
    failed = driver.MemAlloc(&backend->memory, bytes + aligned(network->workspace + 1));
    if (failed) return backend->memory = 0, driver_failed(failed, error, "memory for tensors on the GPU");
    void *host;
    failed = driver.MemAllocHost(&host, bytes + 1);
    if (failed) return driver_failed(failed, error, "memory for inputs and outputs that a GPU can copy");
    backend->host = host;
    backend->workspace = backend->memory + bytes;
    for (uint32_t p = 0; p < network->program_count; p++) {
        const Program *program = &network->programs[p];
        Prepared *prepared = &backend->programs[p];
        for (uint32_t i = 0; i < program->place_count; i++) {
            prepared->addresses[i] = address(backend, program, prepared, program->places[i]);
            prepared->arguments[i] = &prepared->addresses[i];
        }
    }
    return TVMLCNN_OK;
}

int backend_open(const tvmlcnn_options *options, Backend **result, char *error) {
    (void)options; /* of threads and CPUs, which do nothing here */
    Backend *backend = calloc(1, sizeof(*backend));
    if (!backend) return FAIL(error, TVMLCNN_NO_MEMORY, "no memory for an instance");
    int status = gpu_take(&backend->gpu, error);
    if (status) return free(backend), status;
    CUcontext popped;
    CUresult failed = driver.CtxPushCurrent(backend->gpu->context);
    if (failed) {
        status = driver_failed(failed, error, "using CUDA's context of the GPU");
    } else {
        status = prepare(backend, error);
        driver.CtxPopCurrent(&popped);
    }
    if (status) return backend_close(backend), status;
    *result = backend;
    return TVMLCNN_OK;
}

uint32_t backend_threads(const Backend *backend) { return (void)backend, 1; }

/* With a hook, wait for what was launched, and call it. */
static int observe(Backend *backend, Hook hook, size_t call, const char *what, char *error) {
    if (!hook.function) return TVMLCNN_OK;
    CUresult failed = driver.StreamSynchronize(backend->stream);
    if (failed) return driver_failed(failed, error, what);
    hook.function(hook.context, call);
    return TVMLCNN_OK;
}

static CUresult mark(const Backend *backend, const Marks *marks, uint32_t number) {
    return marks ? driver.EventRecord(marks->events[number], backend->stream, marks->flags) : 0;
}

/* Launch a kernel; after another one, if it can, so that it begins while that ends, and waits. */
static CUresult launch(Backend *backend, const Prepared *prepared, Launch launch, int after_kernel) {
    const GpuKernel *kernel = &tvmlcnn_cuda.kernels[launch.kernel];
    CUfunction function = backend->gpu->functions[launch.kernel];
    const uint32_t *grid = kernel->grid, *block = kernel->block;
    void **arguments = prepared->arguments + launch.first;
    if (!after_kernel || !kernel->early || !backend->gpu->early)
        return driver.LaunchKernel(function, grid[0], grid[1], grid[2], block[0], block[1], block[2],
                                   kernel->shared, backend->stream, arguments, 0);
    CUlaunchAttribute early = {.id = PROGRAMMATIC_STREAM_SERIALIZATION, .value = {.allowed = 1}};
    CUlaunchConfig config = {grid[0],  grid[1],        grid[2],         block[0], block[1],
                             block[2], kernel->shared, backend->stream, &early,   1};
    return driver.LaunchKernelEx(&config, function, arguments, 0);
}

int cuda_enqueue(Backend *backend, const Program *program, Prepared *prepared, Hook hook, const Marks *marks,
                 char *error) {
    CUstream stream = backend->stream;
    size_t inputs = prepared->input_bytes, outputs = prepared->bytes - inputs;
    CUresult failed = 0;
    if (inputs) failed = driver.MemcpyHtoDAsync(backend->memory, backend->host, inputs, stream);
    if (failed) return driver_failed(failed, error, "copying inputs to the GPU");
    int status = observe(backend, hook, 0, "copying inputs to the GPU", error);
    for (uint32_t i = 0; !status && i < program->call_count; i++) {
        const char *name = "";
        failed = mark(backend, marks, 2 * i);
        for (uint32_t n = 0; !failed && n < program->calls[i].count; n++) {
            Launch next = program->calls[i].launches[n];
            name = tvmlcnn_cuda.kernels[next.kernel].name;
            failed = launch(backend, prepared, next, n || (i && !marks));
        }
        if (!failed) failed = mark(backend, marks, 2 * i + 1);
        if (failed) return driver_failed(failed, error, name);
        status = observe(backend, hook, i + 1, name, error);
    }
    if (status) return status;
    for (uint32_t i = 0; !failed && i < program->copy_count; i++) {
        Copy copy = program->copies[i];
        Place to = {OUTPUT, copy.output, 0};
        failed = driver.MemcpyDtoDAsync(address(backend, program, prepared, to),
                                        address(backend, program, prepared, copy.from), copy.bytes, stream);
    }
    if (!failed && outputs)
        failed = driver.MemcpyDtoHAsync(backend->host + inputs, backend->memory + inputs, outputs, stream);
    return failed ? driver_failed(failed, error, "copying outputs from the GPU") : TVMLCNN_OK;
}

CUgraphExec cuda_graph(Backend *backend, const Program *program, Prepared *prepared, const Marks *marks) {
    char error[ERROR_BYTES];
    CUgraph graph = 0;
    CUgraphExec executable = 0;
    if (!driver.has_graphs || driver.StreamBeginCapture(backend->stream, STREAM_CAPTURE_THREAD_LOCAL))
        return 0;
    int failed = cuda_enqueue(backend, program, prepared, (Hook){0, 0}, marks, error);
    failed |= driver.StreamEndCapture(backend->stream, &graph);
    if (!failed && graph && driver.GraphInstantiate(&executable, graph, 0)) executable = 0;
    if (graph) driver.GraphDestroy(graph);
    return executable;
}

int cuda_launch(Backend *backend, const Program *program, Prepared *prepared, Hook hook, char *error) {
    int launched = prepared->graph && !hook.function &&
                   !driver.GraphLaunch(prepared->graph, backend->stream);
    return launched ? TVMLCNN_OK : cuda_enqueue(backend, program, prepared, hook, 0, error);
}

int cuda_run(Backend *backend, const Program *program, Prepared *prepared, Hook hook, char *error) {
    int status = cuda_launch(backend, program, prepared, hook, error);
    CUresult failed = driver.StreamSynchronize(backend->stream); /* also what was begun and failed */
    if (status) return status;
    if (failed) return driver_failed(failed, error, "a kernel");
    if (!prepared->captured) {
        prepared->captured = 1;
        prepared->graph = cuda_graph(backend, program, prepared, 0);
    }
    return TVMLCNN_OK;
}

int cuda_begin(Backend *backend, const Program *program, Prepared *prepared, const void *const *inputs,
               char *error) {
    for (uint32_t i = 0; i < program->input_count; i++)
        memcpy(backend->host + prepared->offsets[i], inputs[i], program->inputs[i].bytes);
    CUresult failed = driver.CtxPushCurrent(backend->gpu->context);
    return failed ? driver_failed(failed, error, "using CUDA's context of the GPU") : TVMLCNN_OK;
}

int backend_run(Backend *backend, size_t number, const void *const *inputs, void *const *outputs, Hook hook,
                char *error) {
    const Program *program = &tvmlcnn_network.programs[number];
    Prepared *prepared = &backend->programs[number];
    CUcontext popped;
    int status = cuda_begin(backend, program, prepared, inputs, error);
    if (status) return status;
    status = cuda_run(backend, program, prepared, hook, error);
    driver.CtxPopCurrent(&popped);
    if (status) return status;
    for (uint32_t i = 0; i < program->output_count; i++)
        memcpy(outputs[i], backend->host + prepared->offsets[program->input_count + i],
               program->outputs[i].bytes);
    return TVMLCNN_OK;
}

void backend_close(Backend *backend) {
    CUcontext popped;
    if (!driver.CtxPushCurrent(backend->gpu->context)) {
        for (uint32_t p = 0; backend->programs && p < tvmlcnn_network.program_count; p++)
            if (backend->programs[p].graph) driver.GraphExecDestroy(backend->programs[p].graph);
        if (backend->stream) driver.StreamDestroy(backend->stream);
        if (backend->host) driver.MemFreeHost(backend->host);
        if (backend->memory) driver.MemFree(backend->memory);
        driver.CtxPopCurrent(&popped);
    }
    gpu_give(backend->gpu);
    backend_forget(backend);
}

void backend_forget(Backend *backend) {
    for (uint32_t p = 0; backend->programs && p < tvmlcnn_network.program_count; p++) {
        free(backend->programs[p].offsets);
        free(backend->programs[p].addresses);
        free(backend->programs[p].arguments);
    }
    free(backend->programs);
    free(backend);
}
