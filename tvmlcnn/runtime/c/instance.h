/* An instance of the network, and what every call of one begins with. */
#ifndef TVMLCNN_INSTANCE_H
#define TVMLCNN_INSTANCE_H

#include <stdatomic.h>
#include <unistd.h>

#include "backend.h"

struct tvmlcnn_instance {
    Backend *backend; /* NULL where opening it failed */
    pid_t process;
    atomic_flag busy;
    Hook hook;
    char error[ERROR_BYTES];
};

/* Begin a call that runs a program: no other call may run, nor a process that was forked. Return a
 * status; unless it is TVMLCNN_OK the call is over. */
int instance_begin(tvmlcnn_instance *instance, size_t program);

void instance_end(tvmlcnn_instance *instance);

#endif
