/* The threads of one loaded model.
 *
 * TVM's kernels split their outer loop into as many pieces as a launcher asks for, and call it
 * through a slot of the library. TVM's own launcher gives each thread one piece and spins: where
 * other programs have the CPUs, all wait for the thread that is not running. Here a kernel is cut
 * into several chunks a thread, which whoever is free takes, the caller too; who finds none spins
 * for some microseconds and then sleeps. A thread that does not run holds up one chunk at most.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* TVMParallelGroupEnv, and FTVMParallelLambda, of TVM's c_backend_api.h. */
typedef struct {
    void *sync;
    int32_t pieces;
} Group;
typedef int (*Kernel)(int piece, Group *group, void *data);
typedef int (*Launcher)(Kernel kernel, void *data, int pieces);

/* Chunks a thread: enough for one that starts late to find some left, and for the last ones to
 * end together; more would cut the pieces that schedules keep in a cache. */
enum { CHUNKS = 4 };
/* Nanoseconds that a thread spins before it sleeps. The kernels of one network follow each other
 * within a few thousand; waking a thread takes some 5000 to 50000. */
enum { SPIN = 20000, POLLS = 32 };

typedef struct {
    _Alignas(64) atomic_uint epoch; /* counts the kernels; threads sleep on it */
    _Alignas(64) atomic_uint ticket; /* chunks of the kernel << 16 | the next one to take */
    _Alignas(64) atomic_uint left;   /* chunks that are not done; the caller sleeps on it */
    atomic_uint sleeping, waiting, closing;
    atomic_int failed;
    Kernel kernel;
    void *data;
    int workers;
    pthread_t threads[];
} Pool;

static _Thread_local Pool *current;

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

static void take_chunks(Pool *pool) {
    for (;;) {
        unsigned ticket = atomic_fetch_add(&pool->ticket, 1);
        unsigned chunks = ticket >> 16, chunk = ticket & 0xffff;
        if (chunk >= chunks) return;
        /* No other kernel begins while a chunk of this one is not done. */
        Group group = {0, (int32_t)chunks};
        int status = pool->kernel((int)chunk, &group, pool->data);
        if (status) atomic_store(&pool->failed, status);
        if (atomic_fetch_sub(&pool->left, 1) == 1 && atomic_load(&pool->waiting))
            futex(&pool->left, FUTEX_WAKE, 1);
    }
}

static void *work(void *argument) {
    Pool *pool = argument;
    unsigned seen = 0;
    for (;;) {
        while (atomic_load(&pool->epoch) == seen && !spin(&pool->epoch, seen, 0)) {
            atomic_fetch_add(&pool->sleeping, 1);
            futex(&pool->epoch, FUTEX_WAIT, seen);
            atomic_fetch_sub(&pool->sleeping, 1);
        }
        seen = atomic_load(&pool->epoch);
        if (atomic_load(&pool->closing)) return 0;
        take_chunks(pool);
    }
}

static void wake_workers(Pool *pool) {
    atomic_fetch_add(&pool->epoch, 1);
    if (atomic_load(&pool->sleeping)) futex(&pool->epoch, FUTEX_WAKE, INT32_MAX);
}

static int launch(Kernel kernel, void *data, int pieces) {
    Pool *pool = current;
    (void)pieces;
    if (!pool || !pool->workers) {
        Group alone = {0, 1};
        return kernel(0, &alone, data);
    }
    unsigned chunks = CHUNKS * (unsigned)(pool->workers + 1);
    pool->kernel = kernel;
    pool->data = data;
    atomic_store(&pool->failed, 0);
    atomic_store(&pool->left, chunks);
    atomic_store(&pool->ticket, chunks << 16);
    wake_workers(pool);
    take_chunks(pool);
    if (!spin(&pool->left, 0, 1)) {
        atomic_store(&pool->waiting, 1);
        for (unsigned left; (left = atomic_load(&pool->left));) futex(&pool->left, FUTEX_WAIT, left);
        atomic_store(&pool->waiting, 0);
    }
    return atomic_load(&pool->failed);
}

/* The slot of the library; a library without parallel loops has none. TVM's loader fills it, and
 * fills it again where the library is loaded once more. */
extern __attribute__((weak)) Launcher __TVMBackendParallelLaunch;

/* Return a pool of so many threads, the caller's included; NULL where there is no memory. */
Pool *tvmlcnn_pool_open(int threads) {
    int wanted = threads - 1;
    size_t size = sizeof(Pool) + (size_t)wanted * sizeof(pthread_t);
    Pool *pool = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!pool) return 0;
    *pool = (Pool){0};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the application's threads' */
    while (pool->workers < wanted &&
           !pthread_create(&pool->threads[pool->workers], 0, work, pool))
        pool->workers++;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    return pool;
}

/* Have the kernels that this thread calls run in a pool; NULL for none. */
void tvmlcnn_pool_use(Pool *pool) {
    current = pool;
    if (&__TVMBackendParallelLaunch)
        __atomic_store_n(&__TVMBackendParallelLaunch, launch, __ATOMIC_RELAXED);
}

/* End the threads of a pool that no kernel runs in. */
void tvmlcnn_pool_close(Pool *pool) {
    atomic_store(&pool->closing, 1);
    wake_workers(pool);
    for (int worker = 0; worker < pool->workers; worker++) pthread_join(pool->threads[worker], 0);
    free(pool);
}
