/* A plugin of QEMU's user mode that counts how often each block of a program's code runs.
 *
 * The program begins and ends what is counted by the system call whose number is the argument `turn`,
 * and divides it into sections by that of the argument `mark`. At the end of each section what ran in
 * it is appended to the file that the argument `out` names, a line each, in hexadecimal:
 *
 *     b NUMBER ADDRESS BYTES BYTES ...    a block, before it is named first; its instructions
 *     e NUMBER THREAD COUNT               how often a thread ran it
 *     m                                   the end of the section
 *
 * A block is what QEMU translates at once, from one jump's target to the next jump. Nothing is told
 * of its instructions here. QEMU's header is not needed: what is used of its API (version 1, that of
 * QEMU 6 to 9.0: docs/devel/tcg-plugins.rst there) is declared below.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int,
                                          void *);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t,
                                                              uint64_t, uint64_t, uint64_t, uint64_t,
                                                              uint64_t, uint64_t, uint64_t));

EXPORT int qemu_plugin_version = 1;

enum { THREADS = 16 }; /* counted apart; a later one shares the place of an earlier */

typedef struct Block {
    struct Block *next;
    unsigned number;
    int named;
    uint64_t address;
    uint64_t counts[THREADS]; /* each is written by one thread */
    size_t length;
    struct {
        uint8_t size, bytes[4];
    } instructions[];
} Block;

static _Atomic(Block *) blocks;
static atomic_uint made;
static FILE *out;
static int64_t turn = -1, mark = -1;
static int counting;
static unsigned owner; /* the thread that began: others measure time for themselves */

static void runs(unsigned thread, void *block) { ((Block *)block)->counts[thread % THREADS]++; }

static void translated(plugin_id id, struct qemu_plugin_tb *code) {
    (void)id;
    size_t length = qemu_plugin_tb_n_insns(code);
    Block *block = calloc(1, sizeof *block + length * sizeof *block->instructions);
    if (!block) abort();
    block->number = atomic_fetch_add(&made, 1);
    block->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(code, 0));
    block->length = length;
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(code, i);
        size_t size = qemu_plugin_insn_size(instruction);
        block->instructions[i].size = (uint8_t)(size < 4 ? size : 4);
        memcpy(block->instructions[i].bytes, qemu_plugin_insn_data(instruction),
               block->instructions[i].size);
    }
    block->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &block->next, block)) {
    }
    qemu_plugin_register_vcpu_tb_exec_cb(code, runs, NO_REGISTERS, block);
}

static void name(Block *block) {
    block->named = 1;
    fprintf(out, "b %x %llx", block->number, (unsigned long long)block->address);
    for (size_t i = 0; i < block->length; i++) {
        fputc(' ', out);
        for (unsigned byte = 0; byte < block->instructions[i].size; byte++)
            fprintf(out, "%02x", block->instructions[i].bytes[byte]);
    }
    fputc('\n', out);
}

static void called(plugin_id id, unsigned thread, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != turn && !(number == mark && counting && thread == owner)) return;
    for (Block *block = atomic_load(&blocks); block; block = block->next)
        for (unsigned each = 0; each < THREADS; each++) {
            uint64_t count = block->counts[each];
            block->counts[each] = 0;
            if (!count || !counting) continue;
            if (!block->named) name(block);
            fprintf(out, "e %x %x %llx\n", block->number, each, (unsigned long long)count);
        }
    if (counting) fputs("m\n", out);
    if (number == turn) counting = !counting, owner = thread;
    fflush(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
    (void)info;
    for (int i = 0; i < count; i++) {
        if (!strncmp(arguments[i], "out=", 4)) out = fopen(arguments[i] + 4, "w");
        if (!strncmp(arguments[i], "turn=", 5)) turn = atoll(arguments[i] + 5);
        if (!strncmp(arguments[i], "mark=", 5)) mark = atoll(arguments[i] + 5);
    }
    if (!out) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
