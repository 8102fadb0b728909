/* Each kernel runs its work `rounds` times and returns a checksum that depends on all of it. */
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>
/* Each kernel is run so often: the first time shows the warm-up, the best one the speed. */
#define REPETITIONS 20
typedef uint64_t (*kernel_fn)(uint32_t rounds);
struct kernel { const char *name; kernel_fn run; uint32_t rounds; };
extern const struct kernel kernels[];
extern const int kernel_count;

/* Runs work on the second processor; waits for its end. */
void other_cpu_start(void (*work)(void));
void other_cpu_wait(void);

/* Whether a kernel is asked for: ONLY, if given, is a part of the names of those that are. */
static inline int is_wanted(const char *name) {
#ifdef ONLY
    for (; *name; name++) {
        const char *n = name, *o = ONLY;
        while (*o && *n == *o) n++, o++;
        if (!*o) return 1;
    }
    return 0;
#else
    return *name != 0;
#endif
}

#ifdef BARE_METAL
uint64_t syscalls(uint32_t rounds);
uint64_t page_faults(uint32_t rounds);
uint64_t context_switches(uint32_t rounds);
#endif

/* Lines are "begin NAME NOW" and "end NAME CHECKSUM TICKS NOW": the time-stamp counter times a kernel,
 * because a busy host sees lines late; the first and the last line give its frequency. */
static inline uint64_t ticks(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
#endif
