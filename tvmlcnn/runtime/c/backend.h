/* What runs the kernels of a file: the CPU (cpu.c) or a GPU (cuda.c). A file has one of them. */
#ifndef TVMLCNN_BACKEND_H
#define TVMLCNN_BACKEND_H

#include <stdio.h>

#include "program.h"

enum { ERROR_BYTES = 256 };

/* Say in one line why something fails, and return the status. */
#define FAIL(error, status, ...) (snprintf(error, ERROR_BYTES, __VA_ARGS__), (status))

/* What is called around each kernel of a run, if anything is. */
typedef struct {
    tvmlcnn_hook *function;
    void *context;
} Hook;

/* What an instance has to run kernels with. */
typedef struct Backend Backend;

/* Make a backend; where it fails there is none, `error` says why, and the status is returned. */
int backend_open(const tvmlcnn_options *options, Backend **backend, char *error);

uint32_t backend_threads(const Backend *backend);

int backend_run(Backend *backend, size_t program, const void *const *inputs, void *const *outputs,
                Hook hook, char *error);

/* Free a backend that runs nothing. */
void backend_close(Backend *backend);

/* Free what a backend of a parent process has here. */
void backend_forget(Backend *backend);

#endif
