/* Runs on frames of any size: they are fitted to the input, and run as if they had been given so. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "fitting.h"
#include "instance.h"

/* Say what is wrong with a frame; 0 where nothing is. */
static int wrong(const tvmlcnn_frame *frame, char *error) {
    uint32_t width = frame->width, height = frame->height;
    size_t row = (size_t)width * tvmlcnn_fitting.channels;
    if (!width || !height || width > TVMLCNN_MOST_PIXELS || height > TVMLCNN_MOST_PIXELS)
        return FAIL(error, TVMLCNN_INVALID, "a frame of %ux%u pixels; its sides are from 1 to %d", width,
                    height, TVMLCNN_MOST_PIXELS);
    if (!frame->pixels) return FAIL(error, TVMLCNN_INVALID, "a frame without pixels");
    if (frame->stride && frame->stride < row)
        return FAIL(error, TVMLCNN_INVALID, "a stride of %zu bytes for rows of %zu", frame->stride, row);
    return TVMLCNN_OK;
}

int tvmlcnn_run_frames(tvmlcnn_instance *instance, size_t number, const tvmlcnn_frame *frames,
                       void *const *outputs) {
    size_t count;
    const tvmlcnn_tensor *input = tvmlcnn_inputs(number, &count);
    if (!count) return tvmlcnn_run(instance, number, 0, outputs); /* it says that there is no such program */
    if (instance->process != getpid()) return TVMLCNN_FORKED;
    if (atomic_flag_test_and_set(&instance->busy)) return TVMLCNN_BUSY;
    size_t batch = (size_t)input->shape[0], bytes = input->bytes / batch;
    uint8_t *pixels = 0;
    int status = TVMLCNN_OK;
    instance->error[0] = 0;
    for (size_t i = 0; !status && i < batch; i++) status = wrong(&frames[i], instance->error);
    if (!status && !(pixels = malloc(input->bytes))) status = TVMLCNN_NO_MEMORY;
    for (size_t i = 0; !status && i < batch; i++)
        if (!fit(&tvmlcnn_fitting, &frames[i], pixels + i * bytes)) status = TVMLCNN_NO_MEMORY;
    if (status == TVMLCNN_NO_MEMORY) status = FAIL(instance->error, status, "no memory to resize frames");
    atomic_flag_clear(&instance->busy);
    const void *inputs[] = {pixels};
    if (!status) status = tvmlcnn_run(instance, number, inputs, outputs);
    free(pixels);
    return status;
}

int tvmlcnn_place(uint32_t width, uint32_t height, tvmlcnn_placement *result) {
    char error[ERROR_BYTES];
    static const uint8_t some;
    const tvmlcnn_frame frame = {&some, width, height, 0};
    int status = wrong(&frame, error);
    if (status) return status;
    const Placed placed = place(&tvmlcnn_fitting, width, height);
    *result = (tvmlcnn_placement){(double)placed.width / width, (double)placed.height / height,
                                  (double)placed.left, (double)placed.top};
    return TVMLCNN_OK;
}
