/* SPDX-License-Identifier: MIT
 *
 * What the tests about groups share: pools that are stepped by hand, groups, and tasks that note what became of them.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include "refused.h"

static UNUSED wp_pool *manual_pool(uint32_t capacity, uint32_t timers) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.mode = WP_MODE_MANUAL;
    options.capacity = capacity;
    options.timers = timers;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    return pool;
}

/* Runs up to so many tasks of a manual pool, and says how many it were. */
static UNUSED uint64_t step(wp_pool *pool, uint64_t most) {
    uint64_t ran = 0;
    CHECK_EQ(WP_OK, wp_run(pool, most, &ran));
    return ran;
}

static UNUSED wp_group *group_with(wp_pool *pool, wp_group *parent, uint64_t deadline, uint32_t on_error, uint32_t max_running) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    wp_group *group = NULL;
    options.parent = parent;
    options.deadline = deadline;
    options.on_error = on_error;
    options.max_running = max_running;
    CHECK_EQ(WP_OK, wp_group_create(pool, &options, &group));
    CHECK(group != NULL);
    return group;
}

static UNUSED wp_group *group_in(wp_pool *pool, wp_group *parent) {
    return group_with(pool, parent, 0, WP_ON_ERROR_GO_ON, 0);
}

static UNUSED void release(wp_group *group) {
    CHECK_EQ(WP_OK, wp_group_release(group));
}

static UNUSED wp_group_status status_of(const wp_group *group) {
    wp_group_status status = WP_GROUP_STATUS_INIT;
    CHECK_EQ(WP_OK, wp_group_status_get(group, &status));
    CHECK_EQ(0, status.reserved);
    return status;
}

/* What became of one task. */
struct mark {
    atomic_uint runs, ends;
    uint32_t fate, worker;
    int32_t status, returns;
    pthread_t ended_by;
};

static UNUSED int mark_run(wp_context *context, void *arg) {
    struct mark *mark = arg;
    (void)context;
    CHECK_EQ(0, atomic_fetch_add(&mark->runs, 1));
    return mark->returns;
}

static UNUSED void mark_end(const wp_outcome *outcome, void *arg) {
    struct mark *mark = arg;
    mark->fate = outcome->fate;
    mark->worker = outcome->worker;
    mark->status = outcome->status;
    mark->ended_by = pthread_self();
    CHECK_EQ(0, atomic_fetch_add(&mark->ends, 1));
}

static UNUSED wp_task marked(wp_group *group, struct mark *mark) {
    wp_task task = WP_TASK_INIT;
    task.run = mark_run;
    task.end = mark_end;
    task.arg = mark;
    task.group = group;
    return task;
}

static UNUSED void submit_marked(wp_pool *pool, wp_group *group, struct mark *mark) {
    wp_task task = marked(group, mark);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
}

/* The task has ended, with this fate, and ran if that says so. */
static UNUSED void check_mark(const struct mark *mark, uint32_t fate) {
    CHECK_EQ(1, atomic_load(&mark->ends));
    CHECK_EQ(fate, mark->fate);
    CHECK_EQ(fate == WP_FATE_RAN, atomic_load(&mark->runs));
    CHECK_EQ(fate == WP_FATE_RAN ? mark->returns : 0, mark->status);
    CHECK(fate == WP_FATE_RAN || mark->worker == WP_NO_WORKER);
}

static UNUSED void check_untouched(const struct mark *mark) {
    CHECK_EQ(0, atomic_load(&mark->runs));
    CHECK_EQ(0, atomic_load(&mark->ends));
}

/* A task of this group that must be refused. */
static UNUSED int submit_refused_to(wp_pool *pool, wp_group *group, uint64_t timeout_ns) {
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    task.group = group;
    return wp_submit_task(pool, &task, timeout_ns);
}

/* A snapshot, whose figures add up (law L2). */
static UNUSED wp_stats check_sum(const wp_pool *pool) {
    wp_stats stats = check_stats(pool);
    CHECK_EQ(stats.accepted,
             stats.ran + stats.cancelled + stats.expired + stats.discarded + stats.queued + stats.running);
    if (stats.exact) {
        CHECK_AT_MOST(stats.capacity, stats.queued + stats.passed_over);
    }
    return stats;
}

#endif
