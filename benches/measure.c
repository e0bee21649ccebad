/* SPDX-License-Identifier: MIT
 *
 * The instruments of measure.h.
 */
#define _GNU_SOURCE
#include "measure.h"

#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t thread_cpu_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void sleep_ns(uint64_t ns) {
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    nanosleep(&time, NULL);
}

unsigned cores(void) {
    cpu_set_t set;
    REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
    return (unsigned)CPU_COUNT(&set);
}

_Thread_local struct counter *my_counter;
static struct counter *_Atomic counters;

struct counter *counter_register(void) {
    struct counter *counter = aligned_alloc(_Alignof(struct counter), sizeof *counter);
    REQUIRE(counter != NULL);
    atomic_init(&counter->ran, 0);
    counter->next = atomic_load(&counters);
    while (!atomic_compare_exchange_weak(&counters, &counter->next, counter)) {
    }
    my_counter = counter;
    return counter;
}

uint64_t tasks_ran(void) {
    uint64_t sum = 0;
    for (struct counter *counter = atomic_load(&counters); counter != NULL; counter = counter->next) {
        sum += atomic_load_explicit(&counter->ran, memory_order_acquire);
    }
    return sum;
}

uint64_t wait_tasks_ran(uint64_t target, uint64_t count, uint64_t since) {
    for (;;) {
        uint64_t ran = tasks_ran(), now = now_ns();
        if (ran >= target) {
            REQUIRE(ran == target);
            return now;
        }
        /* Half of the time that it will take at this rate; not too much of the time until now, if the rate changes. */
        uint64_t left = target - ran, done = left < count ? count - left : 0, passed = now - since;
        uint64_t half = passed * left / (done + 1) / 2, most = passed / 16;
        uint64_t pause = half < most ? half : most;
        sleep_ns(pause < 10000 ? 10000 : pause);
    }
}

uint64_t steps_for(uint64_t ns) {
    enum { STEPS = 400000, TRIES = 5 };
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        uint64_t begin = now_ns();
        burn(STEPS);
        uint64_t took = now_ns() - begin;
        best = took < best ? took : best;
    }
    return ns * STEPS / best;
}

void run_work(struct job *job) {
    struct work *work = (struct work *)job;
    burn(work->steps);
    if (work->bound != NULL) {
        sem_post(work->bound);
    }
    count_task();
}

static uint64_t nanoseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

struct usage usage_now(void) {
    struct rusage usage;
    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return (struct usage){.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
                          .switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw)};
}

struct usage usage_since(struct usage before) {
    struct usage now = usage_now();
    return (struct usage){.cpu_ns = now.cpu_ns - before.cpu_ns, .switches = now.switches - before.switches};
}

uint64_t resident_bytes(void) {
    /* Not /proc/self/statm, which lags behind by some pages for each processor. */
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    REQUIRE(file != NULL);
    char line[256];
    unsigned long kib = 0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Rss: %lu", &kib) != 1) {
    }
    fclose(file);
    REQUIRE(kib != 0);
    return (uint64_t)kib * 1024;
}

static const char *separator;

void record_begin(void) {
    separator = "{";
}

static void record_name(const char *name) {
    printf("%s\"%s\": ", separator, name);
    separator = ", ";
}

void record_number(const char *name, double value) {
    record_numbers(name, &value, 1);
}

void record_numbers(const char *name, const double *values, size_t count) {
    record_name(name);
    for (size_t i = 0; i < count; i++) {
        printf("%s%.6g", count == 1 ? "" : i == 0 ? "[" : ", ", values[i]);
    }
    printf("%s", count == 1 ? "" : "]");
}

void record_text(const char *name, const char *value) {
    record_name(name);
    printf("\"%s\"", value);
}

void record_end(void) {
    puts("}");
}
