// Watches that no clock steps back: clocks COUNT STOP
// Until the file STOP is there it goes round and round; the file COUNT says how often, and how often
// the TSC, CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW have stepped back. For one processor: those of
// several processors need not have the same TSC.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

typedef unsigned long long u64;

static u64 nanos(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static u64 tsc(void) {
    _mm_lfence();
    return __rdtsc();
}

static int steps_back(u64 *last, u64 now) {
    int back = now < *last;
    *last = now;
    return back;
}

int main(int argc, char **argv) {
    u64 rounds = 0, last_tsc = 0, last_monotonic = 0, last_raw = 0;
    u64 tsc_back = 0, monotonic_back = 0, raw_back = 0;
    int count = argc == 3 ? open(argv[1], O_CREAT | O_RDWR, 0644) : -1;
    if (count < 0 || nice(19) != 19) return 2;
    do {
        tsc_back += steps_back(&last_tsc, tsc());
        monotonic_back += steps_back(&last_monotonic, nanos(CLOCK_MONOTONIC));
        raw_back += steps_back(&last_raw, nanos(CLOCK_MONOTONIC_RAW));
        rounds++;
        if (rounds % 32 == 0) {
            char text[100];
            int length = snprintf(text, sizeof text, "%020llu tsc %llu monotonic %llu raw %llu\n",
                                  rounds, tsc_back, monotonic_back, raw_back);
            if (pwrite(count, text, length, 0) != length) return 3;
        }
    } while (rounds % 32 != 0 || access(argv[2], F_OK) != 0);
    return 0;
}
