/* The functions of tvmlcnn.h: instances of the network that is linked with them. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>

#include "instance.h"
#include "intact.h"

int tvmlcnn_abi(void) { return TVMLCNN_ABI; }

const char *tvmlcnn_manifest(size_t *bytes) {
    *bytes = (size_t)(tvmlcnn_manifest_section_end - tvmlcnn_manifest_section);
    return tvmlcnn_manifest_section;
}

size_t tvmlcnn_programs(void) { return tvmlcnn_network.program_count; }

const tvmlcnn_tensor *tvmlcnn_inputs(size_t program, size_t *count) {
    int there = program < tvmlcnn_network.program_count;
    *count = there ? tvmlcnn_network.programs[program].input_count : 0;
    return there ? tvmlcnn_network.programs[program].inputs : 0;
}

const tvmlcnn_tensor *tvmlcnn_outputs(size_t program, size_t *count) {
    int there = program < tvmlcnn_network.program_count;
    *count = there ? tvmlcnn_network.programs[program].output_count : 0;
    return there ? tvmlcnn_network.programs[program].outputs : 0;
}

int tvmlcnn_open(const tvmlcnn_options *options, tvmlcnn_instance **result) {
    static const tvmlcnn_options zeros;
    tvmlcnn_instance *instance = *result = calloc(1, sizeof(*instance));
    if (!instance) return TVMLCNN_NO_MEMORY;
    instance->process = getpid();
    if (!intact())
        return FAIL(instance->error, TVMLCNN_DAMAGED,
                    "the file is damaged: it is not what was compiled; copy or compile it again");
    return backend_open(options ? options : &zeros, &instance->backend, instance->error);
}

uint32_t tvmlcnn_threads(const tvmlcnn_instance *instance) {
    return instance->backend ? backend_threads(instance->backend) : 0;
}

int tvmlcnn_observe(tvmlcnn_instance *instance, tvmlcnn_hook *hook, void *context) {
    if (atomic_flag_test_and_set(&instance->busy)) return TVMLCNN_BUSY;
    instance->hook = (Hook){hook, context};
    atomic_flag_clear(&instance->busy);
    return TVMLCNN_OK;
}

void tvmlcnn_note_time(void *context, size_t call) {
    const tvmlcnn_times *times = context;
    struct timespec now;
    clock_gettime(times->clock, &now);
    times->nanoseconds[call] = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int forked(const tvmlcnn_instance *instance) { return instance->process != getpid(); }

int instance_begin(tvmlcnn_instance *instance, size_t program) {
    if (forked(instance)) return TVMLCNN_FORKED;
    if (!instance->backend) return TVMLCNN_INVALID; /* opening it failed, and it says why */
    if (atomic_flag_test_and_set(&instance->busy)) return TVMLCNN_BUSY;
    instance->error[0] = 0;
    if (program < tvmlcnn_network.program_count) return TVMLCNN_OK;
    int status = FAIL(instance->error, TVMLCNN_INVALID, "the file has %u programs",
                      tvmlcnn_network.program_count);
    instance_end(instance);
    return status;
}

void instance_end(tvmlcnn_instance *instance) { atomic_flag_clear(&instance->busy); }

int tvmlcnn_run(tvmlcnn_instance *instance, size_t number, const void *const *inputs,
                void *const *outputs) {
    int status = instance_begin(instance, number);
    if (status) return status;
    status = backend_run(instance->backend, number, inputs, outputs, instance->hook, instance->error);
    instance_end(instance);
    return status;
}

const char *tvmlcnn_error(const tvmlcnn_instance *instance) {
    if (!instance) return "no memory for an instance";
    return forked(instance) ? "the instance was opened before this process was forked" : instance->error;
}

void tvmlcnn_close(tvmlcnn_instance *instance) {
    if (!instance) return;
    if (instance->backend) (forked(instance) ? backend_forget : backend_close)(instance->backend);
    free(instance);
}
