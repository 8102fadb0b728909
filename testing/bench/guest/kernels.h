/* Each kernel runs its work `rounds` times and returns a checksum that depends on all of it. */
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>
typedef uint64_t (*kernel_fn)(uint32_t rounds);
struct kernel { const char *name; kernel_fn run; uint32_t rounds; };
extern const struct kernel kernels[];
extern const int kernel_count;
#endif
