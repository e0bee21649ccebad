/* SPDX-License-Identifier: MIT
 *
 * The promise (law L6): inside a callback of a pool (a task, an `end`, a thread hook), on whichever thread that runs, no call on
 * that pool waits. What needs no wait works; the rest says so at once, as the table at the top of the header has it.
 */
#include "refused.h"

struct inside {
    wp_pool *pool;
    sem_t ready; /* The pool is known to the callbacks. */
    sem_t done;
    atomic_uint calls;
    atomic_uint runs;
    struct gate gate;
};

static void inside_init(struct inside *inside) {
    memset(inside, 0, sizeof *inside);
    CHECK_EQ(0, sem_init(&inside->ready, 0, 0));
    CHECK_EQ(0, sem_init(&inside->done, 0, 0));
    gate_init(&inside->gate);
}

/* What never waits. */
static void the_rest_works(wp_pool *pool) {
    wp_executor executor = WP_EXECUTOR_INIT;
    wp_results *results = NULL;
    wp_record record = WP_RECORD_INIT;
    uint64_t ran = 12345;
    size_t got = 12345;
    ROW(WP_OK, wp_pool_executor(pool, &executor));
    ROW(true, executor.self == pool);
    ROW(WP_EINVAL, wp_run(pool, 1, &ran)); /* It is no manual pool. */
    ROW(0, ran);
    ROW(WP_EINVAL, wp_clock_advance(pool, 1));
    ROW(WP_OK, wp_results_create(NULL, &results));
    ROW(WP_ETIMEDOUT, wp_results_next(results, &record, 0));
    ROW(WP_ETIMEDOUT, wp_results_next(results, &record, 1));
    ROW(WP_ETIMEDOUT, wp_results_drain(results, &record, 1, sizeof record, 0, &got));
    ROW(WP_OK, wp_results_retain(results));
    ROW(WP_OK, wp_results_release(results));
    ROW(true, wp_results_fd(results) >= 0);
    ROW(WP_OK, wp_results_close(results));
    ROW(WP_ECLOSED, wp_results_next(results, &record, WP_FOREVER));
    ROW(WP_OK, wp_results_release(results)); /* the last one */
}

/* What must never wait for itself. */
static void waits_would_deadlock(wp_pool *pool) {
    the_rest_works(pool);
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    memset((unsigned char *)&report + 8, CANARY, sizeof report - 8);
    uint32_t closed = check_stats(pool).closed;
    ROW(1, wp_is_inside(pool));
    ROW(WP_EDEADLK, wp_wait_idle(pool, 0));
    ROW(WP_EDEADLK, wp_wait_idle(pool, NS_PER_S));
    ROW(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER));
    ROW(WP_EDEADLK, wp_shutdown(pool));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, &report));
    ROW(true, is_all((unsigned char *)&report + 8, sizeof report - 8, CANARY));
    ROW(WP_EDEADLK, wp_destroy(pool));
    ROW(closed, check_stats(pool).closed);
    ROW(true, wp_now(pool) > 0);
}

/* Inside a callback of an open pool with room for seven. */
static void calls_inside_with_room(struct inside *inside) {
    wp_task task = WP_TASK_INIT;
    task.run = ok_task;
    task.arg = &inside->runs;
    waits_would_deadlock(inside->pool);
    ROW(WP_OK, wp_try_submit(inside->pool, check_count, &inside->runs));
    ROW(WP_OK, wp_submit(inside->pool, check_count, &inside->runs));
    ROW(WP_OK, wp_submit_for(inside->pool, check_count, &inside->runs, 0));
    ROW(WP_OK, wp_submit_for(inside->pool, check_count, &inside->runs, WP_FOREVER));
    ROW(WP_OK, wp_submit_task(inside->pool, &task, WP_FOREVER));
    wp_task batch[] = {task, task};
    size_t accepted = 12345;
    ROW(WP_OK, wp_submit_batch(inside->pool, batch, 2, sizeof *batch, WP_FOREVER, &accepted));
    ROW(2, accepted);
    ROW(WP_OK, create(NULL));
}

/* Inside a callback of an open pool whose queue is full. */
static void submits_inside_when_full(wp_pool *pool) {
    wp_stats before = check_stats(pool);
    ROW(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_EFULL, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_EFULL, submit_full_task(pool, 0));
    ROW(WP_EDEADLK, wp_submit(pool, must_not_run, NULL));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, 1));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, NS_PER_S));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    ROW(WP_EDEADLK, submit_full_task(pool, NS_PER_S));
    ROW(WP_EDEADLK, submit_full_task(pool, WP_FOREVER));
    ROW(WP_EFULL, submit_refused_batch(pool, 0));
    ROW(WP_EDEADLK, submit_refused_batch(pool, 1));
    ROW(WP_EDEADLK, submit_refused_batch(pool, WP_FOREVER));
    ROW(WP_OK, wp_submit_batch(pool, NULL, 0, sizeof(wp_task), WP_FOREVER, NULL));
    wp_stats after = check_stats(pool);
    ROW(before.accepted, after.accepted);
    ROW(before.refused + 12, after.refused);
    ROW(before.waits, after.waits);
}

/* Inside a callback of an open pool with room for one: that is the prefix. */
static void a_batch_inside_that_fills_the_queue(struct inside *inside) {
    static const uint64_t timeouts[] = {0, NS_PER_S, WP_FOREVER};
    static atomic_uint turn;
    uint64_t timeout = timeouts[atomic_fetch_add(&turn, 1) % 3];
    wp_task first = WP_TASK_INIT, rest = WP_TASK_INIT;
    first.run = ok_task;
    first.arg = &inside->runs;
    rest.run = must_not_run_task;
    rest.end = must_not_end;
    wp_task batch[] = {first, rest, rest};
    size_t accepted = 12345;
    uint64_t refused = check_stats(inside->pool).refused;
    ROW(timeout == 0 ? WP_EFULL : WP_EDEADLK, wp_submit_batch(inside->pool, batch, 3, sizeof *batch, timeout, &accepted));
    ROW(1, accepted);
    ROW(refused + 1, check_stats(inside->pool).refused);
}

static int inside_task(wp_context *context, void *arg) {
    struct inside *inside = arg;
    (void)context;
    calls_inside_with_room(inside);
    a_batch_inside_that_fills_the_queue(inside);
    submits_inside_when_full(inside->pool);
    atomic_fetch_add(&inside->calls, 1);
    return 0;
}

static void inside_plain_task(void *arg) {
    inside_task(NULL, arg);
}

static void inside_end(const wp_outcome *outcome, void *arg) {
    ROW(WP_FATE_RAN, outcome->fate);
    inside_task(NULL, arg);
    check_post(&((struct inside *)arg)->done);
}

static void calls_inside_a_task(void) {
    for (int is_full = 0; is_full < 2; is_full++) {
        struct inside inside;
        wp_task task = WP_TASK_INIT;
        inside_init(&inside);
        inside.pool = check_pool(1, 8);
        task.run = inside_task;
        task.arg = &inside;
        if (is_full) {
            ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
        } else {
            ROW(WP_OK, wp_submit(inside.pool, inside_plain_task, &inside));
        }
        AWAIT(atomic_load(&inside.calls) == 1); /* before it is closed */
        ROW(WP_OK, wp_shutdown(inside.pool));
        ROW(8, atomic_load(&inside.runs));
        ROW(WP_OK, wp_destroy(inside.pool));
    }
}

static int do_nothing_task(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void calls_inside_an_end(void) {
    struct inside inside;
    wp_task task = WP_TASK_INIT;
    inside_init(&inside);
    inside.pool = check_pool(1, 8);
    task.run = do_nothing_task;
    task.arg = &inside;
    task.end = inside_end;
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    check_wait(&inside.done);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(1, atomic_load(&inside.calls));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* With another worker idle it is the same: the answer does not depend on luck. */
static void calls_inside_a_task_while_another_worker_is_held(void) {
    struct inside inside;
    inside_init(&inside);
    inside.pool = check_pool(2, 8);
    gate_shut(&inside.gate, inside.pool, 1);
    ROW(WP_OK, wp_submit(inside.pool, inside_plain_task, &inside));
    AWAIT(atomic_load(&inside.calls) == 1);
    check_post(&inside.gate.open);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

static void inside_start(uint32_t worker, void *arg) {
    struct inside *inside = arg;
    ROW(0, worker);
    check_wait(&inside->ready);
    inside_task(NULL, inside);
}

static void inside_stop(uint32_t worker, void *arg) {
    struct inside *inside = arg;
    ROW(0, worker);
    submits_are_closed(inside->pool);
    waits_would_deadlock(inside->pool);
    atomic_fetch_add(&inside->calls, 1);
}

static void calls_inside_the_thread_hooks(void) {
    struct inside inside;
    wp_options options = WP_OPTIONS_INIT;
    inside_init(&inside);
    options.workers = 1;
    options.capacity = 8;
    options.on_thread_start = inside_start;
    options.on_thread_stop = inside_stop;
    options.thread_arg = &inside;
    ROW(WP_OK, wp_create(&options, &inside.pool));
    check_post(&inside.ready);
    AWAIT(atomic_load(&inside.calls) == 1);
    ROW(WP_OK, wp_shutdown(inside.pool));
    ROW(2, atomic_load(&inside.calls));
    ROW(8, atomic_load(&inside.runs));
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* An `end` that a cancelling shutdown calls runs on that shutdown's thread: inside a callback all the same. */
static pthread_t canceller;

static void inside_discarded_end(const wp_outcome *outcome, void *arg) {
    struct inside *inside = arg;
    ROW(true, pthread_equal(pthread_self(), canceller) != 0);
    ROW(WP_FATE_DISCARDED, outcome->fate);
    ROW(0, outcome->status);
    ROW(WP_NO_WORKER, outcome->worker);
    ROW(sizeof *outcome, outcome->struct_size);
    submits_are_closed(inside->pool);
    waits_would_deadlock(inside->pool);
    ROW(WP_OK, create(NULL));
    atomic_fetch_add(&inside->calls, 1);
    check_post(&inside->done);
}

static void calls_inside_an_end_of_a_cancelling_shutdown(void) {
    struct inside inside;
    wp_task task = WP_TASK_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    inside_init(&inside);
    inside.pool = check_pool(1, 8);
    gate_shut(&inside.gate, inside.pool, 1);
    task.run = must_not_run_task;
    task.end = inside_discarded_end;
    task.arg = &inside;
    canceller = pthread_self();
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0));
    ROW(WP_OK, wp_submit(inside.pool, must_not_run, NULL));
    ROW(WP_ETIMEDOUT, wp_shutdown_for(inside.pool, WP_SHUTDOWN_CANCEL, 0, &report));
    ROW(2, atomic_load(&inside.calls));
    ROW(true, report.queued == 0 && report.running == 1 && report.discarded == 3);
    /* Outside again: this thread waits as any other. */
    ROW(0, wp_is_inside(inside.pool));
    ROW(WP_ETIMEDOUT, wp_wait_idle(inside.pool, 0));
    check_post(&inside.gate.open);
    ROW(WP_OK, wp_wait_idle(inside.pool, WP_FOREVER));
    ROW(WP_OK, wp_shutdown_for(inside.pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(3, report.discarded);
    ROW(WP_OK, wp_destroy(inside.pool));
}

/* A worker of one pool that shuts another one down is inside both while that one's `end` runs, and afterwards only in its own. */
struct both {
    wp_pool *outer;
    struct inside inner;
};

static void end_inside_both(const wp_outcome *outcome, void *arg) {
    struct both *both = arg;
    ROW(WP_FATE_DISCARDED, outcome->fate);
    waits_would_deadlock(both->outer);
    waits_would_deadlock(both->inner.pool);
    submits_are_closed(both->inner.pool);
    ROW(WP_OK, wp_submit(both->outer, check_count, &both->inner.runs));
    atomic_fetch_add(&both->inner.calls, 1);
}

static void shut_the_inner_pool(void *arg) {
    struct both *both = arg;
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = end_inside_both;
    task.arg = both;
    gate_shut(&both->inner.gate, both->inner.pool, 1);
    ROW(WP_OK, wp_submit_task(both->inner.pool, &task, 0));
    ROW(WP_ETIMEDOUT, wp_shutdown_for(both->inner.pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    check_post(&both->inner.gate.open);
    waits_would_deadlock(both->outer);
    ROW(WP_OK, wp_wait_idle(both->inner.pool, WP_FOREVER));
    ROW(WP_OK, wp_shutdown(both->inner.pool));
    ROW(WP_OK, wp_destroy(both->inner.pool));
}

static void a_shutdown_inside_another_pools_task(void) {
    struct both both;
    inside_init(&both.inner);
    both.outer = check_pool(1, 4);
    both.inner.pool = check_pool(1, 4);
    ROW(WP_OK, wp_submit(both.outer, shut_the_inner_pool, &both));
    ROW(WP_OK, wp_wait_idle(both.outer, WP_FOREVER));
    ROW(WP_OK, wp_shutdown(both.outer));
    ROW(1, atomic_load(&both.inner.calls));
    ROW(1, atomic_load(&both.inner.runs));
    ROW(WP_OK, wp_destroy(both.outer));
}

/* ---- the last reference on the very results that the task's record goes to ---- */

struct releasing {
    wp_results *results;
    atomic_uint runs, ends;
};

static int release_in_task(wp_context *context, void *arg) {
    struct releasing *me = arg;
    (void)context;
    atomic_fetch_add(&me->runs, 1);
    ROW(WP_OK, wp_results_release(me->results));
    return 0;
}

static void release_in_end(const wp_outcome *outcome, void *arg) {
    struct releasing *me = arg;
    (void)outcome;
    if (atomic_fetch_add(&me->ends, 1) % 2 != 0 || outcome->fate == WP_FATE_DISCARDED) {
        ROW(WP_OK, wp_results_release(me->results));
    }
}

static void the_last_reference_is_given_back_inside(void) {
    struct releasing releasing = {NULL, 0, 0};
    struct gate gate;
    wp_task task = WP_TASK_INIT;
    wp_pool *pool = check_pool(1, 4);
    task.end = release_in_end;
    task.arg = &releasing;
    /* By the task; by the `end` of one that ran; by the `end` of a discarded one. The record is lost with the results each time. */
    for (int where = 0; where < 3; where++) {
        ROW(WP_OK, wp_results_create(NULL, &releasing.results));
        task.results = releasing.results;
        task.run = where == 0 ? release_in_task : do_nothing_task;
        if (where == 2) {
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
        }
        ROW(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
        if (where < 2) {
            ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        }
    }
    ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    check_post(&gate.open);
    ROW(WP_OK, wp_destroy(pool));
    ROW(1, atomic_load(&releasing.runs));
    ROW(3, atomic_load(&releasing.ends));
}

int main(void) {
    check_begin("inside_callbacks");
    CASE(calls_inside_a_task);
    CASE(calls_inside_an_end);
    CASE(calls_inside_a_task_while_another_worker_is_held);
    CASE(calls_inside_the_thread_hooks);
    CASE(calls_inside_an_end_of_a_cancelling_shutdown);
    CASE(a_shutdown_inside_another_pools_task);
    CASE(the_last_reference_is_given_back_inside);
    return check_end();
}
