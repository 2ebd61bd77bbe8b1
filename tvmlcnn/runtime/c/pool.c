/* The threads of one loaded model.
 *
 * TVM's kernels split their outer loop into as many pieces as a launcher asks for, and call it
 * through a slot of the library. TVM's own launcher gives each thread one piece and spins: where
 * other programs have the CPUs, all wait for the thread that is not running. Here each thread, the
 * caller too, begins with pieces of its own, so that it finds in its core's caches what it wrote
 * there in the kernel before; who is done takes what others have not begun. Where a thread turns
 * out to be kept from running, pieces are cut smaller for a while: it then holds up little. Who
 * finds no work spins for some microseconds and then sleeps.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

/* Pieces a thread while other programs keep threads from running, instead of one; more would cut
 * what schedules keep in a cache. */
enum { SMALL = 4 };
/* Kernels that are cut so after one that had to wait. */
enum { WARY = 256 };
/* Nanoseconds that a thread spins before it sleeps. The kernels of one network follow each other
 * within a few thousand, unless one runs on a single thread; waking a thread takes some 50000. */
enum { SPIN = 100000, POLLS = 32 };

/* What one thread begins with: the end of its pieces << 16 | the next one to take. */
typedef struct {
    _Alignas(64) atomic_uint pieces;
} Share;

typedef struct {
    _Alignas(64) atomic_uint epoch; /* counts the kernels; threads sleep on it */
    _Alignas(64) atomic_uint left;  /* pieces that are not done; the caller sleeps on it */
    atomic_uint waiting;
    _Alignas(64) atomic_uint sleeping, closing;
    atomic_int failed;
    Kernel kernel;
    void *data;
    int32_t count; /* pieces of the kernel */
    int wary;      /* kernels that are still to be cut small */
    int workers;
    pthread_t *threads;
    Share shares[]; /* the caller's, then each worker's */
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

/* Run the pieces of the own share, then those that others have not begun. */
static void take_pieces(Pool *pool, int own) {
    int threads = pool->workers + 1;
    unsigned done = 0;
    for (int turn = 0; turn < threads; turn++) {
        atomic_uint *share = &pool->shares[(own + turn) % threads].pieces;
        for (;;) {
            unsigned found = atomic_load_explicit(share, memory_order_relaxed);
            if ((found & 0xffff) >= found >> 16) break;
            found = atomic_fetch_add(share, 1);
            unsigned piece = found & 0xffff;
            if (piece >= found >> 16) break;
            /* No other kernel begins before a piece that was taken is counted as done. */
            Group group = {0, pool->count};
            int status = pool->kernel((int)piece, &group, pool->data);
            if (status) atomic_store(&pool->failed, status);
            done++;
        }
    }
    if (done && atomic_fetch_sub(&pool->left, done) == done && atomic_load(&pool->waiting))
        futex(&pool->left, FUTEX_WAKE, 1);
}

typedef struct {
    Pool *pool;
    int own;
} Start;

static void *work(void *argument) {
    Pool *pool = ((Start *)argument)->pool;
    int own = ((Start *)argument)->own;
    free(argument);
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

static int launch(Kernel kernel, void *data, int pieces) {
    Pool *pool = current;
    (void)pieces;
    if (!pool || !pool->workers) {
        Group alone = {0, 1};
        return kernel(0, &alone, data);
    }
    unsigned threads = (unsigned)pool->workers + 1;
    unsigned each = pool->wary ? SMALL : 1;
    pool->kernel = kernel;
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

/* The slot of the library; a library without parallel loops has none. TVM's loader fills it, and
 * fills it again where the library is loaded once more. */
extern __attribute__((weak)) Launcher __TVMBackendParallelLaunch;

/* Return a pool of so many threads, the caller's included; NULL where there is no memory. Where
 * not so many threads can be had, those that were have all the work. */
Pool *tvmlcnn_pool_open(int threads) {
    size_t size = sizeof(Pool) + (size_t)threads * sizeof(Share);
    Pool *pool = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!pool) return 0;
    memset(pool, 0, size);
    pool->threads = malloc((size_t)threads * sizeof(pthread_t));
    if (!pool->threads) {
        free(pool);
        return 0;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the application's threads' */
    int begun = 0;
    for (; begun < threads - 1; begun++) {
        Start *start = malloc(sizeof(Start));
        if (!start) break;
        *start = (Start){pool, begun + 1};
        if (pthread_create(&pool->threads[begun], 0, work, start)) {
            free(start);
            break;
        }
    }
    pool->workers = begun; /* workers read it after the first kernel was announced */
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
    free(pool->threads);
    free(pool);
}
