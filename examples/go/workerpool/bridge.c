/* SPDX-License-Identifier: MIT */
#include "bridge.h"

#include <stdlib.h>

#include "_cgo_export.h"

static int run(wp_context *context, void *arg)
{
    (void)context;
    return workerpoolRun((uintptr_t)arg);
}

/* Of a task that ran, Go has learnt all there is to know when it ran: that saves a second way into Go. */
static void end(const wp_outcome *outcome, void *arg)
{
    if (outcome->fate != WP_FATE_RAN) workerpoolEnd((uintptr_t)arg, outcome->fate);
}

static void started(uint32_t worker, void *arg)
{
    (void)worker, (void)arg;
    bridge_preempt_start();
}

static void stopped(uint32_t worker, void *arg)
{
    (void)worker;
    bridge_preempt_stop();
    workerpoolStopped((uintptr_t)arg);
}

int bridge_create(const char *name, uint32_t workers, uint32_t capacity, uint64_t stack_size, uintptr_t id, wp_pool **pool)
{
    wp_options options = WP_OPTIONS_INIT;
    options.name = name;
    options.workers = workers;
    options.capacity = capacity;
    options.stack_size = stack_size;
    options.timers = 1; /* a context's deadline ends a queued task at once, though all workers are busy */
    options.on_thread_start = started;
    options.on_thread_stop = stopped;
    options.thread_arg = (void *)id;
    return wp_create(&options, pool);
}

static wp_task full_task(bridge_task given)
{
    wp_task task = WP_TASK_INIT;
    task.run = run;
    task.end = end;
    task.arg = (void *)given.job;
    task.group = given.group;
    task.results = given.results;
    task.user_data = given.user_data;
    task.deadline = given.deadline;
    return task;
}

int bridge_submit(wp_pool *pool, bridge_task given)
{
    wp_task task = full_task(given);
    return wp_submit_task(pool, &task, 0);
}

int bridge_submit_batch(wp_pool *pool, const bridge_task *given, size_t count, size_t *accepted)
{
    wp_task tasks[BRIDGE_BATCH];
    for (size_t i = 0; i < count; i++) tasks[i] = full_task(given[i]);
    return wp_submit_batch(pool, tasks, count, sizeof tasks[0], 0, accepted);
}

int bridge_group(wp_pool *pool, wp_group *parent, uint64_t deadline, uint32_t on_error, uint32_t max_running, wp_group **group)
{
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    options.parent = parent;
    options.deadline = deadline;
    options.on_error = on_error;
    options.max_running = max_running;
    return wp_group_create(pool, &options, group);
}

int bridge_results(uint32_t capacity, wp_results **results)
{
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    options.capacity = capacity;
    return wp_results_create(&options, results);
}

int bridge_drain(wp_results *results, bridge_record *records, size_t count, size_t *got)
{
    wp_record all[BRIDGE_RECORDS];
    if (count > BRIDGE_RECORDS) count = BRIDGE_RECORDS;
    int code = wp_results_drain(results, all, count, sizeof all[0], 0, got);
    for (size_t i = 0; i < *got; i++) {
        records[i] = (bridge_record){all[i].user_data, all[i].queued_ns, all[i].running_ns, all[i].fate};
    }
    return code;
}

/*
 * States of a waiter: its owner's (after new, and after each workerpoolRoom) and waiting (after bridge_when_room said WP_OK).
 * Transitions: bridge_when_room makes it wait; the library's notice gives it back, or a bridge_forget_room that came first.
 * Invariant: for each time that it waited there is one of those two, never both; only its owner frees it.
 */
struct bridge_waiter {
    wp_waiter waiter;
    wp_pool *pool;
    wp_task task;
    uintptr_t id;
};

/* Submits here, in the place that it was told of. After workerpoolRoom() the waiter may be gone. */
static void room(void *arg)
{
    bridge_waiter *waiter = arg;
    workerpoolRoom(waiter->id, wp_submit_task(waiter->pool, &waiter->task, 0));
}

bridge_waiter *bridge_waiter_new(wp_pool *pool, bridge_task task, uintptr_t id)
{
    bridge_waiter *waiter = malloc(sizeof *waiter);
    if (waiter == NULL) return NULL;
    waiter->waiter = (wp_waiter)WP_WAITER_INIT;
    waiter->waiter.notify = room;
    waiter->waiter.arg = waiter;
    waiter->pool = pool;
    waiter->task = full_task(task);
    waiter->id = id;
    return waiter;
}

int bridge_when_room(bridge_waiter *waiter)
{
    if (wp_is_inside(waiter->pool)) return WP_EDEADLK;
    return wp_when_room(waiter->pool, &waiter->waiter);
}

/*
 * To look without waiting would tell nothing: what has not returned yet may be the notice of an earlier wait, of this waiter or of one
 * that lay in its place. To wait takes no time: a notice sends on a channel with room, and the caller is inside no callback of the pool.
 */
void bridge_forget_room(bridge_waiter *waiter)
{
    int code = wp_forget_room(waiter->pool, &waiter->waiter, WP_FOREVER);
    (void)code; /* whatever it says, Go looks whether there is word */
}

void bridge_waiter_free(bridge_waiter *waiter)
{
    free(waiter);
}
