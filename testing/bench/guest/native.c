/* The same kernels as a process of the host: the native times and the expected checksums. */
#include <stdio.h>
#include "kernels.h"

int main(void) {
    for (int i = 0; i < kernel_count; i++) {
        printf("begin %s\n", kernels[i].name);
        fflush(stdout);
        uint64_t sum = kernels[i].run(kernels[i].rounds);
        printf("end %s %016lx\n", kernels[i].name, (unsigned long)sum);
        fflush(stdout);
    }
    puts("done");
    return 0;
}
