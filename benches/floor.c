/* SPDX-License-Identifier: MIT
 *
 * What no pool can be below: the same measurements without any pool, called like a peer.
 *
 *     floor ring        one thread pushes a task on a ring, pops it and calls it: a ring for one thread ("plain"),
 *                       and one that many could use ("shared": compare-and-swap and a stamp in each slot)
 *     floor line        a cache line there and back between two threads; and what two looks at the clock take
 *     floor throughput  the tasks alone, divided among as many threads, submitted by nobody; all of one kind
 *     floor idle        the process alone
 */
#include "measure.h"

#include <pthread.h>
#include <string.h>

enum { RING = 1024, BATCH = 64 };

static struct {
    struct job *jobs[RING];
    size_t head, tail;
} plain;

static void plain_push(struct job *job) {
    plain.jobs[plain.tail++ % RING] = job;
}

static struct job *plain_pop(void) {
    return plain.jobs[plain.head++ % RING];
}

static struct {
    struct {
        _Atomic size_t stamp;
        struct job *job;
    } slots[RING];
    _Alignas(128) _Atomic size_t tail;
    _Alignas(128) _Atomic size_t head;
} shared;

static void shared_push(struct job *job) {
    size_t tail = atomic_load_explicit(&shared.tail, memory_order_relaxed);
    do {
        REQUIRE(atomic_load_explicit(&shared.slots[tail % RING].stamp, memory_order_acquire) == tail);
    } while (!atomic_compare_exchange_weak_explicit(&shared.tail, &tail, tail + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    shared.slots[tail % RING].job = job;
    atomic_store_explicit(&shared.slots[tail % RING].stamp, tail + 1, memory_order_release);
}

static struct job *shared_pop(void) {
    size_t head = atomic_load_explicit(&shared.head, memory_order_relaxed);
    do {
        REQUIRE(atomic_load_explicit(&shared.slots[head % RING].stamp, memory_order_acquire) == head + 1);
    } while (!atomic_compare_exchange_weak_explicit(&shared.head, &head, head + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    struct job *job = shared.slots[head % RING].job;
    atomic_store_explicit(&shared.slots[head % RING].stamp, head + RING, memory_order_release);
    return job;
}

static double ring_ns(void (*push)(struct job *), struct job *(*pop)(void), uint64_t ms) {
    struct work task = {.job = {run_work}};
    uint64_t count = 0, begin = now_ns(), took = 0;
    for (; took < ms * 1000000; took = now_ns() - begin) {
        for (int batch = 0; batch < 100; batch++, count += BATCH) {
            for (int i = 0; i < BATCH; i++) {
                push(&task.job);
            }
            for (int i = 0; i < BATCH; i++) {
                struct job *job = pop();
                job->run(job);
            }
        }
    }
    return (double)took / (double)count;
}

static void measure_ring(uint64_t ms) {
    for (size_t i = 0; i < RING; i++) {
        atomic_init(&shared.slots[i].stamp, i);
    }
    record_number("plain_ns", ring_ns(plain_push, plain_pop, ms / 2));
    record_number("ns", ring_ns(shared_push, shared_pop, ms / 2));
}

/* Odd: it is the other thread's turn. */
static _Alignas(128) _Atomic uint64_t ball;
static const uint64_t last_ball = UINT64_MAX;

static void *throw_back(void *arg) {
    uint64_t seen;
    while ((seen = atomic_load_explicit(&ball, memory_order_acquire)) != last_ball) {
        if (seen % 2 == 1) {
            atomic_store_explicit(&ball, seen + 1, memory_order_release);
        }
        relax();
    }
    return arg;
}

static uint64_t throw_and_catch(uint64_t count) {
    uint64_t begin = now_ns();
    for (uint64_t i = 0; i < 2 * count; i += 2) {
        atomic_store_explicit(&ball, i + 1, memory_order_release);
        while (atomic_load_explicit(&ball, memory_order_acquire) != i + 2) {
            relax();
        }
    }
    return now_ns() - begin;
}

static void measure_line(uint64_t ms) {
    enum { TRIPS = 100 };
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, throw_back, NULL) == 0);
    throw_and_catch(TRIPS);
    uint64_t trips = 0, took = 0;
    for (; took < ms * 1000000; trips += TRIPS) {
        took += throw_and_catch(TRIPS);
    }
    atomic_store(&ball, last_ball);
    pthread_join(other, NULL);
    record_number("ns", (double)took / (double)trips);

    enum { LOOKS = 100000 };
    uint64_t begin = now_ns();
    for (int i = 0; i < 2 * LOOKS; i++) {
        now_ns();
    }
    record_number("clock_ns", (double)(now_ns() - begin) / LOOKS);
}

struct share {
    struct work *task;
    uint64_t count;
    pthread_barrier_t *start;
};

static void *run_share(void *arg) {
    struct share *share = arg;
    /* Until the kernel has given each thread a processor of its own. */
    enum { WARM_NS = 10000000 };
    for (uint64_t end = now_ns() + WARM_NS; now_ns() < end;) {
        share->task->job.run(&share->task->job);
    }
    pthread_barrier_wait(share->start);
    for (uint64_t i = 0; i < share->count; i++) {
        share->task->job.run(&share->task->job);
    }
    return NULL;
}

static double unit_alone(struct work *task, uint64_t count) {
    uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        task->job.run(&task->job);
    }
    return (double)(now_ns() - begin) / (double)count;
}

static void measure_throughput(uint64_t ms, uint64_t unit_ns, unsigned workers) {
    enum { WORKERS_MAX = 64 };
    REQUIRE(workers > 0 && workers <= WORKERS_MAX && unit_ns > 0);
    struct work task = {.job = {run_work}, .steps = steps_for(unit_ns)};
    unsigned hands = workers < cores() ? workers : cores();
    uint64_t each = ms * 1000000 * hands / workers / unit_ns;
    double unit = unit_alone(&task, each / 4 + 1);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, workers + 1);
    struct share share = {.task = &task, .count = each, .start = &start};
    pthread_t threads[WORKERS_MAX];
    for (unsigned i = 0; i < workers; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, run_share, &share) == 0);
    }
    pthread_barrier_wait(&start);
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < workers; i++) {
        pthread_join(threads[i], NULL);
    }
    double took = (double)(now_ns() - begin), count = (double)each * workers;
    unit = (unit + unit_alone(&task, each / 4 + 1)) / 2;
    record_number("ns", took / count);
    record_number("unit_ns", unit);
    record_number("ideal", 100 * count * unit / hands / took);
}

static void measure_idle(uint64_t ms) {
    struct usage before = usage_now();
    sleep_ns(ms * 1000000);
    struct usage used = usage_since(before);
    record_number("cpu_us", (double)used.cpu_ns / (double)ms);
    record_number("switches", (double)used.switches * 1000 / (double)ms);
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise) {
    size_t length = strlen(name);
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') {
            return strtoull(argv[i] + length + 1, NULL, 10);
        }
    }
    return otherwise;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    uint64_t ms = option(argc, argv, "ms", 50);
    if (strcmp(kind, "version") == 0) {
        puts("no pool");
        return 0;
    }
    record_begin();
    if (strcmp(kind, "ring") == 0) {
        measure_ring(ms);
    } else if (strcmp(kind, "line") == 0) {
        measure_line(ms);
    } else if (strcmp(kind, "throughput") == 0 && option(argc, argv, "unit_ns", 0) != 0 &&
               option(argc, argv, "every", 0) == 0 && option(argc, argv, "bound", 0) == 0) {
        measure_throughput(ms, option(argc, argv, "unit_ns", 0), (unsigned)option(argc, argv, "workers", 2));
    } else if (strcmp(kind, "idle") == 0) {
        measure_idle(ms);
    } else {
        record_text("skipped", "needs a pool");
    }
    record_end();
    return 0;
}
