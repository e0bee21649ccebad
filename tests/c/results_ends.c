/* SPDX-License-Identifier: MIT
 *
 * The promise: whoever waits for results, to put something in or to take something out, learns of their end and of its pool's; inside a
 * callback nobody waits for himself; results live until nobody has a reference; the descriptor is readable iff a read would
 * not wait; and the child of a fork is told at once.
 */
#include "results.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- WP_RESULTS_WAIT ---- */

struct waiter {
    wp_pool *pool;
    wp_results *results;
    uint64_t timeout;
    bool is_batch;
    int code;
};

static void *wait_for_a_place(void *arg) {
    struct waiter *me = arg;
    wp_task task = recorded(me->results, 7);
    me->code = me->is_batch ? wp_submit_batch(me->pool, &task, 1, sizeof task, me->timeout, NULL)
                            : wp_submit_task(me->pool, &task, me->timeout);
    return NULL;
}

static void a_submit_waits_for_a_place_if_asked_to(void) {
    enum { READ, CLOSE, DRAIN, CANCEL, EVENTS };
    for (int event = 0; event < EVENTS * 2; event++) {
        wp_pool *pool = check_pool(1, 8);
        wp_results *results = check_results(1, WP_RESULTS_WAIT);
        wp_task first = recorded(results, 1);
        struct gate gate;
        gate_init(&gate);
        struct waiter waiter = {pool, results, event % 2 ? WP_FOREVER : 1000 * NS_PER_S, event >= EVENTS, 12345};
        CHECK_EQ(WP_OK, wp_submit_task(pool, &first, 0));
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_ERESULTS, submit_refused(pool, results, 0));
        ROW(WP_ETIMEDOUT, submit_refused(pool, results, NS_PER_MS));
        ROW(WP_ERESULTS, submit_refused_pair(pool, results, 0));
        ROW(WP_ETIMEDOUT, submit_refused_pair(pool, results, NS_PER_MS));
        pthread_t thread = check_thread(wait_for_a_place, &waiter);
        AWAIT(check_stats(pool).waiting == 1);
        switch (event % EVENTS) {
        case READ: ROW(1, check_next(results, 0).user_data); break;
        case CLOSE: ROW(WP_OK, wp_results_close(results)); break;
        case DRAIN: ROW(WP_OK, wp_shutdown(pool)); break; /* Though nobody reads. */
        default: ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
        }
        check_join(thread);
        ROW(event % EVENTS == READ ? WP_OK : WP_ECLOSED, waiter.code);
        ROW(WP_OK, wp_destroy(pool));
        ROW(event % EVENTS == READ ? 7 : 1, check_next(results, 0).user_data);
        ROW(WP_OK, wp_results_close(results));
        ROW(WP_ECLOSED, next_code(results, 0));
        ROW(WP_OK, wp_results_release(results));
    }
}

/* ---- inside callbacks ---- */

struct inside {
    wp_pool *pool;
    wp_results *refusing, *waiting;
    atomic_uint calls;
};

static int inside_task(wp_context *context, void *arg) {
    struct inside *inside = arg;
    (void)context;
    static const uint64_t timeouts[] = {1, NS_PER_S, WP_FOREVER};
    ROW(WP_ERESULTS, submit_refused(inside->pool, inside->waiting, 0));
    ROW(WP_ERESULTS, submit_refused_pair(inside->pool, inside->waiting, 0));
    for (size_t i = 0; i < 3; i++) {
        ROW(WP_ERESULTS, submit_refused(inside->pool, inside->refusing, timeouts[i]));
        ROW(WP_EDEADLK, submit_refused(inside->pool, inside->waiting, timeouts[i]));
        ROW(WP_EDEADLK, submit_refused_pair(inside->pool, inside->waiting, timeouts[i]));
    }
    ROW(WP_ETIMEDOUT, next_code(inside->waiting, 0));
    atomic_fetch_add(&inside->calls, 1);
    return 0;
}

static void inside_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    inside_task(NULL, arg);
}

static void calls_inside_a_callback(void) {
    wp_results *spare = check_results(1, 0);
    struct inside inside = {check_pool(1, 8), check_results(1, 0), check_results(1, WP_RESULTS_WAIT), 0};
    wp_task task = recorded(inside.refusing, 1), filler = recorded(inside.waiting, 2);
    struct gate gate;
    gate_init(&gate);
    gate_shut(&gate, inside.pool, 1);
    task.run = inside_task;
    task.end = inside_end;
    task.arg = &inside;
    ROW(WP_OK, wp_submit_task(inside.pool, &task, 0)); /* Its own place fills the one, */
    ROW(WP_OK, wp_submit_task(inside.pool, &filler, 0)); /* one behind it the other. */
    check_post(&gate.open);
    ROW(WP_OK, wp_wait_idle(inside.pool, WP_FOREVER));
    ROW(2, atomic_load(&inside.calls));
    ROW(1, check_next(inside.refusing, 0).user_data);
    ROW(2, check_next(inside.waiting, 0).user_data);
    ROW(WP_OK, wp_destroy(inside.pool));
    ROW(WP_OK, wp_results_release(inside.refusing));
    ROW(WP_OK, wp_results_release(inside.waiting));
    ROW(WP_OK, wp_results_release(spare));
}

/* ---- the end, and references ---- */

static void nothing_more_comes_once_all_is_read(void) {
    wp_pool *pool = check_pool(1, 8);
    wp_results *results = check_results(4, 0);
    struct gate gate;
    int fd = wp_results_fd(results);
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    wp_task task = recorded(results, 5);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    ROW(WP_OK, wp_results_close(results));
    ROW(WP_ECLOSED, submit_refused(pool, results, WP_FOREVER));
    ROW(WP_ETIMEDOUT, next_code(results, 0)); /* One is still to come. */
    ROW(false, is_readable(fd));
    check_post(&gate.open);
    ROW(5, check_next(results, WP_FOREVER).user_data);
    ROW(WP_ECLOSED, next_code(results, 0));
    ROW(WP_ECLOSED, next_code(results, WP_FOREVER));
    ROW(true, is_readable(fd));
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

static void references_keep_results_alive(void) {
    for (int late = 0; late < 2; late++) {
        wp_pool *pool = check_pool(2, 8);
        wp_results *results = check_results(4, 0);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 2);
        ROW(4, free_places(pool, results));
        ROW(WP_OK, wp_results_retain(results));
        ROW(WP_OK, wp_results_release(results));
        if (late) {
            check_post_times(&gate.open, 2);
            ROW(WP_OK, wp_destroy(pool));
            ROW(0, check_next(results, 0).user_data); /* Results outlive their pool. */
            ROW(WP_OK, wp_results_release(results));
        } else {
            ROW(WP_OK, wp_results_release(results)); /* Only the tasks hold it now. */
            check_post_times(&gate.open, 2);
            ROW(WP_OK, wp_destroy(pool));
        }
    }
}

/* ---- the descriptor ---- */

static void the_descriptor_is_readable_iff_a_read_would_not_wait(void) {
    for (int early = 0; early < 2; early++) {
        wp_pool *pool = check_pool(1, 8);
        wp_results *results = check_results(3, 0);
        wp_task task = recorded(results, 5);
        wp_record records[3];
        size_t got = 0;
        int fd = early ? wp_results_fd(results) : -1;
        ROW(WP_OK, wp_submit_task(pool, &task, 0));
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        fd = early ? fd : wp_results_fd(results);
        CHECK(fd >= 0);
        ROW(fd, wp_results_fd(results));
        for (int round = 0; round < 3; round++) {
            ROW(true, is_readable(fd));
            (void)check_next(results, 0);
            ROW(false, is_readable(fd));
            for (int i = 0; i < 3; i++) {
                CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
            }
            CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
            ROW(true, is_readable(fd));
            (void)check_next(results, 0);
            ROW(true, is_readable(fd));
            ROW(WP_OK, wp_results_drain(results, records, 3, sizeof *records, 0, &got));
            ROW(2, got);
            ROW(false, is_readable(fd));
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
            CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        }
        ROW(WP_OK, wp_results_close(results));
        ROW(true, is_readable(fd));
        (void)check_next(results, 0);
        ROW(true, is_readable(fd)); /* The end. */
        ROW(WP_ECLOSED, next_code(results, 0));
        ROW(true, is_readable(fd));
        ROW(WP_OK, wp_results_release(results));
        ROW(-1, fcntl(fd, F_GETFD)); /* Closed with them. */
        ROW(WP_OK, wp_destroy(pool));
    }
}

static void no_descriptor_left_is_an_error(void) {
    struct rlimit before, none = {0, 0};
    wp_results *results = check_results(3, 0);
    CHECK_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    none.rlim_max = before.rlim_max;
    CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    ROW(WP_ENOMEM, wp_results_fd(results));
    CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
    ROW(true, wp_results_fd(results) >= 0);
    ROW(WP_OK, wp_results_release(results));
}

/* ---- fork ---- */

static void a_forked_child_is_told_at_once(void) {
    wp_pool *pool = check_pool(1, 8);
    wp_results *results = check_results(4, 0);
    wp_task task = recorded(results, 5);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK(wp_results_fd(results) >= 0);
    pid_t child = check_fork();
    if (child == 0) {
        size_t got = 12345;
        wp_record record;
        CHECK_EQ(WP_EFORKED, submit_refused(pool, results, WP_FOREVER));
        CHECK_EQ(WP_EFORKED, next_code(results, WP_FOREVER));
        CHECK_EQ(WP_EFORKED, wp_results_drain(results, &record, 1, sizeof record, WP_FOREVER, &got));
        CHECK_EQ(0, got);
        CHECK_EQ(WP_EFORKED, wp_results_close(results));
        CHECK_EQ(WP_EFORKED, wp_results_fd(results));
        CHECK_EQ(WP_EFORKED, wp_results_retain(results));
        wp_pool *own = check_pool(1, 1); /* The child's own pool takes nothing for the parent's results either. */
        CHECK_EQ(WP_EFORKED, submit_refused(own, results, WP_FOREVER));
        CHECK_EQ(WP_EFORKED, submit_refused_pair(own, results, WP_FOREVER));
        wp_results *fresh = check_results(1, 0);
        wp_task mine = recorded(fresh, 6);
        CHECK_EQ(WP_OK, wp_submit_task(own, &mine, 0));
        CHECK_EQ(6, check_next(fresh, WP_FOREVER).user_data);
        CHECK_EQ(WP_OK, wp_destroy(own));
        CHECK_EQ(WP_OK, wp_results_release(fresh));
        CHECK_EQ(WP_OK, wp_results_release(results));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    ROW(0, status);
    ROW(true, is_readable(wp_results_fd(results))); /* The parent noticed nothing. */
    ROW(5, check_next(results, 0).user_data);
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

int main(void) {
    check_begin("results_ends");
    CASE(a_submit_waits_for_a_place_if_asked_to);
    CASE(calls_inside_a_callback);
    CASE(nothing_more_comes_once_all_is_read);
    CASE(references_keep_results_alive);
    CASE(the_descriptor_is_readable_iff_a_read_would_not_wait);
    CASE(no_descriptor_left_is_an_error);
    CASE(a_forked_child_is_told_at_once);
    return check_end();
}
