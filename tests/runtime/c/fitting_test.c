/* Resizing as functions of a library, for tests that have Python's results. */
#include "fitting.h"

#define SEEN __attribute__((visibility("default")))

SEEN int fit_of(const Fitting *fitting, const tvmlcnn_frame *frame, uint8_t *output) {
    return fit(fitting, frame, output);
}

SEEN void placed_of(const Fitting *fitting, uint32_t width, uint32_t height, int32_t numbers[5]) {
    const Placed placed = place(fitting, width, height);
    const int32_t found[] = {(int32_t)placed.width, (int32_t)placed.height, placed.left, placed.top,
                             placed.down_first};
    for (int i = 0; i < 5; i++) numbers[i] = found[i];
}
