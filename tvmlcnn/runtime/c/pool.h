/* The threads of one instance. */
#ifndef TVMLCNN_POOL_H
#define TVMLCNN_POOL_H

#include <stddef.h>
#include <stdint.h>

typedef struct Pool Pool;
struct Running;

/* TVMParallelGroupEnv, and FTVMParallelLambda, of TVM's c_backend_api.h. */
typedef struct {
    void *sync; /* not read */
    int32_t pieces;
} Group;
typedef int Piece(int piece, Group *group, void *data);

/* Return a pool of so many threads, the caller's included; NULL where there is no memory. Where
 * not so many threads can be had, those that were have all the work.
 *
 * The threads that it starts run on some CPUs: all that the caller runs on, where none are named.
 * Each has what `running` has for it; the first is the caller's. */
Pool *pool_open(uint32_t threads, const uint32_t *cpus, size_t cpu_count, struct Running *running);

uint32_t pool_threads(const Pool *pool);

/* Run all pieces of a loop; return what one of them returned that failed. */
int pool_run(Pool *pool, Piece *piece, void *data);

/* End the threads of a pool that runs nothing. */
void pool_close(Pool *pool);

/* Free a pool whose threads are a parent process's. */
void pool_forget(Pool *pool);

#endif
