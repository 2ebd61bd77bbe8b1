/* What TVM's kernels call while they run: parallel loops and scratch memory. */
#ifndef TVMLCNN_KERNELS_H
#define TVMLCNN_KERNELS_H

#include <stddef.h>

#include "pool.h"

/* What a thread has that runs kernels. */
typedef struct Running {
    Pool *pool;
    char *scratch;
    size_t used; /* of the scratch */
} Running;

/* Count an instance, or uncount it: while there are some, threads may run kernels. */
void running_begin(void);
void running_end(void);

/* Tell whether several threads can run kernels at the same time. */
int running_apart(void);

/* Have the kernels that this thread calls take what is given, and write what was before; return 0
 * where there is no memory to note it. Each is followed by running_leave in the same thread. */
int running_enter(Running *running, Running **before);
void running_leave(Running *before);

#endif
