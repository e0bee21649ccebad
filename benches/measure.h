/* SPDX-License-Identifier: MIT
 *
 * The instruments: clock, counters of tasks, calibrated busy work, what the process used, and the record that is printed.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"

/* Ends the program with a message: a figure of a run that went wrong is worth nothing. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition);                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

uint64_t now_ns(void);
uint64_t thread_cpu_ns(void);
void sleep_ns(uint64_t ns);
unsigned cores(void);

/* Tells the processor that this is a waiting loop. */
static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Tasks that have run, counted by each thread for itself on a cache line of its own: one counter for all would cost more
 * than the pools that are measured. */
struct counter {
    _Alignas(128) _Atomic uint64_t ran;
    struct counter *next;
};
extern _Thread_local struct counter *my_counter;
struct counter *counter_register(void);

static inline void count_task(void) {
    struct counter *counter = my_counter != NULL ? my_counter : counter_register();
    uint64_t ran = atomic_load_explicit(&counter->ran, memory_order_relaxed);
    atomic_store_explicit(&counter->ran, ran + 1, memory_order_release);
}
uint64_t tasks_ran(void);
/* Sleeps until so many have run since the program began, and returns the time; `since` is when the first of the last
 * `count` was submitted. It looks ever more often towards the end, at last every 10 us. */
uint64_t wait_tasks_ran(uint64_t target, uint64_t count, uint64_t since);

/* Busy work: a chain of multiplications, which no other thread can slow by memory or by sharing a core's units. */
static inline void burn(uint64_t steps) {
    uint64_t x = steps;
    for (uint64_t i = 0; i < steps; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
}
uint64_t steps_for(uint64_t ns);

/* The usual task: burns, and counts itself. `bound` is what users put before a pool that has no bound. */
struct work {
    struct job job;
    uint64_t steps;
    sem_t *bound;
};
void run_work(struct job *job);

/* What the process has used so far. */
struct usage {
    uint64_t cpu_ns;
    uint64_t switches;
};
struct usage usage_now(void);
struct usage usage_since(struct usage before);
uint64_t resident_bytes(void);

/* The record: one JSON object on one line of stdout. */
void record_begin(void);
void record_number(const char *name, double value);
void record_numbers(const char *name, const double *values, size_t count);
void record_text(const char *name, const char *value);
void record_end(void);

#endif
