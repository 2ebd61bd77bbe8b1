/* Kernels in several pools at once; built together with pool.c and kernels.c under a sanitizer.
 *
 * Each kernel adds up numbers in pieces, as many as the pool asks for. Exits with 0 where each sum
 * is right; pools are opened and closed meanwhile, and callers wait so long between two kernels
 * that threads fall asleep.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels.h"
#include "pool.h"

extern int (*__TVMBackendParallelLaunch)(Piece *, void *, int);

enum { NUMBERS = 1000 };

static int add(int piece, Group *group, void *data) {
    long *sums = data; /* each piece has its own, which the caller reads */
    long sum = 0;
    for (int n = piece; n < NUMBERS; n += group->pieces) sum += n;
    sums[piece] = sum;
    return 0;
}

static int fail(int piece, Group *group, void *data) {
    (void)group;
    (void)data;
    return piece ? 0 : -1;
}

static void *call(void *argument) {
    int number = *(int *)argument;
    for (int round = 0; round < 20; round++) {
        Running running[4] = {{0, 0, 0}}, *before;
        Pool *pool = pool_open(1 + (uint32_t)(number + round) % 4, 0, 0, running);
        if (!running_enter(running, &before)) return "there is no memory";
        for (int kernel = 0; kernel < 200; kernel++) {
            long sums[16] = {0}, sum = 0;
            if (__TVMBackendParallelLaunch(add, sums, 0)) return "a kernel failed";
            for (int piece = 0; piece < 16; piece++) sum += sums[piece];
            if (sum != (long)NUMBERS * (NUMBERS - 1) / 2) return "a sum is wrong";
            if (kernel % 50 == 0) nanosleep(&(struct timespec){0, 200000}, 0);
        }
        if (__TVMBackendParallelLaunch(fail, 0, 0) != -1) return "a failure is lost";
        running_leave(before);
        pool_close(pool);
    }
    return 0;
}

int main(void) {
    enum { CALLERS = 8 };
    pthread_t threads[CALLERS];
    int numbers[CALLERS], status = 0;
    for (int i = 0; i < CALLERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], 0, call, &numbers[i]);
    }
    for (int i = 0; i < CALLERS; i++) {
        void *said;
        pthread_join(threads[i], &said);
        if (said) {
            puts(said);
            status = 1;
        }
    }
    return status;
}
