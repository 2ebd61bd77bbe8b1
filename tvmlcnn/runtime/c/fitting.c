/* Where a frame lies in the input, as tvmlcnn/runtime/placement.py says it, and what it is there. */
#include "fitting.h"

#include <string.h>

static uint32_t at_least(uint32_t least, double value) {
    return value > least ? (uint32_t)value : least;
}

static uint32_t at_most(uint32_t most, double value) {
    return value < 1 ? 1 : value < most ? (uint32_t)value : most;
}

/* Half of a number, to the nearest even one where it lies between two. */
static int32_t half(int32_t number) {
    int32_t result = number / 2;
    return number % 2 ? result + (result & 1) : result;
}

static Placed placed(const Fitting *fitting, uint32_t width, uint32_t height) {
    uint32_t rows = fitting->rows, columns = fitting->columns;
    if (fitting->fit == STRETCH) return (Placed){columns, rows, 0, 0, 0};
    if (fitting->fit == LETTERBOX) {
        double down = (double)rows / height, across = (double)columns / width;
        double scale = down < across ? down : across;
        Placed result = {at_most(columns, width * scale + 0.5), at_most(rows, height * scale + 0.5), 0, 0, 0};
        result.left = -(int32_t)((columns - result.width) / 2);
        result.top = -(int32_t)((rows - result.height) / 2);
        return result;
    }
    double down = (double)fitting->height / height, across = (double)fitting->width / width;
    double scale = down > across ? down : across;
    Placed result = {at_least(columns, width * scale + 1e-6), at_least(rows, height * scale + 1e-6), 0, 0, 0};
    result.left = half((int32_t)result.width - (int32_t)columns);
    result.top = half((int32_t)result.height - (int32_t)rows);
    return result;
}

Placed place(const Fitting *fitting, uint32_t width, uint32_t height) {
    Placed result = placed(fitting, width, height);
    int32_t fewer_rows = (int32_t)height - (int32_t)result.height;
    int32_t fewer_columns = (int32_t)width - (int32_t)result.width;
    result.down_first = fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
    return result;
}

int fit(const Fitting *fitting, const tvmlcnn_frame *frame, uint8_t *output) {
    const Placed placed = place(fitting, frame->width, frame->height);
    size_t stride = (size_t)fitting->columns * fitting->channels;
    Part part = {(uint32_t)placed.left, (uint32_t)placed.top, fitting->columns, fitting->rows};
    if (fitting->fit == LETTERBOX) {
        memset(output, fitting->fill, stride * fitting->rows);
        output += (size_t)-placed.top * stride + (size_t)-placed.left * fitting->channels;
        part = (Part){0, 0, placed.width, placed.height};
    }
    return resample(frame, &placed, part, fitting->filter, fitting->channels, output, stride);
}
