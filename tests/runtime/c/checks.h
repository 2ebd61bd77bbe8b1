/* Calls of the network of network.h whose results are looked at. */
#ifndef CHECKS_H
#define CHECKS_H

#include <stdio.h>
#include <stdlib.h>

#include "network.h"
#include "tvmlcnn.h"

#define CHECK(what)                                                   \
    do {                                                              \
        if (!(what)) {                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            abort();                                                  \
        }                                                             \
    } while (0)

typedef struct {
    float x[NUMBERS], y[NUMBERS], copy[NUMBERS], weights[4], part[PART];
} Arrays;

/* Run a program on numbers that begin with `first`; the arrays may lie anywhere. */
static inline int run_program(tvmlcnn_run_function *run, tvmlcnn_instance *instance, size_t program,
                              Arrays *arrays, float first) {
    for (int i = 0; i < NUMBERS; i++) arrays->x[i] = first + (float)i;
    for (int i = 0; i < NUMBERS; i++) arrays->y[i] = arrays->copy[i] = -1;
    const void *inputs[] = {arrays->x};
    void *outputs[] = {arrays->y, arrays->copy, arrays->weights, arrays->part};
    return run(instance, program, inputs, outputs);
}

static inline void check_run(tvmlcnn_run_function *run, tvmlcnn_instance *instance, float first) {
    Arrays arrays;
    CHECK(!run_program(run, instance, TWO_KERNELS, &arrays, first));
    for (int i = 0; i < NUMBERS; i++) CHECK(arrays.y[i] == WEIGHT * (first + (float)i) + 1);
    for (int i = 0; i < NUMBERS; i++) CHECK(arrays.copy[i] == arrays.x[i]);
    for (int i = 0; i < 4; i++) CHECK(arrays.weights[i] == WEIGHT + (float)i);
    for (int i = 0; i < PART; i++) CHECK(arrays.part[i] == arrays.y[PART + i]);
}

#endif
