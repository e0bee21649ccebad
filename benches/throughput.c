/* SPDX-License-Identifier: MIT
 *
 * How fast tasks go through: from the first submit to the end of the last task, divided by their number.
 */
#include "driver.h"

#include <pthread.h>

/* What the producers share. */
struct flow {
    struct peer *peer;
    const struct options *options;
    struct work task, long_task;
    pthread_barrier_t start;
    uint64_t producers_cpu_ns; /* of the last flow */
};

struct producer {
    struct flow *flow;
    uint64_t count;
    uint64_t first_ns;
    uint64_t cpu_ns;
    pthread_t thread;
};

static void submit_batches(struct flow *flow, uint64_t count) {
    struct job *jobs[256];
    uint64_t batch = flow->options->batch;
    REQUIRE(batch <= sizeof jobs / sizeof *jobs && count % batch == 0);
    for (uint64_t i = 0; i < batch; i++) {
        jobs[i] = &flow->task.job;
    }
    for (uint64_t i = 0; i < count; i += batch) {
        peer_submit_batch(flow->peer, jobs, batch);
    }
}

static void submit_singly(struct flow *flow, uint64_t count) {
    uint64_t every = flow->options->every, until_long = every;
    sem_t *bound = flow->task.bound;
    for (uint64_t i = 0; i < count; i++) {
        if (bound != NULL) {
            sem_wait(bound);
        }
        struct job *job = &flow->task.job;
        if (until_long != 0 && --until_long == 0) {
            until_long = every;
            job = &flow->long_task.job;
        }
        peer_submit(flow->peer, job);
    }
}

static void produce(struct peer *peer, void *arg) {
    struct producer *producer = arg;
    struct flow *flow = producer->flow;
    pthread_barrier_wait(&flow->start);
    uint64_t cpu_before = thread_cpu_ns();
    producer->first_ns = now_ns();
    if (flow->options->batch != 0 && peer_submit_batch != NULL) {
        submit_batches(flow, producer->count);
    } else if (flow->options->end != 0) {
        for (uint64_t i = 0; i < producer->count; i++) {
            peer_submit_with_end(peer, &flow->task.job);
        }
    } else {
        submit_singly(flow, producer->count);
    }
    producer->cpu_ns = thread_cpu_ns() - cpu_before;
}

static void *be_producer(void *arg) {
    as_producer(((struct producer *)arg)->flow->peer, produce, arg);
    return NULL;
}

/* Puts `count` tasks through, and returns how long that took. */
static uint64_t flow_through(struct flow *flow, uint64_t count) {
    enum { PRODUCERS_MAX = 64 };
    struct producer producers[PRODUCERS_MAX];
    unsigned n = flow->options->producers;
    REQUIRE(n > 0 && n <= PRODUCERS_MAX && count % n == 0);
    uint64_t target = tasks_ran() + count;
    pthread_barrier_init(&flow->start, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        producers[i] = (struct producer){.flow = flow, .count = count / n};
        REQUIRE(pthread_create(&producers[i].thread, NULL, be_producer, &producers[i]) == 0);
    }
    uint64_t first = UINT64_MAX;
    flow->producers_cpu_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        pthread_join(producers[i].thread, NULL);
        flow->producers_cpu_ns += producers[i].cpu_ns;
        first = producers[i].first_ns < first ? producers[i].first_ns : first;
    }
    pthread_barrier_destroy(&flow->start);
    return wait_tasks_ran(target, count, first) - first;
}

/* The mean time of a task when one thread does nothing else. */
static double unit_alone(struct flow *flow) {
    enum { AT_LEAST_NS = 5000000 };
    struct options alone = *flow->options;
    struct work task = flow->task, long_task = flow->long_task;
    task.bound = long_task.bound = NULL;
    uint64_t begin = now_ns(), took = 0, count = 0;
    while (took < AT_LEAST_NS || (alone.every != 0 && count % alone.every != 0)) {
        count++;
        struct job *job = alone.every != 0 && count % alone.every == 0 ? &long_task.job : &task.job;
        job->run(job);
        took = now_ns() - begin;
    }
    return (double)took / (double)count;
}

static uint64_t round_up(uint64_t count, uint64_t step) {
    return (count + step - 1) / step * step;
}

const char *measure_throughput(const struct options *options) {
    if (options->end != 0 && peer_submit_with_end == NULL) {
        return "tells no end";
    }
    struct flow flow = {.options = options,
                        .task = {.job = {run_work}, .steps = steps_for(options->unit_ns)},
                        .long_task = {.job = {run_work}, .steps = steps_for(options->long_ns)}};
    sem_t bound;
    if (options->bound != 0 && !peer_traits.is_bounded) {
        sem_init(&bound, 0, options->capacity + options->workers);
        flow.task.bound = flow.long_task.bound = &bound;
    }
    flow.peer = peer_create(options->workers, options->capacity, options->producers);

    /* The first flow warms up, and tells how many tasks the time is enough for. */
    uint64_t step = options->producers * (options->batch != 0 ? options->batch : options->every != 0 ? options->every : 1);
    double mean_ns = options->unit_ns;
    if (options->every != 0) {
        mean_ns += (double)options->long_ns / (double)options->every;
    }
    uint64_t warm = round_up((uint64_t)(10e6 / (mean_ns + 500)), step);
    uint64_t warm_ns = flow_through(&flow, warm);
    uint64_t count = round_up(warm * (options->ms * 1000000 / 1000) / (warm_ns / 1000 + 1), step);

    double unit_before = unit_alone(&flow);
    struct usage before = usage_now();
    uint64_t took = flow_through(&flow, count);
    struct usage used = usage_since(before);
    double unit = (unit_before + unit_alone(&flow)) / 2;
    peer_destroy(flow.peer);

    unsigned hands = options->workers < cores() ? options->workers : cores();
    record_number("tasks", (double)count);
    record_number("ns", (double)took / (double)count);
    record_number("cpu_ns", (double)used.cpu_ns / (double)count);
    record_number("producers_cpu_ns", (double)flow.producers_cpu_ns / (double)count);
    record_number("switches", (double)used.switches * 1000 / (double)count);
    if (options->unit_ns != 0) {
        record_number("unit_ns", unit);
        record_number("ideal", 100 * (double)count * unit / hands / (double)took);
    }
    return NULL;
}
