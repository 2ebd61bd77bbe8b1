/* Antialiased resizing of bytes, to the same bytes as Pillow's.
 *
 * Each pixel is a sum of those that a filter covers, which is as many times as wide as the picture
 * becomes smaller, along one axis and then along the other, each time rounded to bytes. Which is the
 * first follows Pillow 13; see fitting.h.
 * Weights are integers of 22 binary places: of the 32 bits of a sum eight are the result and two are
 * left for what weights below zero add to it.
 *
 * Sources: K. Turkowski, Filters for common resampling tasks, Graphics Gems I (1990); R. G. Keys,
 * Cubic convolution interpolation (1981), with a = -1/2; Pillow's documentation, Concepts: Filters.
 */
#include <stdlib.h>

#include "fitting.h"

enum { PLACES = 22, MOST_CHANNELS = 3 };

/* What each of some pixels of an axis is summed of: `count` of the given ones from `first` on. */
typedef struct {
    uint32_t *first, *count;
    int32_t *weights; /* `room` for each */
    size_t room;
} Sums;

static double triangle(double x) {
    x = x < 0 ? -x : x;
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x) {
    const double a = -0.5;
    x = x < 0 ? -x : x;
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static const struct {
    double (*weight)(double);
    double reach;
} filters[] = {[BILINEAR] = {triangle, 1}, [BICUBIC] = {cubic, 2}};

static void sums_free(Sums *sums) {
    free(sums->first);
    free(sums->count);
    free(sums->weights);
}

/* Weigh the given pixels for `size` of the `made` ones, from `begin` on; 0 where there is no memory. */
static int weigh(Sums *sums, uint32_t given, uint32_t made, uint32_t begin, uint32_t size, Filter filter) {
    double step = (double)given / made, wide = step < 1 ? 1 : step;
    double reach = filters[filter].reach * wide, narrow = 1 / wide;
    sums->room = (size_t)(2 * reach) + 3;
    sums->first = calloc(size, sizeof(uint32_t));
    sums->count = calloc(size, sizeof(uint32_t));
    sums->weights = calloc(size, sums->room * sizeof(int32_t));
    double *exact = calloc(sums->room, sizeof(double));
    if (!sums->first || !sums->count || !sums->weights || !exact) {
        free(exact);
        return 0;
    }
    for (uint32_t i = 0; i < size; i++) {
        double centre = (begin + i + 0.5) * step, low = centre - reach + 0.5, high = centre + reach + 0.5;
        uint32_t first = low < 0 ? 0 : (uint32_t)low;
        uint32_t count = (high > given ? given : (uint32_t)high) - first;
        double total = 0;
        for (uint32_t k = 0; k < count; k++)
            total += exact[k] = filters[filter].weight((k + first - centre + 0.5) * narrow);
        for (uint32_t k = 0; k < count; k++) {
            double weight = total != 0 ? exact[k] / total : exact[k];
            weight *= 1 << PLACES;
            sums->weights[i * sums->room + k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        sums->first[i] = first;
        sums->count[i] = count;
    }
    free(exact);
    return 1;
}

static uint8_t rounded(int32_t sum) {
    sum >>= PLACES;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

/* Sum along a row. */
static void along(const uint8_t *from, const Sums *sums, uint32_t size, uint32_t channels, uint8_t *to) {
    for (uint32_t i = 0; i < size; i++) {
        const uint8_t *pixel = from + (size_t)sums->first[i] * channels;
        const int32_t *weight = sums->weights + i * sums->room;
        int32_t total[MOST_CHANNELS] = {1 << (PLACES - 1), 1 << (PLACES - 1), 1 << (PLACES - 1)};
        if (channels == MOST_CHANNELS)
            for (uint32_t k = 0; k < sums->count[i]; k++, pixel += MOST_CHANNELS)
                for (uint32_t c = 0; c < MOST_CHANNELS; c++) total[c] += pixel[c] * weight[k];
        else
            for (uint32_t k = 0; k < sums->count[i]; k++) total[0] += pixel[k] * weight[k];
        for (uint32_t c = 0; c < channels; c++) *to++ = rounded(total[c]);
    }
}

/* Sum rows of `row` bytes, which are `step` apart and begin again after `room`, for pixel `i` of a column. */
static void across(const uint8_t *from, size_t step, size_t room, const Sums *sums, uint32_t i, size_t row,
                   int32_t *total, uint8_t *to) {
    for (size_t x = 0; x < row; x++) total[x] = 1 << (PLACES - 1);
    for (uint32_t k = 0; k < sums->count[i]; k++) {
        const uint8_t *source = from + (sums->first[i] + k) % room * step;
        int32_t weight = sums->weights[i * sums->room + k];
        for (size_t x = 0; x < row; x++) total[x] += source[x] * weight;
    }
    for (size_t x = 0; x < row; x++) to[x] = rounded(total[x]);
}

int resample(const tvmlcnn_frame *frame, const Placed *placed, Part part, Filter filter, uint32_t channels,
             uint8_t *output, size_t stride) {
    Sums columns = {0}, rows = {0};
    size_t given = (size_t)frame->width * channels, made = (size_t)part.columns * channels;
    size_t step = frame->stride ? frame->stride : given;
    int done = weigh(&columns, frame->width, placed->width, part.left, part.columns, filter) &&
               weigh(&rows, frame->height, placed->height, part.top, part.rows, filter);
    /* Rows that are resized already, as many as one is summed of; or one that was summed. */
    size_t between = placed->down_first ? given : rows.room * made;
    uint8_t *memory = done ? malloc(between) : 0;
    int32_t *total = done ? malloc((placed->down_first ? given : made) * sizeof(int32_t)) : 0;
    done = memory && total;
    for (uint32_t i = 0, ready = 0; done && i < part.rows; i++) {
        uint8_t *to = output + i * stride;
        if (placed->down_first) {
            across(frame->pixels, step, frame->height, &rows, i, given, total, memory);
            along(memory, &columns, part.columns, channels, to);
            continue;
        }
        if (ready < rows.first[i]) ready = rows.first[i];
        for (; ready < rows.first[i] + rows.count[i]; ready++)
            along(frame->pixels + ready * step, &columns, part.columns, channels,
                  memory + ready % rows.room * made);
        across(memory, made, rows.room, &rows, i, made, total, to);
    }
    sums_free(&columns);
    sums_free(&rows);
    free(memory);
    free(total);
    return done;
}
