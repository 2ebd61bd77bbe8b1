/* The threads of one instance.
 *
 * TVM's kernels split their outer loop into as many pieces as they are told. TVM's own threads have
 * a piece each, and spin: where other programs have the CPUs, all wait for the thread that is not
 * running. Here each thread, the caller too, begins with pieces of its own, so that it finds in its
 * core's caches what it wrote there in the kernel before; who is done takes what others have not
 * begun. Where a thread turns out to be kept from running, pieces are cut smaller for a while: it
 * then holds up little. Who finds no work spins for some microseconds and then sleeps.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

/* Before glibc 2.34 only programs with threads have it. */
#pragma weak pthread_create
#pragma weak pthread_join
#pragma weak pthread_sigmask

/* Pieces a thread while other programs keep threads from running, instead of one; more would cut
 * what schedules keep in a cache. */
enum { SMALL = 4 };
/* Loops that are cut so after one that had to wait. */
enum { WARY = 256 };
/* Nanoseconds that a thread spins before it sleeps. The kernels of one network follow each other
 * within a few thousand, unless one runs on a single thread; waking a thread takes some 50000. */
enum { SPIN = 100000, POLLS = 32 };

/* What one thread begins with: the end of its pieces << 16 | the next one to take. */
typedef struct {
    _Alignas(64) atomic_uint pieces;
    Pool *pool;
} Share;

struct Pool {
    _Alignas(64) atomic_uint epoch; /* counts the loops; threads sleep on it */
    _Alignas(64) atomic_uint left;  /* pieces that are not done; the caller sleeps on it */
    atomic_uint waiting;
    _Alignas(64) atomic_uint sleeping, closing;
    atomic_int failed;
    Piece *piece;
    void *data;
    int32_t count; /* pieces of the loop */
    int wary;      /* loops that are still to be cut small */
    uint32_t workers;
    int bound; /* the workers, to some CPUs */
    cpu_set_t cpus;
    pthread_t *threads;
    Running *running;
    Share shares[]; /* the caller's, then each worker's */
};

static void futex(atomic_uint *word, int what, unsigned value) {
    syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Spin until a word is another (or, with `wanted`, is zero) or the time is up; say whether it is. */
static int spin(atomic_uint *word, unsigned value, int until_zero) {
    int64_t end = now() + SPIN;
    do {
        for (int poll = 0; poll < POLLS; poll++) {
            unsigned found = atomic_load_explicit(word, memory_order_acquire);
            if (until_zero ? found == 0 : found != value) return 1;
            pause_cpu();
        }
    } while (now() < end);
    return 0;
}

/* Run the pieces of the own share, then those that others have not begun. */
static void take_pieces(Pool *pool, uint32_t own) {
    uint32_t threads = pool->workers + 1;
    Running *running = &pool->running[own];
    size_t used = running->used;
    unsigned done = 0;
    for (uint32_t turn = 0; turn < threads; turn++) {
        uint32_t other = own + turn < threads ? own + turn : own + turn - threads;
        atomic_uint *share = &pool->shares[other].pieces;
        for (;;) {
            unsigned found = atomic_load_explicit(share, memory_order_relaxed);
            if ((found & 0xffff) >= found >> 16) break;
            found = atomic_fetch_add(share, 1);
            unsigned next = found & 0xffff;
            if (next >= found >> 16) break;
            /* No other loop begins before a piece that was taken is counted as done. */
            Group group = {0, pool->count};
            int status = pool->piece((int)next, &group, pool->data);
            if (status) {
                atomic_store(&pool->failed, status);
                running->used = used; /* the piece has not given it back */
            }
            done++;
        }
    }
    if (done && atomic_fetch_sub(&pool->left, done) == done && atomic_load(&pool->waiting))
        futex(&pool->left, FUTEX_WAKE, 1);
}

static void *work(void *argument) {
    Share *share = argument;
    Pool *pool = share->pool;
    uint32_t own = (uint32_t)(share - pool->shares);
    /* CPUs that may not be used are passed over; without any left all may be. */
    if (pool->bound) sched_setaffinity(0, sizeof(pool->cpus), &pool->cpus);
    Running *none;
    if (!running_enter(&pool->running[own], &none)) return 0; /* the others take its pieces */
    unsigned seen = 0;
    for (;;) {
        while (atomic_load(&pool->epoch) == seen && !spin(&pool->epoch, seen, 0)) {
            atomic_fetch_add(&pool->sleeping, 1);
            futex(&pool->epoch, FUTEX_WAIT, seen);
            atomic_fetch_sub(&pool->sleeping, 1);
        }
        seen = atomic_load(&pool->epoch);
        if (atomic_load(&pool->closing)) return 0;
        take_pieces(pool, own);
    }
}

static void wake_workers(Pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    if (atomic_load(&pool->sleeping)) futex(&pool->epoch, FUTEX_WAKE, INT32_MAX);
}

int pool_run(Pool *pool, Piece *piece, void *data) {
    if (!pool->workers) {
        Group alone = {0, 1};
        return piece(0, &alone, data);
    }
    unsigned threads = pool->workers + 1;
    unsigned each = pool->wary ? SMALL : 1;
    pool->piece = piece;
    pool->data = data;
    pool->count = (int32_t)(threads * each);
    atomic_store_explicit(&pool->failed, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->left, threads * each, memory_order_relaxed);
    for (unsigned thread = 0; thread < threads; thread++)
        atomic_store_explicit(&pool->shares[thread].pieces,
                              (thread + 1) * each << 16 | thread * each, memory_order_release);
    int64_t start = now();
    wake_workers(pool);
    take_pieces(pool, 0);
    int64_t done = now();
    if (!spin(&pool->left, 0, 1)) {
        atomic_store(&pool->waiting, 1);
        for (unsigned left; (left = atomic_load(&pool->left));) futex(&pool->left, FUTEX_WAIT, left);
        atomic_store(&pool->waiting, 0);
        /* A thread that runs takes as long for its share as this one did. */
        if (now() - done > (done - start) / 2) pool->wary = WARY + 1;
    }
    if (pool->wary) pool->wary--;
    return atomic_load_explicit(&pool->failed, memory_order_relaxed);
}

uint32_t pool_threads(const Pool *pool) { return pool->workers + 1; }

Pool *pool_open(uint32_t threads, const uint32_t *cpus, size_t cpu_count, Running *running) {
    size_t size = sizeof(Pool) + threads * sizeof(Share);
    void *memory = 0;
    pthread_t *started = calloc(threads, sizeof(pthread_t));
    if (!started || posix_memalign(&memory, _Alignof(Pool), size)) {
        free(started);
        return 0;
    }
    Pool *pool = memset(memory, 0, size);
    pool->threads = started;
    pool->running = running;
    pool->bound = cpu_count > 0;
    for (size_t i = 0; i < cpu_count; i++)
        if (cpus[i] < CPU_SETSIZE) CPU_SET(cpus[i], &pool->cpus);
    for (uint32_t thread = 0; thread < threads; thread++) {
        running[thread].pool = pool;
        pool->shares[thread].pool = pool;
    }
    uint32_t count = 0;
    if (pthread_create && running_apart() && threads > 1) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the application's threads' */
        while (count < threads - 1 && !pthread_create(&started[count], 0, work, &pool->shares[count + 1]))
            count++;
        pthread_sigmask(SIG_SETMASK, &before, 0);
    }
    pool->workers = count; /* workers read it after the first loop was announced */
    return pool;
}

void pool_close(Pool *pool) {
    atomic_store(&pool->closing, 1);
    wake_workers(pool);
    for (uint32_t worker = 0; worker < pool->workers; worker++) pthread_join(pool->threads[worker], 0);
    pool_forget(pool);
}

void pool_forget(Pool *pool) {
    free(pool->threads);
    free(pool);
}
