/* SPDX-License-Identifier: MIT
 *
 * What the Go files ask of C: calls that take numbers and C pointers only. A task's `arg` is the number of its entry in a table of
 * Go's (table.go), so C keeps no Go pointer, and Go never sees a number in the place of a pointer.
 */
#ifndef LIBWORKERPOOL_GO_BRIDGE_H
#define LIBWORKERPOOL_GO_BRIDGE_H

#include <workerpool.h>

/** A task as Go gives it: `job` is its number; `user_data` comes back in its record. */
typedef struct bridge_task {
    uintptr_t job;
    uint64_t user_data;
    wp_group *group;
    wp_results *results;
    uint64_t deadline;
} bridge_task;

/** What Go asks of a record. */
typedef struct bridge_record {
    uint64_t user_data, queued_ns, running_ns;
    uint32_t fate;
} bridge_record;

/** A submitter that waits for room without a thread. */
typedef struct bridge_waiter bridge_waiter;

int bridge_create(const char *name, uint32_t workers, uint32_t capacity, uint64_t stack_size, uintptr_t id, wp_pool **pool);

/** Keep the Go runtime able to interrupt the calling thread: preempt.c. */
void bridge_preempt_start(void);
void bridge_preempt_stop(void);

/** Never waits: WP_EFULL when the queue is full. */
int bridge_submit(wp_pool *pool, bridge_task task);

/** Up to BRIDGE_BATCH tasks. Never waits; `accepted` receives how many were accepted, the first so many. */
#define BRIDGE_BATCH 16
int bridge_submit_batch(wp_pool *pool, const bridge_task *tasks, size_t count, size_t *accepted);

/** NULL: there is no memory. `id` is what workerpoolRoom() is told with. */
bridge_waiter *bridge_waiter_new(wp_pool *pool, bridge_task task, uintptr_t id);
void bridge_waiter_free(bridge_waiter *waiter);

/**
 * Submits the task as soon as there is room, and has workerpoolRoom() called once with what came of it: WP_EFULL when somebody
 * else was quicker. Any code but WP_OK: it will not be called. WP_EDEADLK: inside a callback of the pool.
 */
int bridge_when_room(bridge_waiter *waiter);

/**
 * Takes the waiter back, also after a fault of the library: from here on workerpoolRoom() has been called and has sent its word, or
 * will not be called.
 */
void bridge_forget_room(bridge_waiter *waiter);

/** `parent`: the group that it stands in, or NULL. */
int bridge_group(wp_pool *pool, wp_group *parent, uint64_t deadline, uint32_t on_error, uint32_t max_running, wp_group **group);
int bridge_results(uint32_t capacity, wp_results **results);

/** Reads up to `count` records without waiting; at most BRIDGE_RECORDS at a time. */
#define BRIDGE_RECORDS 64
int bridge_drain(wp_results *results, bridge_record *records, size_t count, size_t *got);

#endif
