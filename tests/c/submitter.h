/* SPDX-License-Identifier: MIT
 *
 * What the tests about backpressure share: a thread that submits one task and notes how that went.
 */
#ifndef SUBMITTER_H
#define SUBMITTER_H

#include "check.h"

struct submitter {
    wp_pool *pool;
    uint64_t timeout;
    bool is_task;
    wp_run_fn run;
    void *arg;
    int code;
    uint64_t took;
    atomic_bool is_done;
    pthread_t thread;
};

static UNUSED int run_task(wp_context *context, void *arg) {
    const struct submitter *me = arg;
    (void)context;
    me->run(me->arg);
    return 0;
}

static UNUSED void *submit(void *arg) {
    struct submitter *me = arg;
    uint64_t began = check_now();
    if (me->is_task) {
        wp_task task = WP_TASK_INIT;
        task.run = run_task;
        task.arg = me;
        me->code = wp_submit_task(me->pool, &task, me->timeout);
    } else if (me->timeout == WP_FOREVER) {
        me->code = wp_submit(me->pool, me->run, me->arg);
    } else {
        me->code = wp_submit_for(me->pool, me->run, me->arg, me->timeout);
    }
    me->took = check_now() - began;
    atomic_store(&me->is_done, true);
    return NULL;
}

static UNUSED void submitter_start(struct submitter *me, wp_pool *pool, uint64_t timeout, bool is_task, wp_run_fn run, void *arg) {
    memset(me, 0, sizeof *me);
    me->pool = pool;
    me->timeout = timeout;
    me->is_task = is_task;
    me->run = run;
    me->arg = arg;
    me->code = 12345;
    me->thread = check_thread(submit, me);
}

#endif
