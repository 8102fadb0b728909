/* The same kernels as a process of the host: the native times and the expected checksums. */
#include <stdio.h>
#include "kernels.h"

int main(void) {
    for (int i = 0; i < kernel_count * REPETITIONS; i++) {
        const struct kernel *k = &kernels[i / REPETITIONS];
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
