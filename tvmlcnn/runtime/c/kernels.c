/* The functions that TVM's code generator calls through slots of the library. */
#define _GNU_SOURCE
#include "kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

static pthread_key_t key;
static int has_key;
static atomic_uint instances;

/* Without a key one thread runs at a time, and others wait. There is none in a process that began
 * without threads, and where all are taken: Android has 128, glibc and musl some more. */
static atomic_int owner;
static Running *only;

/* Thread-local variables would need more of the dynamic loader than Android's has everywhere; and
 * before glibc 2.34 only programs with threads have the functions of these. */
#pragma weak pthread_key_create
#pragma weak pthread_key_delete
#pragma weak pthread_getspecific
#pragma weak pthread_setspecific

__attribute__((constructor)) static void make_key(void) {
    has_key = pthread_key_create && !pthread_key_create(&key, 0);
}

/* When a program ends this is called while its other threads still run kernels. */
__attribute__((destructor)) static void delete_key(void) {
    if (has_key && !atomic_load(&instances)) pthread_key_delete(key);
}

void running_begin(void) { atomic_fetch_add(&instances, 1); }

void running_end(void) { atomic_fetch_sub(&instances, 1); }

int running_apart(void) { return has_key; }

static Running *current(void) { return has_key ? pthread_getspecific(key) : only; }

int running_enter(Running *running, Running **before) {
    if (!has_key) {
        int self = (int)syscall(SYS_gettid);
        for (int none = 0; atomic_load(&owner) != self; none = 0)
            if (!atomic_compare_exchange_strong(&owner, &none, self)) sched_yield();
    }
    *before = current();
    if (has_key) return !pthread_setspecific(key, running); /* glibc allocates for some keys */
    only = running;
    return 1;
}

void running_leave(Running *before) {
    if (has_key) {
        pthread_setspecific(key, before);
        return;
    }
    only = before;
    if (!before) atomic_store(&owner, 0);
}

static int launch(Piece *piece, void *data, int pieces) {
    (void)pieces; /* what the kernel would like; the pool knows better */
    return pool_run(current()->pool, piece, data);
}

/* Allocations of a kernel end in the opposite order: the compiler has counted what they take. */
static void *allocate(int device_type, int device, uint64_t bytes, int code, int bits) {
    (void)device_type, (void)device, (void)code, (void)bits;
    Running *running = current();
    void *result = running->scratch + running->used;
    running->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return result;
}

static int release(int device_type, int device, void *memory) {
    (void)device_type, (void)device;
    Running *running = current();
    running->used = (size_t)((char *)memory - running->scratch);
    return 0;
}

/* The slots of c_backend_api.h; kernels that have no use for one do not name it. */
int (*__TVMBackendParallelLaunch)(Piece *, void *, int) = launch;
void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = allocate;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = release;

#if defined(__arm__)
/* Tables for unwinding name these, to be had from libgcc, which not every process has. An unwinder
 * that comes by knows what they do from the tables' form, and calls its own. */
void __aeabi_unwind_cpp_pr0(void) {}
void __aeabi_unwind_cpp_pr1(void) {}
#endif
