/* The same kernels as a process of the host: the native times and the expected checksums. */
#include <pthread.h>
#include <stdio.h>
#include "kernels.h"

static pthread_t other;
static void (*other_work)(void);
static void *other_main(void *unused) {
    other_work();
    return unused;
}
void other_cpu_start(void (*work)(void)) {
    other_work = work;
    pthread_create(&other, 0, other_main, 0);
}
void other_cpu_wait(void) { pthread_join(other, 0); }

int main(void) {
    for (int i = 0; i < kernel_count * REPETITIONS; i++) {
        const struct kernel *k = &kernels[i / REPETITIONS];
        if (!is_wanted(k->name)) continue;
        printf("begin %s %016lx\n", k->name, (unsigned long)ticks());
        fflush(stdout);
        uint64_t start = ticks();
        uint64_t sum = k->run(k->rounds);
        uint64_t end = ticks();
        printf("end %s %016lx %016lx %016lx\n", k->name, (unsigned long)sum,
               (unsigned long)(end - start), (unsigned long)ticks());
        fflush(stdout);
    }
    puts("done");
    return 0;
}
