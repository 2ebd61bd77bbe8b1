/* The runtime as a shared library that a program opens while it runs.
 *
 * `unload_test LIBRARY NAME` exits with 0 where the test passes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

enum { CALLERS = 4 };

static tvmlcnn_open_function *open_instance;
static tvmlcnn_run_function *run;
static tvmlcnn_threads_function *threads_of;
static tvmlcnn_close_function *close_instance;

static void *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fputs(dlerror(), stderr);
    CHECK(library);
    open_instance = (tvmlcnn_open_function *)dlsym(library, "tvmlcnn_open");
    run = (tvmlcnn_run_function *)dlsym(library, "tvmlcnn_run");
    threads_of = (tvmlcnn_threads_function *)dlsym(library, "tvmlcnn_threads");
    close_instance = (tvmlcnn_close_function *)dlsym(library, "tvmlcnn_close");
    CHECK(open_instance && run && threads_of && close_instance);
    return library;
}

static tvmlcnn_instance *opened(void) {
    tvmlcnn_instance *instance;
    CHECK(!open_instance(&(tvmlcnn_options){3, 0, 0}, &instance));
    return instance;
}

static void *use(void *argument) {
    tvmlcnn_instance *instance = opened();
    for (int i = 0; i < 50; i++) check_run(run, instance, (float)i);
    close_instance(instance);
    return argument;
}

static void several(void) {
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++) CHECK(!pthread_create(&threads[i], 0, use, 0));
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], 0);
}

/* More often than a process has keys for its threads' data. */
static void again_and_again(const char *path) {
    for (int i = 0; i < 1500; i++) {
        void *library = load(path);
        tvmlcnn_instance *instance = opened();
        CHECK(threads_of(instance) == 3);
        check_run(run, instance, (float)i);
        close_instance(instance);
        CHECK(!dlclose(library));
    }
    CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
}

/* Where other libraries have all keys, calls have one thread and wait for each other. */
static void without_keys(const char *path) {
    pthread_key_t key;
    while (!pthread_key_create(&key, 0));
    load(path);
    tvmlcnn_instance *instance = opened();
    CHECK(threads_of(instance) == 1);
    close_instance(instance);
    several();
}

static void *run_on(void *argument) {
    tvmlcnn_instance *instance = opened();
    for (int i = 0;; i++) check_run(run, instance, (float)(i % 100));
    return argument;
}

/* The program ends while its threads run kernels, and lingers where the library says so. */
static void exit_in_a_run(const char *path) {
    load(path);
    pthread_t thread;
    for (int i = 0; i < CALLERS; i++) CHECK(!pthread_create(&thread, 0, run_on, 0));
    usleep(20000);
}


int main(int count, char **arguments) {
    CHECK(count == 3);
    if (!strcmp(arguments[2], "again_and_again")) again_and_again(arguments[1]);
    if (!strcmp(arguments[2], "without_keys")) without_keys(arguments[1]);
    if (!strcmp(arguments[2], "exit_in_a_run")) exit_in_a_run(arguments[1]);
    return 0;
}
