/* A hash of what is mapped, as tvmlcnn/package/checksums.py notes it in the file.
 *
 * It is to find what cards and cables do to a file, and not what somebody does who means it. Each word
 * of 64 bits goes into one of many lanes, in turns, by steps that no change of one word leaves as they
 * were: lanes wait for the memory, not for each other's multiplications.
 */
#include "intact.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#pragma GCC visibility push(hidden)
extern const char __ehdr_start[]; /* where the file lies; the linker defines it */
extern const char tvmlcnn_checksum_section[], tvmlcnn_checksum_section_end[];
#pragma GCC visibility pop

enum { LANES = 512, BLOCK = 8 * LANES, TURN = 29, NOTED = 40 /* where in the section */ };
static const uint64_t FACTOR = UINT64_C(0x9E3779B97F4A7C15); /* odd: 2^64 over the golden ratio */

static uint64_t mixed(uint64_t hash, uint64_t word) {
    hash ^= word;
    return (hash << TURN | hash >> (64 - TURN)) * FACTOR;
}

static void block(uint64_t *lanes, const char *bytes) {
    for (int i = 0; i < LANES; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, 8);
        lanes[i] = mixed(lanes[i], word);
    }
}

/* What is no whole block is filled up with zeros. */
static void piece(uint64_t *lanes, const char *from, const char *to) {
    for (; to - from >= BLOCK; from += BLOCK) block(lanes, from);
    char rest[BLOCK] = {0};
    if (to <= from) return;
    memcpy(rest, from, (size_t)(to - from));
    block(lanes, rest);
}

static uint64_t found(void) {
    uint64_t lanes[LANES] = {0}, hash = 0;
    const ElfW(Ehdr) *header = (const void *)__ehdr_start;
    const ElfW(Phdr) *each = (const void *)(__ehdr_start + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++, each++) {
        if (each->p_type != PT_LOAD || each->p_flags & PF_W) continue;
        const char *from = __ehdr_start + each->p_vaddr, *to = from + each->p_filesz;
        if (from <= tvmlcnn_checksum_section && tvmlcnn_checksum_section < to) {
            piece(lanes, from, tvmlcnn_checksum_section);
            from = tvmlcnn_checksum_section_end;
        }
        piece(lanes, from, to);
    }
    for (int i = 0; i < LANES; i++) hash = mixed(hash, lanes[i]);
    return hash;
}

int intact(void) {
    static atomic_int known; /* 1: it is; 2: it is not */
    if (!known) {
        uint64_t noted;
        memcpy(&noted, tvmlcnn_checksum_section + NOTED, sizeof(noted));
        known = found() == noted ? 1 : 2;
    }
    return known == 1;
}
