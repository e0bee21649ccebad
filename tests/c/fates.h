/* SPDX-License-Identifier: MIT
 *
 * What the tests about a pool's end share: a pool that is surely busy, and the fates of its tasks, counted.
 */
#ifndef FATES_H
#define FATES_H

#include "check.h"

struct fates {
    atomic_uint ran, discarded, hooked;
};

/* A full task that does nothing. */
static UNUSED int full(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static UNUSED void count_fate(const wp_outcome *outcome, void *arg) {
    struct fates *fates = arg;
    if (outcome->fate == WP_FATE_RAN) {
        atomic_fetch_add(&fates->ran, 1);
    } else {
        CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
        atomic_fetch_add(&fates->discarded, 1);
    }
}

/* A pool with all workers held and some tasks queued. */
static UNUSED wp_pool *busy_pool(struct gate *gate, uint32_t workers, unsigned queued, struct fates *fates) {
    wp_pool *pool = check_pool(workers, queued + 1);
    wp_task task = WP_TASK_INIT;
    task.run = full;
    task.arg = fates;
    task.end = count_fate;
    memset(fates, 0, sizeof *fates);
    gate_init(gate);
    gate_shut(gate, pool, workers);
    for (unsigned i = 0; i < queued; i++) {
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    return pool;
}

/* An `end` that holds its thread until its gate is opened. */
static UNUSED void gated_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    gate_task(arg);
}

#endif
