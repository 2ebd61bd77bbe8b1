/* Functions of the C library, where the loader has not found them.
 *
 * The file names no library, for the C library is called libc.so.6 by glibc and libc.so by Android's
 * bionic. glibc and musl look for functions in all that the program has loaded; bionic only in what
 * a library itself names (linker/linker.cpp, find_libraries: the global group and the local group).
 * All that the file takes is weak, so that bionic loads it nevertheless, and here, before anything
 * else of it runs, what is missing is looked up in bionic's libc.so, which every process has.
 *
 * Sources: System V ABI, chapter 5; link.h, for how debuggers find the libraries of a process.
 */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)
extern ElfW(Dyn) _DYNAMIC[];
extern const char __ehdr_start[]; /* where the file lies; the linker defines it */
#pragma GCC visibility pop

#if defined(__LP64__)
typedef ElfW(Rela) Relocation;
enum { TABLE = DT_RELA, TABLE_BYTES = DT_RELASZ };
#define SYMBOL_OF(info) ((info) >> 32)
#else
typedef ElfW(Rel) Relocation;
enum { TABLE = DT_REL, TABLE_BYTES = DT_RELSZ };
#define SYMBOL_OF(info) ((info) >> 8)
#endif

/* A library by its dynamic section. */
typedef struct {
    uintptr_t base;
    const ElfW(Dyn) *entries;
    const ElfW(Sym) *symbols;
    const char *names;
} Image;

static uintptr_t value(const Image *image, ElfW(Sxword) tag) {
    for (const ElfW(Dyn) *entry = image->entries; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag) return entry->d_un.d_ptr;
    return 0;
}

/* An address; glibc writes it into the section, other loaders leave the distance from the base. */
static const void *address(const Image *image, ElfW(Sxword) tag) {
    uintptr_t found = value(image, tag);
    return (const void *)(found && found < image->base ? found + image->base : found);
}

static Image image_of(uintptr_t base, const ElfW(Dyn) *entries) {
    Image image = {base, entries, 0, 0};
    image.symbols = address(&image, DT_SYMTAB);
    image.names = address(&image, DT_STRTAB);
    return image;
}

static int same(const char *one, const char *other) {
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

/* The number of symbols: of a table of GNU's, one more than the last of any bucket's. */
static uint32_t symbol_count(const Image *image) {
    const uint32_t *hash = address(image, DT_HASH);
    if (hash) return hash[1];
    const uint32_t *gnu = address(image, DT_GNU_HASH);
    if (!gnu) return 0;
    const uint32_t *buckets = gnu + 4 + gnu[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + gnu[0] - gnu[1];
    uint32_t last = 0;
    for (uint32_t bucket = 0; bucket < gnu[0]; bucket++)
        if (buckets[bucket] > last) last = buckets[bucket];
    if (last < gnu[1]) return 0;
    while (!(chains[last] & 1)) last++;
    return last + 1;
}

static uintptr_t find(const Image *library, const char *name) {
    uint32_t count = symbol_count(library);
    for (uint32_t i = 0; i < count; i++) {
        const ElfW(Sym) *symbol = &library->symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && same(library->names + symbol->st_name, name))
            return library->base + symbol->st_value;
    }
    return 0;
}

/* Return the libraries of the process, from what the kernel told it of its program. */
static const struct link_map *libraries(char **environment) {
    while (*environment) environment++;
    const ElfW(Phdr) *headers = 0;
    size_t count = 0;
    for (const ElfW(auxv_t) *each = (void *)(environment + 1); each->a_type != AT_NULL; each++) {
        if (each->a_type == AT_PHDR) headers = (const void *)each->a_un.a_val;
        if (each->a_type == AT_PHNUM) count = each->a_un.a_val;
    }
    uintptr_t base = 0;
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_PHDR) base = (uintptr_t)headers - headers[i].p_vaddr;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type != PT_DYNAMIC) continue;
        const Image program = {base, (const void *)(base + headers[i].p_vaddr), 0, 0};
        const struct r_debug *debug = (const void *)value(&program, DT_DEBUG);
        if (debug) return debug->r_map;
    }
    return 0;
}

static const struct link_map *bionic(char **environment) {
    for (const struct link_map *each = libraries(environment); each; each = each->l_next) {
        const char *name = each->l_name;
        for (const char *at = name; at && *at; at++)
            if (*at == '/') name = at + 1;
        if (name && same(name, "libc.so")) return each;
    }
    return 0;
}

/* The arguments are main's; musl gives none, but it finds all functions itself. What the kernel wrote
 * stays behind the words of the command: setenv may have moved the environment elsewhere. */
__attribute__((constructor(101))) static void resolve(int count, char **words) {
    const Image own = image_of((uintptr_t)__ehdr_start, _DYNAMIC);
    const struct link_map *map = 0;
    Image library = {0};
    const struct {
        const Relocation *first;
        size_t bytes;
    } tables[] = {{address(&own, TABLE), value(&own, TABLE_BYTES)},
                  {address(&own, DT_JMPREL), value(&own, DT_PLTRELSZ)}};
    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++) {
        for (size_t i = 0; i < tables[t].bytes / sizeof(Relocation); i++) {
            const Relocation *each = &tables[t].first[i];
            const ElfW(Sym) *symbol = &own.symbols[SYMBOL_OF(each->r_info)];
            uintptr_t *place = (uintptr_t *)(own.base + each->r_offset);
            if (!SYMBOL_OF(each->r_info) || symbol->st_shndx != SHN_UNDEF || *place) continue;
            if (!map) {
                map = bionic(words + count + 1);
                if (!map) return;
                library = image_of(map->l_addr, map->l_ld);
            }
            *place = find(&library, own.names + symbol->st_name);
        }
    }
}
