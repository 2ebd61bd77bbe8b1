/* A compiled network as data: what the compiler writes and the runtime reads. */
#ifndef TVMLCNN_PROGRAM_H
#define TVMLCNN_PROGRAM_H

#include "tvmlcnn.h"

#pragma GCC visibility push(hidden)

/* Where an argument lies: so many bytes after the beginning of something. */
typedef enum { WORKSPACE, WEIGHTS, INPUT, OUTPUT } Base;
typedef struct {
    uint8_t base;
    uint16_t index; /* which input or output */
    uint64_t offset;
} Place;

/* A call of a kernel: cpu.h and cuda.h say what that is. */
typedef struct Call Call;

/* What an output is, besides the result of a kernel: an input, a weight, a part of a tensor. */
typedef struct {
    Place from;
    uint16_t output;
    uint64_t bytes;
} Copy;

typedef struct {
    const tvmlcnn_tensor *inputs, *outputs;
    const Place *places; /* arguments of kernels */
    const Call *calls;
    const Copy *copies;
    uint32_t input_count, output_count, place_count, call_count, copy_count;
} Program;

typedef struct {
    const Program *programs;
    uint32_t program_count;
    uint64_t workspace; /* bytes of the program that needs most */
} Network;

extern const Network tvmlcnn_network;

/* The sections of the file. */
extern const char tvmlcnn_weights_section[], tvmlcnn_weights_section_end[];
extern const char tvmlcnn_manifest_section[], tvmlcnn_manifest_section_end[];

#pragma GCC visibility pop

enum { ALIGNMENT = 64 }; /* of tensors, weights and scratch: a cache line */

static inline uint64_t aligned(uint64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

#endif
