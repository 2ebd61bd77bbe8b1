/* How frames of any size become the input: what the compiler writes and fitting.c reads. */
#ifndef TVMLCNN_FITTING_H
#define TVMLCNN_FITTING_H

#include "tvmlcnn.h"

#pragma GCC visibility push(hidden)

/* Their names are those of tvmlcnn/runtime/preprocessing.py. */
typedef enum { CROP, LETTERBOX, STRETCH } Fit;
typedef enum { BILINEAR, BICUBIC } Filter;

typedef struct {
    Fit fit;
    Filter filter;
    uint32_t rows, columns; /* of the input */
    uint32_t height, width; /* of the smallest picture that is cropped to it */
    uint32_t channels;
    uint8_t fill; /* of a letterbox's borders */
} Fitting;

extern const Fitting tvmlcnn_fitting;

/* Where a picture lies that was resized: where the input begins in it. */
typedef struct {
    uint32_t width, height;
    int32_t left, top;
    int down_first; /* whether it was resized along the columns first: see tvmlcnn/runtime/placement.py */
} Placed;

Placed place(const Fitting *fitting, uint32_t width, uint32_t height);

/* Write what a frame is as the input; return 0 where there is no memory for that. */
int fit(const Fitting *fitting, const tvmlcnn_frame *frame, uint8_t *output);

/* A part of a resized picture. */
typedef struct {
    uint32_t left, top, columns, rows;
} Part;

/* Resize a frame, and write a part of that; `output` has `stride` bytes a row. Return as fit does. */
int resample(const tvmlcnn_frame *frame, const Placed *placed, Part part, Filter filter, uint32_t channels,
             uint8_t *output, size_t stride);

#pragma GCC visibility pop

#endif
