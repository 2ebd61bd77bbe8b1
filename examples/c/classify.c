/* Run a network that tvmlcnn compiled:
 *
 *     classify FILE.so INPUT.npy ...
 *
 * It opens the file, says what goes in and out, reads one array for each input (numpy's .npy, or the
 * bare bytes), and prints the five best classes with their labels, or the range of each output.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tvmlcnn.h"

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "error: ");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *symbol(void *file, const char *name) {
    void *found = dlsym(file, name);
    if (!found) fail("no compiled network: %s", dlerror());
    return found;
}

static void describe(const char *what, const tvmlcnn_tensor *tensor) {
    printf("%s %s: %s", what, tensor->name, tensor->dtype);
    for (uint32_t axis = 0; axis < tensor->rank; axis++)
        printf("%c%lld", axis ? 'x' : ' ', (long long)tensor->shape[axis]);
    putchar('\n');
}

/* Read an input, of which the file has either a header of numpy's or nothing but the elements. */
static void *read_input(const char *path, const tvmlcnn_tensor *tensor) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot read %s", path);
    unsigned char head[12];
    size_t start = 0;
    /* github.com/numpy/numpy, numpy/lib/format.py: magic, version, length of the header, header */
    if (fread(head, 1, sizeof(head), file) == sizeof(head) && !memcmp(head, "\x93NUMPY", 6)) {
        start = head[6] == 1 ? 10 + (head[8] | (size_t)head[9] << 8)
                             : 12 + (head[8] | head[9] << 8 | (size_t)head[10] << 16 | (size_t)head[11] << 24);
    }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    if (size < 0 || (size_t)size - start != tensor->bytes)
        fail("%s has %ld bytes of elements, %s takes %zu", path, size - (long)start, tensor->name, tensor->bytes);
    void *elements = malloc(tensor->bytes);
    fseek(file, (long)start, SEEK_SET);
    if (!elements || fread(elements, 1, tensor->bytes, file) != tensor->bytes) fail("cannot read %s", path);
    fclose(file);
    return elements;
}

/* Return the text of a label of the manifest, or NULL where it has none. `"labels"` is followed by a
 * list of strings in JSON, or by null; quotes in other strings of the manifest have a backslash. */
static const char *label(const char *manifest, size_t bytes, size_t class, char *text, size_t room) {
    static const char key[] = "\"labels\": [";
    const char *end = manifest + bytes, *at = manifest;
    while (at + sizeof(key) < end && memcmp(at, key, sizeof(key) - 1)) at++;
    if (at + sizeof(key) >= end) return NULL;
    at += sizeof(key) - 1;
    for (size_t number = 0; at < end && *at == '"'; number++) {
        size_t length = 0;
        for (at++; at < end && *at != '"'; at++) {
            if (*at == '\\') at++;
            if (length + 1 < room) text[length++] = *at;
        }
        text[length] = 0;
        if (number == class) return text;
        at += 3; /* the quote, a comma and a space */
    }
    return NULL;
}

/* Print the best classes, as probabilities: where scores are none, softmax makes some of them. */
static void print_best(const float *scores, size_t count, const char *manifest, size_t bytes) {
    double sum = 0, largest = scores[0], least = scores[0], all = 0;
    for (size_t i = 0; i < count; i++) {
        sum += scores[i];
        if (scores[i] > largest) largest = scores[i];
        if (scores[i] < least) least = scores[i];
    }
    int probabilities = least >= 0 && fabs(sum - 1) < 1e-3;
    for (size_t i = 0; i < count; i++) all += exp(scores[i] - largest);
    char *taken = calloc(count, 1), text[128];
    for (int rank = 0; taken && rank < 5 && (size_t)rank < count; rank++) {
        size_t best = count;
        for (size_t i = 0; i < count; i++)
            if (!taken[i] && (best == count || scores[i] > scores[best])) best = i;
        taken[best] = 1;
        double value = probabilities ? scores[best] : exp(scores[best] - largest) / all;
        printf("%.3f  %s\n", value, label(manifest, bytes, best, text, sizeof(text)));
    }
    free(taken);
}

static void print_range(const tvmlcnn_tensor *tensor, const float *values) {
    float least = INFINITY, largest = -INFINITY;
    for (size_t i = 0; i < tensor->bytes / sizeof(float); i++) {
        least = fminf(least, values[i]);
        largest = fmaxf(largest, values[i]);
    }
    printf("%s: from %.4g to %.4g\n", tensor->name, least, largest);
}

int main(int count, char **words) {
    if (count < 2) fail("give a compiled file, and an array for each input");
    void *file = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
    if (!file) fail("%s", dlerror());
    tvmlcnn_abi_function *abi = (tvmlcnn_abi_function *)symbol(file, "tvmlcnn_abi");
    if (abi() != TVMLCNN_ABI) fail("%s is of another version of tvmlcnn; compile it again", words[1]);
    tvmlcnn_manifest_function *manifest_of = (tvmlcnn_manifest_function *)symbol(file, "tvmlcnn_manifest");
    tvmlcnn_tensors_function *inputs_of = (tvmlcnn_tensors_function *)symbol(file, "tvmlcnn_inputs");
    tvmlcnn_tensors_function *outputs_of = (tvmlcnn_tensors_function *)symbol(file, "tvmlcnn_outputs");
    tvmlcnn_open_function *open = (tvmlcnn_open_function *)symbol(file, "tvmlcnn_open");
    tvmlcnn_run_function *run = (tvmlcnn_run_function *)symbol(file, "tvmlcnn_run");
    tvmlcnn_error_function *error = (tvmlcnn_error_function *)symbol(file, "tvmlcnn_error");
    tvmlcnn_close_function *close = (tvmlcnn_close_function *)symbol(file, "tvmlcnn_close");

    /* Program 0: a file that was compiled for one size of its inputs has no other. */
    size_t input_count, output_count, bytes;
    const tvmlcnn_tensor *inputs = inputs_of(0, &input_count);
    const tvmlcnn_tensor *outputs = outputs_of(0, &output_count);
    const char *manifest = manifest_of(&bytes);
    for (size_t i = 0; i < input_count; i++) describe("input", &inputs[i]);
    for (size_t i = 0; i < output_count; i++) describe("output", &outputs[i]);
    if ((size_t)count - 2 != input_count) fail("give %zu arrays", input_count);

    /* The buffers are the program's own; nothing is copied on the way in or out. */
    void **from = calloc(input_count + 1, sizeof(void *)), **to = calloc(output_count + 1, sizeof(void *));
    if (!from || !to) fail("no memory");
    for (size_t i = 0; i < input_count; i++) from[i] = read_input(words[2 + i], &inputs[i]);
    for (size_t i = 0; i < output_count; i++)
        if (!(to[i] = malloc(outputs[i].bytes))) fail("no memory");

    tvmlcnn_instance *instance;
    if (open(NULL, &instance)) fail("%s", error(instance));
    /* As often as there is something new in `from`. */
    if (run(instance, 0, (const void *const *)from, to)) fail("%s", error(instance));
    close(instance);

    char text[2];
    for (size_t i = 0; i < output_count; i++) {
        if (strcmp(outputs[i].dtype, "float32")) continue;
        if (i == 0 && label(manifest, bytes, 0, text, sizeof(text)))
            print_best(to[i], outputs[i].bytes / sizeof(float), manifest, bytes);
        else
            print_range(&outputs[i], to[i]);
    }
    for (size_t i = 0; i < input_count; i++) free(from[i]);
    for (size_t i = 0; i < output_count; i++) free(to[i]);
    free(from), free(to);
    dlclose(file);
    return 0;
}
