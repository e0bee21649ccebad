/* SPDX-License-Identifier: MIT
 *
 * What a pool costs besides its tasks: to make and end it, to keep tasks waiting, to keep it idle.
 */
#include "driver.h"

#include <sched.h>

/* A task of few: they may share a counter. */
struct counted {
    struct job job;
    _Atomic uint64_t *ran;
};

struct counted_tasks {
    struct counted task;
    uint64_t count;
};

static void run_counted(struct job *job) {
    atomic_fetch_add(((struct counted *)job)->ran, 1);
}

static void wait_counted(_Atomic uint64_t *ran, uint64_t target) {
    while (atomic_load(ran) < target) {
        sched_yield();
    }
}

static void submit_counted(struct peer *peer, void *arg) {
    struct counted_tasks *tasks = arg;
    for (uint64_t i = 0; i < tasks->count; i++) {
        peer_submit(peer, &tasks->task.job);
    }
    if (!peer_traits.drains) {
        wait_counted(tasks->task.ran, tasks->count);
    }
}

const char *measure_life(const struct options *options) {
    if (!peer_traits.can_end) {
        return "cannot be ended";
    }
    _Atomic uint64_t ran = 0;
    struct counted_tasks tasks = {.task = {.job = {run_counted}, .ran = &ran}, .count = options->tasks};
    uint64_t lives = 0, begin = now_ns(), took = 0;
    while (took < options->ms * 1000000) {
        atomic_store(&ran, 0);
        struct peer *peer = peer_create(options->workers, options->capacity, options->producers);
        as_producer(peer, submit_counted, &tasks);
        peer_destroy(peer);
        REQUIRE(atomic_load(&ran) == options->tasks);
        lives++;
        took = now_ns() - begin;
    }
    record_number("us", (double)took / (double)lives / 1000);
    return NULL;
}

/* A task that holds its worker until it is let go. */
struct hold {
    struct job job;
    _Atomic uint64_t *held;
    sem_t *gate;
};

static void run_hold(struct job *job) {
    struct hold *hold = (struct hold *)job;
    atomic_fetch_add(hold->held, 1);
    sem_wait(hold->gate);
    count_task();
}

struct fill {
    const struct options *options;
    uint64_t tasks;
    uint64_t resident_bytes; /* while all workers are held and the tasks wait behind them */
};

static void fill_and_empty(struct peer *peer, void *arg) {
    struct fill *fill = arg;
    unsigned workers = fill->options->workers;
    sem_t gate;
    sem_init(&gate, 0, 0);
    _Atomic uint64_t held = 0;
    struct hold hold = {.job = {run_hold}, .held = &held, .gate = &gate};
    struct work task = {.job = {run_work}};
    uint64_t count = fill->tasks + workers, target = tasks_ran() + count, begin = now_ns();
    for (unsigned i = 0; i < workers; i++) {
        peer_submit(peer, &hold.job);
    }
    wait_counted(&held, workers);
    for (uint64_t i = 0; i < fill->tasks; i++) {
        peer_submit(peer, &task.job);
    }
    fill->resident_bytes = resident_bytes();
    for (unsigned i = 0; i < workers; i++) {
        sem_post(&gate);
    }
    wait_tasks_ran(target, count, begin);
    sem_destroy(&gate);
}

static uint64_t resident_when_filled(const struct options *options, uint64_t tasks) {
    struct fill fill = {.options = options, .tasks = tasks};
    struct peer *peer = peer_create(options->workers, (unsigned)tasks, options->producers);
    as_producer(peer, fill_and_empty, &fill);
    peer_destroy(peer);
    return fill.resident_bytes;
}

const char *measure_memory(const struct options *options) {
    if (!peer_traits.queues) {
        return "has no queue";
    }
    enum { FEW = 1000 };
    uint64_t few = resident_when_filled(options, FEW);
    uint64_t many = resident_when_filled(options, FEW + options->tasks);
    record_number("bytes", (double)(many - few) / (double)options->tasks);
    return NULL;
}

struct idleness {
    const struct options *options;
    struct usage used;
};

static void be_idle(struct peer *peer, void *arg) {
    enum { SOME = 100, CALM_NS = 50000000 };
    struct idleness *idleness = arg;
    struct work task = {.job = {run_work}};
    uint64_t begin = now_ns();
    for (int i = 0; i < SOME; i++) {
        peer_submit(peer, &task.job);
    }
    wait_tasks_ran(SOME, SOME, begin);
    sleep_ns(CALM_NS);
    struct usage before = usage_now();
    sleep_ns(idleness->options->ms * 1000000);
    idleness->used = usage_since(before);
}

const char *measure_idle(const struct options *options) {
    struct idleness idleness = {.options = options};
    struct peer *peer = peer_create(options->workers, options->capacity, options->producers);
    as_producer(peer, be_idle, &idleness);
    peer_destroy(peer);
    record_number("cpu_us", (double)idleness.used.cpu_ns / (double)options->ms);
    record_number("switches", (double)idleness.used.switches * 1000 / (double)options->ms);
    return NULL;
}
