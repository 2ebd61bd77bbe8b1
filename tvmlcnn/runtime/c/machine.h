/* What the machine has: features of its processor, and CPUs. */
#ifndef TVMLCNN_MACHINE_H
#define TVMLCNN_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* Tell whether the processor has a feature, by the name that Linux gives it. */
int has_feature(const char *name);

enum { MOST_CPUS = 1024 };

/* Write the CPUs that this thread may run on, of the fastest kind among them; return how many. */
size_t fastest_cpus(uint32_t cpus[MOST_CPUS]);

#endif
