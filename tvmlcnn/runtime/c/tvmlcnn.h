/* A network that tvmlcnn compiled, called from C.
 *
 * Each compiled file is a shared library that exports these functions and needs nothing but the C
 * library and, for a GPU, NVIDIA's driver. Open it while the program runs:
 *
 *     void *file = dlopen("./mobilenet_v2-x86.so", RTLD_NOW | RTLD_LOCAL);
 *     tvmlcnn_open_function *open = (tvmlcnn_open_function *)dlsym(file, "tvmlcnn_open");
 *     ...
 *
 * (all have the same names: two files in one program need RTLD_LOCAL), or link the program with it,
 * and with -pthread: before glibc 2.34, a program without that has networks run on one thread. Then
 *
 *     tvmlcnn_instance *instance;
 *     if (tvmlcnn_open(NULL, &instance)) puts(tvmlcnn_error(instance));
 *     const void *inputs[] = {pixels};
 *     void *outputs[] = {scores};
 *     if (tvmlcnn_run(instance, 0, inputs, outputs)) puts(tvmlcnn_error(instance));
 *     tvmlcnn_close(instance);
 *
 * An instance runs one call at a time. Instances of one file share its code and weights; each has
 * threads and a workspace of its own, so that several run at the same time: one for each thread of
 * the program that calls. Close all of them before dlclose. The other functions may be called from
 * any thread at any time.
 *
 * A network for a GPU runs on that of the CUDA context which is current when an instance is opened,
 * or else on the first one, in the GPU's primary context; which context is current stays as it is.
 */
#ifndef TVMLCNN_H
#define TVMLCNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TVMLCNN_API __attribute__((visibility("default")))

/* The version of what this header declares. A file of another one is not called through it. */
#define TVMLCNN_ABI 1

/* What functions return; tvmlcnn_error says more. */
enum {
    TVMLCNN_OK = 0,
    TVMLCNN_INVALID = 1,     /* an argument that does not fit */
    TVMLCNN_NO_MEMORY = 2,   /* of the host or the GPU */
    TVMLCNN_UNSUPPORTED = 3, /* the processor or GPU lacks what the file needs */
    TVMLCNN_BUSY = 4,        /* another call of the instance runs */
    TVMLCNN_FORKED = 5,      /* the instance was opened by a parent process; open another */
    TVMLCNN_FAILED = 6,      /* a kernel or the GPU failed */
    TVMLCNN_DAMAGED = 7      /* the file is not what was compiled, or a debugger has breakpoints in it */
};

typedef struct tvmlcnn_instance tvmlcnn_instance;

/* Zeros are defaults; where a GPU computes, the others do nothing. */
typedef struct {
    uint32_t threads;     /* of a call, the caller's included; 0: what the file was compiled for */
    const uint32_t *cpus; /* CPUs that the threads which the instance starts may run on */
    size_t cpu_count;     /* 0: those of the thread that opens it, of the fastest kind there */
} tvmlcnn_options;

/* An input or output. Elements lie in row-major order without gaps; a bool is a byte. It is there as
 * long as the file is open. */
typedef struct {
    const char *name;
    const char *dtype;    /* as numpy's: "float32", "int64", "bool", ... */
    uint32_t rank;        /* 0: one element */
    const int64_t *shape; /* of `rank` numbers */
    size_t bytes;         /* of the whole tensor */
} tvmlcnn_tensor;

/* Called after each kernel of a run, and before the first with `call` 0. */
typedef void tvmlcnn_hook(void *context, size_t call);

/* The TVMLCNN_ABI of the file. */
TVMLCNN_API int tvmlcnn_abi(void);

/* What the file says of itself, `*bytes` of JSON in UTF-8, without a zero at its end. */
TVMLCNN_API const char *tvmlcnn_manifest(size_t *bytes);

/* The number of programs: one for each size of the inputs that the file was compiled for, mostly one.
 * They are counted from 0. */
TVMLCNN_API size_t tvmlcnn_programs(void);

/* The inputs and outputs of a program, an array of `*count`; NULL and 0 for one that is not there. */
TVMLCNN_API const tvmlcnn_tensor *tvmlcnn_inputs(size_t program, size_t *count);
TVMLCNN_API const tvmlcnn_tensor *tvmlcnn_outputs(size_t program, size_t *count);

/* Open an instance; NULL stands for options of zeros. The first one of a process reads all of the
 * file's code and weights, to tell whether they are what was compiled. Where it fails, the instance is good for
 * nothing but tvmlcnn_error and tvmlcnn_close; without memory even for that it is NULL, which both
 * take. */
TVMLCNN_API int tvmlcnn_open(const tvmlcnn_options *options, tvmlcnn_instance **instance);

/* The threads of a call. */
TVMLCNN_API uint32_t tvmlcnn_threads(const tvmlcnn_instance *instance);

/* Run a program: `inputs` and `outputs` have an address for each of its tensors, in their order, of
 * a buffer of `bytes`. It may be any that the elements may have; an output overlaps neither an input
 * nor another output. Outputs are whole when it returns 0, and undefined where it fails. */
TVMLCNN_API int tvmlcnn_run(tvmlcnn_instance *instance, size_t program, const void *const *inputs,
                            void *const *outputs);

/* A picture as a camera gives it: rows of pixels, from the top, the bytes of whose channels (red, green,
 * blue) lie one after the other. */
typedef struct {
    const uint8_t *pixels;
    uint32_t width, height;
    size_t stride; /* bytes from a row to the next one; 0: there are no gaps */
} tvmlcnn_frame;

/* Where a frame lies in the input: a place (x, y) of the input, in pixels from its left upper corner, is
 * ((x + left) / scale_x, (y + top) / scale_y) of the frame. */
typedef struct {
    double scale_x, scale_y, left, top;
} tvmlcnn_placement;

/* These two are only in files that were compiled with --resize.
 *
 * Run a program on frames of any size up to TVMLCNN_MOST_PIXELS along a side: one for each picture of the
 * input's batch, each of its own size. They are resized, and cropped or given borders, as the network was
 * trained for; outputs are as tvmlcnn_run's, which takes frames that were fitted already. Memory
 * is allocated for a fitted input, and given back. */
enum { TVMLCNN_MOST_PIXELS = 1 << 16 };
TVMLCNN_API int tvmlcnn_run_frames(tvmlcnn_instance *instance, size_t program, const tvmlcnn_frame *frames,
                                   void *const *outputs);
TVMLCNN_API int tvmlcnn_place(uint32_t width, uint32_t height, tvmlcnn_placement *placement);

/* Call a function around each kernel of the runs to come; NULL for none. TVMLCNN_BUSY in a run. */
TVMLCNN_API int tvmlcnn_observe(tvmlcnn_instance *instance, tvmlcnn_hook *hook, void *context);

/* A hook that notes the time: `context` is a tvmlcnn_times, whose array has room for a number more
 * than there are calls of kernels. */
typedef struct {
    int32_t clock; /* of clock_gettime */
    int64_t *nanoseconds;
} tvmlcnn_times;
TVMLCNN_API void tvmlcnn_note_time(void *context, size_t call);

/* Only in files for a GPU. Time a program on the GPU by its own events, some rounds in a row: for each
 * of them 2 n numbers, of a program of n > 0 calls of kernels. The first is how long all takes, copies of inputs
 * and outputs too, as it runs by itself; then come, of a run with events in it, the first call, the gap
 * behind it, the second call, and so on. */
TVMLCNN_API int tvmlcnn_gpu_times(tvmlcnn_instance *instance, size_t program, const void *const *inputs,
                                  size_t rounds, float *microseconds);

/* Why the last call of the instance failed, in one line; empty if it did not. The text is the
 * instance's, until its next call; a call that found it busy leaves what is there. */
TVMLCNN_API const char *tvmlcnn_error(const tvmlcnn_instance *instance);

/* End the threads of an instance that does not run, and free what it has. NULL is passed over. */
TVMLCNN_API void tvmlcnn_close(tvmlcnn_instance *instance);

/* The types of the functions above, for dlsym. */
typedef int tvmlcnn_abi_function(void);
typedef const char *tvmlcnn_manifest_function(size_t *);
typedef size_t tvmlcnn_programs_function(void);
typedef const tvmlcnn_tensor *tvmlcnn_tensors_function(size_t, size_t *);
typedef int tvmlcnn_open_function(const tvmlcnn_options *, tvmlcnn_instance **);
typedef uint32_t tvmlcnn_threads_function(const tvmlcnn_instance *);
typedef int tvmlcnn_run_function(tvmlcnn_instance *, size_t, const void *const *, void *const *);
typedef int tvmlcnn_run_frames_function(tvmlcnn_instance *, size_t, const tvmlcnn_frame *, void *const *);
typedef int tvmlcnn_place_function(uint32_t, uint32_t, tvmlcnn_placement *);
typedef int tvmlcnn_observe_function(tvmlcnn_instance *, tvmlcnn_hook *, void *);
typedef void tvmlcnn_note_time_function(void *, size_t);
typedef int tvmlcnn_gpu_times_function(tvmlcnn_instance *, size_t, const void *const *, size_t, float *);
typedef const char *tvmlcnn_error_function(const tvmlcnn_instance *);
typedef void tvmlcnn_close_function(tvmlcnn_instance *);

#ifdef __cplusplus
}
#endif
#endif
