/* The runtime with a network that was written by hand, built under a sanitizer or run by valgrind.
 *
 * `runtime_test NAME...` runs tests and exits with 0 where they pass. The linker has the functions
 * of the C library that the runtime calls go through this file (--wrap), so that they can fail.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checks.h"

enum { CALLERS = 8 };

/* Which call of a kind fails from now on, counted down; none does below zero. */
enum { MEMORY, THREADS, KEYS };
static int kind;
static atomic_int until_failure = -1;
static atomic_int allocated; /* blocks that were not freed */

static int fails(int what) {
    return atomic_load(&until_failure) >= 0 && what == kind && atomic_fetch_sub(&until_failure, 1) == 0;
}

void *__real_calloc(size_t, size_t);
void __real_free(void *);
int __real_posix_memalign(void **, size_t, size_t);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_pthread_setspecific(pthread_key_t, const void *);

void *__wrap_calloc(size_t count, size_t size) {
    if (fails(MEMORY)) return 0;
    atomic_fetch_add(&allocated, 1);
    return __real_calloc(count, size);
}

void __wrap_free(void *memory) {
    if (memory) atomic_fetch_sub(&allocated, 1);
    __real_free(memory);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
    if (fails(MEMORY)) return 12;
    atomic_fetch_add(&allocated, 1);
    return __real_posix_memalign(memory, alignment, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                          void *argument) {
    if (fails(THREADS)) return 11;
    return __real_pthread_create(thread, attributes, work, argument);
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value) {
    if (value && fails(KEYS)) return 12;
    return __real_pthread_setspecific(key, value);
}

static tvmlcnn_instance *opened(uint32_t threads) {
    tvmlcnn_instance *instance;
    CHECK(!tvmlcnn_open(&(tvmlcnn_options){threads, 0, 0}, &instance));
    return instance;
}

static void several(void *(*work)(void *)) {
    pthread_t threads[CALLERS];
    int numbers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        numbers[i] = i;
        CHECK(!__real_pthread_create(&threads[i], 0, work, &numbers[i]));
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], 0);
}

/* Sleeps now and then, so long that threads of the pool fall asleep. */
static void *run_own(void *argument) {
    int number = *(int *)argument;
    tvmlcnn_instance *instance = opened(1 + (uint32_t)number % 4);
    CHECK(tvmlcnn_threads(instance) == 1 + (uint32_t)number % 4);
    for (int i = 0; i < 500; i++) {
        check_run(tvmlcnn_run, instance, (float)(100 * number + i));
        if (i % 100 == 0) nanosleep(&(struct timespec){0, 400000}, 0);
    }
    tvmlcnn_close(instance);
    return 0;
}

static void neighbours(void) { several(run_own); }

static void *open_and_close(void *argument) {
    int number = *(int *)argument;
    if (number % 2) return run_own(argument);
    for (int i = 0; i < 100; i++) {
        tvmlcnn_instance *instance = opened(3);
        if (i % 3) check_run(tvmlcnn_run, instance, (float)i);
        tvmlcnn_close(instance);
    }
    return 0;
}

static void coming_and_going(void) { several(open_and_close); }

/* One instance that all call: each call is right or turned away. */
static tvmlcnn_instance *shared;
static atomic_int right, turned_away;

static void *call_shared(void *argument) {
    float first = (float)*(int *)argument;
    Arrays arrays;
    for (int i = 0; i < 200; i++) {
        int status = run_program(tvmlcnn_run, shared, TWO_KERNELS, &arrays, first);
        if (status) {
            CHECK(status == TVMLCNN_BUSY);
            CHECK(arrays.y[0] == -1);
            atomic_fetch_add(&turned_away, 1);
            sched_yield();
        } else {
            for (int n = 0; n < NUMBERS; n++) CHECK(arrays.y[n] == WEIGHT * (first + (float)n) + 1);
            atomic_fetch_add(&right, 1);
        }
        status = tvmlcnn_observe(shared, 0, 0);
        CHECK(!status || status == TVMLCNN_BUSY);
    }
    return 0;
}

/* In a run its instance is busy, also for the thread that runs it; others are not. */
static void call_again(void *context, size_t call) {
    Arrays arrays;
    if (call != 1) return;
    CHECK(run_program(tvmlcnn_run, shared, TWO_KERNELS, &arrays, 0) == TVMLCNN_BUSY);
    CHECK(tvmlcnn_observe(shared, 0, 0) == TVMLCNN_BUSY);
    check_run(tvmlcnn_run, context, 7);
}

static void busy(void) {
    shared = opened(2);
    several(call_shared);
    CHECK(right + turned_away == 200 * CALLERS && right > 0);
    tvmlcnn_instance *other = opened(2);
    CHECK(!tvmlcnn_observe(shared, call_again, other));
    for (int i = 0; i < 10; i++) check_run(tvmlcnn_run, shared, 3);
    tvmlcnn_close(other);
    tvmlcnn_close(shared);
}

static void errors(void) {
    Arrays arrays;
    tvmlcnn_instance *instance = opened(3);
    CHECK(!*tvmlcnn_error(instance));
    for (int i = 0; i < 100; i++) { /* scratch that a failure leaves behind would run out */
        CHECK(run_program(tvmlcnn_run, instance, FAILS, &arrays, 0) == TVMLCNN_FAILED);
        CHECK(!strcmp(tvmlcnn_error(instance), "kernel 0 returned -7"));
        CHECK(run_program(tvmlcnn_run, instance, PIECE_FAILS, &arrays, 0) == TVMLCNN_FAILED);
        CHECK(!strcmp(tvmlcnn_error(instance), "kernel 0 returned -5"));
    }
    check_run(tvmlcnn_run, instance, 5);
    CHECK(!*tvmlcnn_error(instance));
    for (int i = 0; i < 3; i++) {
        size_t program = (size_t[]){PROGRAMS, (size_t)1 << 31, SIZE_MAX}[i], count = 1;
        CHECK(run_program(tvmlcnn_run, instance, program, &arrays, 0) == TVMLCNN_INVALID);
        CHECK(!strcmp(tvmlcnn_error(instance), "the file has 5 programs"));
        CHECK(!tvmlcnn_inputs(program, &count) && !count);
        count = 1;
        CHECK(!tvmlcnn_outputs(program, &count) && !count);
    }
    CHECK(!run_program(tvmlcnn_run, instance, NO_KERNELS, &arrays, 9));
    CHECK(arrays.y[NUMBERS - 1] == 9 + NUMBERS - 1);
    const void *none[] = {0};
    CHECK(!tvmlcnn_run(instance, NO_ELEMENTS, none, (void **)none));
    tvmlcnn_close(instance);
    tvmlcnn_close(0);
    CHECK(*tvmlcnn_error(0));
    size_t bytes;
    CHECK(tvmlcnn_manifest(&bytes) && bytes == 2 && tvmlcnn_programs() == PROGRAMS);
    const tvmlcnn_tensor *inputs = tvmlcnn_inputs(TWO_KERNELS, &bytes);
    CHECK(bytes == 1 && inputs[0].bytes == 4 * NUMBERS && tvmlcnn_abi() == TVMLCNN_ABI);
}

static void count_calls(void *context, size_t call) {
    size_t *seen = context;
    CHECK(call == *seen);
    ++*seen;
}

static void hooks(void) {
    tvmlcnn_instance *instance = opened(2);
    size_t seen = 0;
    CHECK(!tvmlcnn_observe(instance, count_calls, &seen));
    check_run(tvmlcnn_run, instance, 1);
    CHECK(seen == 3);
    int64_t nanoseconds[] = {0, 0, 0};
    tvmlcnn_times times = {CLOCK_MONOTONIC, nanoseconds};
    CHECK(!tvmlcnn_observe(instance, tvmlcnn_note_time, &times));
    check_run(tvmlcnn_run, instance, 1);
    CHECK(0 < nanoseconds[0] && nanoseconds[0] <= nanoseconds[1] && nanoseconds[1] <= nanoseconds[2]);
    CHECK(!tvmlcnn_observe(instance, 0, 0));
    check_run(tvmlcnn_run, instance, 1);
    CHECK(seen == 3);
    tvmlcnn_close(instance);
}

static void options(void) {
    tvmlcnn_instance *instance;
    Arrays arrays;
    CHECK(!tvmlcnn_open(0, &instance));
    CHECK(tvmlcnn_threads(instance) >= 1);
    check_run(tvmlcnn_run, instance, 2);
    tvmlcnn_close(instance);
    uint32_t strange[] = {4000000000u, 1023, 1024, 0};
    for (size_t count = 1; count <= 4; count++) { /* CPUs that are not there are passed over */
        CHECK(!tvmlcnn_open(&(tvmlcnn_options){3, strange, count}, &instance));
        CHECK(tvmlcnn_threads(instance) == 3);
        check_run(tvmlcnn_run, instance, 2);
        tvmlcnn_close(instance);
    }
    tvmlcnn_options wrong[] = {{1025, 0, 0}, {UINT32_MAX, 0, 0}, {1, 0, 2}};
    for (size_t i = 0; i < 3; i++) {
        CHECK(tvmlcnn_open(&wrong[i], &instance) == TVMLCNN_INVALID);
        CHECK(*tvmlcnn_error(instance) && !tvmlcnn_threads(instance));
        CHECK(run_program(tvmlcnn_run, instance, TWO_KERNELS, &arrays, 0) == TVMLCNN_INVALID);
        CHECK(*tvmlcnn_error(instance));
        tvmlcnn_close(instance);
    }
    instance = opened(100); /* more than there are CPUs, and than there are pieces to share out */
    for (int i = 0; i < 20; i++) check_run(tvmlcnn_run, instance, (float)i);
    tvmlcnn_close(instance);
}

static void check_in_child(tvmlcnn_instance *instance) {
    Arrays arrays;
    CHECK(run_program(tvmlcnn_run, instance, TWO_KERNELS, &arrays, 1) == TVMLCNN_FORKED);
    CHECK(strstr(tvmlcnn_error(instance), "forked"));
    tvmlcnn_instance *own = opened(3);
    check_run(tvmlcnn_run, own, 11);
    tvmlcnn_close(instance);
    check_run(tvmlcnn_run, own, 12);
    tvmlcnn_close(own);
}

static void in_child(tvmlcnn_instance *instance) {
    pid_t child = fork();
    if (!child) {
        check_in_child(instance);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && !status);
}

static atomic_int done;

static void *run_until_done(void *argument) {
    for (int i = 0; !atomic_load(&done); i++) check_run(tvmlcnn_run, argument, (float)i);
    return 0;
}

static void forked(void) {
    tvmlcnn_instance *instance = opened(3), *running = opened(2);
    in_child(instance); /* never used */
    check_run(tvmlcnn_run, instance, 1);
    in_child(instance);
    pthread_t thread;
    CHECK(!__real_pthread_create(&thread, 0, run_until_done, running));
    for (int i = 0; i < 5; i++) {
        in_child(instance);
        in_child(running); /* in a run */
        check_run(tvmlcnn_run, instance, 1);
    }
    atomic_store(&done, 1);
    pthread_join(thread, 0);
    tvmlcnn_close(running);
    tvmlcnn_close(instance);
}

/* Each of the runtime's allocations fails once. */
static void no_memory(void) {
    int before = allocated, attempt = 0;
    kind = MEMORY;
    for (;; attempt++) {
        tvmlcnn_instance *instance;
        atomic_store(&until_failure, attempt);
        int status = tvmlcnn_open(&(tvmlcnn_options){3, 0, 0}, &instance);
        int failed = atomic_exchange(&until_failure, -1) < 0;
        CHECK(status == (failed ? TVMLCNN_NO_MEMORY : TVMLCNN_OK));
        CHECK(!!*tvmlcnn_error(instance) == failed);
        if (!failed) check_run(tvmlcnn_run, instance, 1);
        tvmlcnn_close(instance);
        CHECK(allocated == before);
        if (!failed) break;
    }
    CHECK(attempt > 5);
}

/* Not all threads can be started, or know what to work with: those that can have all the work. */
static void few_threads(void) {
    tvmlcnn_instance *instance;
    Arrays arrays;
    for (kind = THREADS; kind <= KEYS; kind++)
        for (int attempt = 0; attempt < 5; attempt++) {
            atomic_store(&until_failure, attempt);
            CHECK(!tvmlcnn_open(&(tvmlcnn_options){5, 0, 0}, &instance));
            for (int i = 0; i < 100; i++) {
                int status = run_program(tvmlcnn_run, instance, TWO_KERNELS, &arrays, 0);
                CHECK(!status || (status == TVMLCNN_NO_MEMORY && kind == KEYS));
            }
            CHECK(kind == KEYS || (atomic_load(&until_failure) < 0) == (attempt < 4));
            atomic_store(&until_failure, -1);
            for (int i = 0; i < 100; i++) check_run(tvmlcnn_run, instance, (float)i);
            tvmlcnn_close(instance);
        }
    kind = KEYS;
    instance = opened(1);
    atomic_store(&until_failure, 0);
    CHECK(run_program(tvmlcnn_run, instance, TWO_KERNELS, &arrays, 1) == TVMLCNN_NO_MEMORY);
    CHECK(*tvmlcnn_error(instance));
    check_run(tvmlcnn_run, instance, 1);
    tvmlcnn_close(instance);
}

static size_t lines(const char *path) {
    size_t count = 0;
    FILE *file = fopen(path, "r");
    for (int c; (c = getc(file)) != EOF;) count += c == '\n';
    fclose(file);
    return count;
}

static size_t entries(const char *path) {
    size_t count = 0;
    DIR *folder = opendir(path);
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

static size_t pages(void) {
    size_t size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(fscanf(file, "%zu %zu", &size, &resident) == 2);
    fclose(file);
    return resident;
}

/* Nothing grows, neither by instances that come and go nor by runs. */
static void flat(void) {
    size_t before[4] = {0};
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 2000; i++) {
            tvmlcnn_instance *instance = opened(3);
            check_run(tvmlcnn_run, instance, (float)i);
            tvmlcnn_close(instance);
        }
        tvmlcnn_instance *instance = opened(2);
        for (int i = 0; i < 50000; i++) check_run(tvmlcnn_run, instance, (float)(i % 100));
        tvmlcnn_close(instance);
        size_t now[] = {lines("/proc/self/maps"), entries("/proc/self/fd"), (size_t)allocated, pages()};
        if (turn)
            for (int i = 0; i < 3; i++) CHECK(now[i] == before[i]);
        if (turn) CHECK(now[3] <= before[3] + 256); /* of 4 KB; threads' stacks are touched by chance */
        memcpy(before, now, sizeof(now));
    }
}

static const struct {
    const char *name;
    void (*test)(void);
} tests[] = {
    {"neighbours", neighbours}, {"coming_and_going", coming_and_going},
    {"busy", busy},             {"errors", errors},
    {"hooks", hooks},           {"options", options},
    {"forked", forked},         {"no_memory", no_memory},
    {"few_threads", few_threads}, {"flat", flat},
};

int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        size_t n = 0;
        while (n < sizeof(tests) / sizeof(*tests) && strcmp(tests[n].name, names[i])) n++;
        CHECK(n < sizeof(tests) / sizeof(*tests));
        tests[n].test();
    }
    return 0;
}
