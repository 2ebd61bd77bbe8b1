/* Show the libraries of this process a processor with fewer instructions than it has.

   Linux has the instruction CPUID raise SIGSEGV where a thread asks for it (arch_prctl(2),
   ARCH_SET_CPUID; threads that it starts inherit it, programs that it executes do not), and the
   handler here answers instead: what the processor says, less what is to be hidden. */

#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define ARCH_GET_XCOMP_PERM 0x1022
#define XFEATURE_XTILEDATA 18 /* the registers of AMX */

struct hidden {
    unsigned leaf, subleaf;
    unsigned bits[4]; /* of eax, ebx, ecx, edx */
};

static struct hidden table[16];
static int entries;
static struct sigaction before;

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (code[0] != 0x0f || code[1] != 0xa2) { /* a fault of another kind, which comes again */
        sigaction(SIGSEGV, &before, NULL);
        return;
    }
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX];
    unsigned values[4];
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, subleaf, values[0], values[1], values[2], values[3]);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    for (int i = 0; i < entries; i++)
        if (table[i].leaf == leaf && table[i].subleaf == subleaf)
            for (int j = 0; j < 4; j++) values[j] &= ~table[i].bits[j];
    registers[REG_RAX] = values[0];
    registers[REG_RBX] = values[1];
    registers[REG_RCX] = values[2];
    registers[REG_RDX] = values[3];
    registers[REG_RIP] += 2;
    (void)number, (void)info;
}

/* Hide the bits of so many entries from now on; 0, or -1 where it cannot be done. */
int hide(const struct hidden *wanted, int count) {
    if (count > (int)(sizeof table / sizeof *table)) return -1;
    memcpy(table, wanted, count * sizeof *table);
    entries = count;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    if (sigaction(SIGSEGV, &action, &before)) return -1;
    return syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) ? -1 : 0;
}

/* Whether this process asked Linux for the registers of AMX, without which it cannot use it. */
int uses_amx(void) {
    unsigned long permitted = 0;
    if (syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &permitted)) return 0;
    return permitted >> XFEATURE_XTILEDATA & 1;
}
