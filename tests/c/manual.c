/* SPDX-License-Identifier: MIT
 *
 * The promise: a manual pool runs nothing but on the thread that steps it, in order, one at a time, and keeps every other promise
 * of a pool; what would wait steps instead, and is refused where stepping is of no use. Its clock moves only when it is told.
 */
#include "check.h"

#include <sys/wait.h>

static wp_pool *manual_pool(uint32_t capacity) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.mode = WP_MODE_MANUAL;
    options.capacity = capacity;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    return pool;
}

static pthread_t stepper;
static unsigned order[16], ran_so_far;

static void note(void *arg) {
    CHECK(pthread_equal(stepper, pthread_self()));
    order[ran_so_far++ % 16] = (unsigned)(uintptr_t)arg;
}

static void submit_notes(wp_pool *pool, unsigned from, unsigned to) {
    for (; from < to; from++) {
        CHECK_EQ(WP_OK, wp_try_submit(pool, note, (void *)(uintptr_t)from));
    }
}

static void begin(void) {
    stepper = pthread_self();
    ran_so_far = 0;
}

static void must_not_be_hooked(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
    CHECK(!"a manual pool has no thread that starts or stops");
}

static void nothing_runs_unless_it_is_stepped(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    uint64_t ran = 77;
    unsigned threads = check_threads();
    begin();
    options.mode = WP_MODE_MANUAL;
    options.capacity = 8;
    options.on_thread_start = options.on_thread_stop = must_not_be_hooked;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    CHECK_EQ(threads, check_threads());
    submit_notes(pool, 0, 5);
    CHECK_EQ(5, check_stats(pool).queued);
    CHECK_EQ(1, check_stats(pool).workers);
    CHECK_EQ(0, ran_so_far);
    CHECK_EQ(WP_OK, wp_run(pool, 0, &ran));
    CHECK_EQ(0, ran);
    CHECK_EQ(WP_OK, wp_run(pool, 2, &ran));
    CHECK_EQ(2, ran);
    CHECK_EQ(2, ran_so_far);
    CHECK_EQ(3, check_stats(pool).queued);
    CHECK_EQ(WP_OK, wp_run(pool, UINT64_MAX, &ran));
    CHECK_EQ(3, ran);
    CHECK_EQ(WP_OK, wp_run(pool, 1, &ran));
    CHECK_EQ(0, ran);
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(i, order[i]);
    }
    wp_stats stats = check_stats(pool);
    CHECK_EQ(5, stats.accepted);
    CHECK_EQ(5, stats.ran);
    CHECK(stats.exact);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(threads, check_threads());
}

static int tell_worker(wp_context *context, void *arg) {
    *(uint32_t *)arg = wp_worker_index(context);
    return 7;
}

static wp_outcome told;

static void tell_outcome(const wp_outcome *outcome, void *arg) {
    (void)arg;
    told = *outcome;
}

static void the_stepper_is_worker_0(void) {
    wp_pool *pool = manual_pool(1);
    wp_task task = WP_TASK_INIT;
    uint32_t worker = 99;
    task.run = tell_worker;
    task.end = tell_outcome;
    task.arg = &worker;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    CHECK_EQ(0, worker);
    CHECK_EQ(WP_FATE_RAN, told.fate);
    CHECK_EQ(7, told.status);
    CHECK_EQ(0, told.worker);
    CHECK_EQ(1, check_stats(pool).failed);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_submit_that_finds_no_room_runs_what_is_in_its_way(void) {
    wp_pool *pool = manual_pool(2);
    begin();
    submit_notes(pool, 0, 2);
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFULL, wp_submit_for(pool, must_not_run, NULL, 0));
    CHECK_EQ(0, ran_so_far);
    CHECK_EQ(WP_OK, wp_submit(pool, note, (void *)2));
    CHECK_EQ(1, ran_so_far);
    CHECK_EQ(WP_OK, wp_submit_for(pool, note, (void *)3, 1));
    CHECK_EQ(2, ran_so_far);
    CHECK_EQ(2, check_stats(pool).queued);

    wp_task batch[4];
    uint32_t workers[4] = {9, 9, 9, 9};
    size_t accepted = 0;
    for (int i = 0; i < 4; i++) {
        wp_task_init(&batch[i], sizeof batch[i]);
        batch[i].run = tell_worker;
        batch[i].arg = &workers[i];
    }
    CHECK_EQ(WP_EFULL, wp_submit_batch(pool, batch, 4, sizeof *batch, 0, &accepted));
    CHECK_EQ(0, accepted);
    CHECK_EQ(WP_OK, wp_submit_batch(pool, batch, 4, sizeof *batch, WP_FOREVER, &accepted));
    CHECK_EQ(4, accepted);
    CHECK_EQ(4, ran_so_far);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(i, order[i]);
        CHECK_EQ(0, workers[i]);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Submits one more, so many times. */
static wp_pool *chained;

static void chain(void *arg) {
    unsigned left = (unsigned)(uintptr_t)arg;
    ran_so_far++;
    if (left > 0) {
        CHECK_EQ(WP_OK, wp_try_submit(chained, chain, (void *)(uintptr_t)(left - 1)));
    }
}

static void waits_run_everything(void) {
    chained = manual_pool(4);
    begin();
    CHECK_EQ(WP_OK, wp_wait_idle(chained, 0));
    CHECK_EQ(WP_OK, wp_submit(chained, chain, (void *)100));
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(chained, 0));
    CHECK_EQ(0, ran_so_far);
    CHECK_EQ(WP_OK, wp_wait_idle(chained, 1));
    CHECK_EQ(101, ran_so_far);

    CHECK_EQ(WP_OK, wp_submit(chained, note, (void *)1));
    CHECK_EQ(WP_OK, wp_submit(chained, note, (void *)2));
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(chained, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK_EQ(2, report.queued);
    CHECK_EQ(101, ran_so_far);
    CHECK_EQ(WP_ECLOSED, wp_submit(chained, must_not_run, NULL));
    CHECK_EQ(WP_OK, wp_run(chained, 1, NULL));
    CHECK_EQ(102, ran_so_far);
    CHECK_EQ(WP_OK, wp_shutdown(chained));
    CHECK_EQ(103, ran_so_far);
    CHECK_EQ(WP_OK, wp_shutdown(chained));
    CHECK_EQ(WP_OK, wp_run(chained, 1, NULL));
    CHECK_EQ(WP_OK, wp_destroy(chained));

    wp_pool *pool = manual_pool(4);
    begin();
    submit_notes(pool, 0, 3);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(3, ran_so_far);
}

static void a_cancel_discards(void) {
    wp_pool *pool = manual_pool(4);
    wp_task task = WP_TASK_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    task.run = must_not_run_task;
    task.end = tell_outcome;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    CHECK_EQ(2, report.discarded);
    CHECK_EQ(WP_FATE_DISCARDED, told.fate);
    CHECK_EQ(WP_NO_WORKER, told.worker);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void ask_from_inside(void *arg) {
    wp_pool *pool = arg;
    uint64_t ran = 5;
    CHECK_EQ(WP_EDEADLK, wp_run(pool, 1, &ran));
    CHECK_EQ(0, ran);
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, 0));
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_EDEADLK, wp_shutdown(pool));
    CHECK_EQ(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    CHECK_EQ(WP_EDEADLK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_try_submit(pool, note, (void *)1));
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, note, (void *)2));
    CHECK_EQ(WP_EDEADLK, wp_submit(pool, note, (void *)2));
    CHECK_EQ(WP_EDEADLK, wp_submit_for(pool, note, (void *)2, 1));
    CHECK_EQ(WP_OK, wp_clock_advance(pool, 1));
}

static void nothing_waits_inside_a_task(void) {
    wp_pool *pool = manual_pool(1);
    begin();
    CHECK_EQ(WP_OK, wp_submit(pool, ask_from_inside, pool));
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    CHECK_EQ(1, ran_so_far);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void *run_one(void *pool) {
    uint64_t ran = 0;
    CHECK_EQ(WP_OK, wp_run(pool, 1, &ran));
    CHECK_EQ(1, ran);
    return NULL;
}

static void what_another_thread_steps_cannot_be_waited_for(void) {
    wp_pool *pool = manual_pool(1);
    struct gate gate;
    uint64_t ran = 5;
    gate_init(&gate);
    CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate));
    pthread_t other = check_thread(run_one, pool);
    check_wait(&gate.begun);
    CHECK_EQ(1, check_stats(pool).running);
    CHECK_EQ(WP_EDEADLK, wp_run(pool, 1, &ran));
    CHECK_EQ(0, ran);
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0));
    CHECK_EQ(WP_EDEADLK, wp_shutdown(pool)); /* Nothing was closed, */
    CHECK_EQ(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 1, NULL));
    CHECK_EQ(WP_EDEADLK, wp_destroy(pool));
    CHECK_EQ(0, check_stats(pool).closed);
    CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
    CHECK_EQ(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL)); /* nor discarded. */
    CHECK_EQ(1, check_stats(pool).queued);
    CHECK_EQ(WP_EDEADLK, wp_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
    CHECK_EQ(WP_EDEADLK, wp_shutdown(pool));
    check_post(&gate.open);
    check_join(other);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(2, check_stats(pool).ran);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- beside others who want each place ---- */

static struct retaker {
    wp_pool *pool;
    wp_waiter waiter;
    unsigned taken, left;
} retaker;

static void take_each_place(void *arg) {
    (void)arg;
    while (retaker.left > 0 && wp_try_submit(retaker.pool, check_nothing, NULL) == WP_OK) {
        retaker.taken++;
        retaker.left--;
    }
    if (retaker.left > 0) {
        int code = wp_when_room(retaker.pool, &retaker.waiter);
        CHECK(code == WP_OK || code == WP_ECLOSED);
    }
}

static void submit_itself_again(void *arg) {
    wp_pool *pool = arg;
    if (retaker.left > 0) {
        retaker.left--;
        retaker.taken += wp_try_submit(pool, submit_itself_again, pool) == WP_OK;
    }
}

/* A thousand tasks want the one place: a submit gets it all the same, and so do they. */
static void a_submit_gets_on_beside_those_who_take_each_place(void) {
    for (int is_told = 0; is_told < 2; is_told++) {
        wp_pool *pool = manual_pool(1);
        retaker = (struct retaker){pool, WP_WAITER_INIT, 0, 1000};
        retaker.waiter.notify = take_each_place;
        if (is_told) {
            CHECK_EQ(WP_OK, wp_when_room(pool, &retaker.waiter));
        } else {
            submit_itself_again(pool);
        }
        for (unsigned i = 0; i < 10; i++) {
            unsigned before = retaker.taken;
            CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
            CHECK_AT_MOST(2, retaker.taken - before);
        }
        CHECK_AT_LEAST(is_told ? 10 : 1, retaker.taken);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static wp_group *cancelled;

static int must_not_start(wp_context *context, void *arg);

/* Leaves its own place to a task that is gone when it is come to. */
static void submit_and_cancel(void *pool) {
    wp_task task = WP_TASK_INIT;
    task.run = must_not_start;
    task.group = cancelled;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_group_cancel(cancelled));
}

static void a_submit_that_steps_does_not_run_its_own_task(void) {
    wp_pool *pool = manual_pool(1);
    CHECK_EQ(WP_OK, wp_group_create(pool, NULL, &cancelled));
    CHECK_EQ(WP_OK, wp_submit(pool, submit_and_cancel, pool));
    stepper = pthread_self();
    ran_so_far = 0;
    CHECK_EQ(WP_OK, wp_submit(pool, note, NULL));
    CHECK_EQ(0, ran_so_far);
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    CHECK_EQ(1, ran_so_far);
    CHECK_EQ(WP_OK, wp_group_release(cancelled));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void end_at_the_gate(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_CANCELLED, outcome->fate);
    gate_task(arg);
}

static int must_not_start(wp_context *context, void *arg) {
    (void)context;
    must_not_run(arg);
    return 0;
}

static void *cancel(void *group) {
    CHECK_EQ(WP_OK, wp_group_cancel(group));
    return NULL;
}

static void what_another_thread_ends_cannot_be_waited_for(void) {
    wp_pool *pool = manual_pool(2);
    wp_group *group = NULL;
    wp_task task = WP_TASK_INIT;
    struct gate gate;
    gate_init(&gate);
    CHECK_EQ(WP_OK, wp_group_create(pool, NULL, &group));
    task.run = must_not_start;
    task.end = end_at_the_gate;
    task.arg = &gate;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    pthread_t other = check_thread(cancel, group);
    check_wait(&gate.begun);
    CHECK_EQ(WP_EDEADLK, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(pool, WP_FOREVER));
    check_post(&gate.open);
    check_join(other);
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(1, check_stats(pool).cancelled);
    CHECK_EQ(WP_OK, wp_group_release(group));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void results_that_wait_for_their_reader_are_not_waited_for(void) {
    wp_pool *pool = manual_pool(4);
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_results *results = NULL;
    wp_task task = WP_TASK_INIT;
    wp_record record = WP_RECORD_INIT;
    uint32_t worker = 9;
    options.capacity = 1;
    options.flags = WP_RESULTS_WAIT;
    CHECK_EQ(WP_OK, wp_results_create(&options, &results));
    task.run = tell_worker;
    task.arg = &worker;
    task.results = results;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_EDEADLK, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_EDEADLK, wp_submit_task(pool, &task, 1));
    CHECK_EQ(WP_ERESULTS, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_ETIMEDOUT, wp_results_next(results, &record, 0));
    CHECK_EQ(WP_OK, wp_run(pool, 1, NULL));
    CHECK_EQ(WP_OK, wp_results_next(results, &record, 0));
    CHECK_EQ(7, record.status);
    CHECK_EQ(0, record.worker);
    CHECK_EQ(WP_OK, wp_results_release(results));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void the_clock_moves_when_it_is_told(void) {
    wp_pool *pool = manual_pool(1);
    ROW(NS_PER_S, wp_now(pool));
    ROW(WP_OK, wp_clock_advance(pool, 0));
    ROW(NS_PER_S, wp_now(pool));
    ROW(WP_OK, wp_clock_advance(pool, 5));
    ROW(NS_PER_S + 5, wp_now(pool));
    ROW(NS_PER_S + 5, wp_deadline_after(pool, 0));
    ROW(NS_PER_S + 12, wp_deadline_after(pool, 7));
    ROW(true, wp_deadline_after(pool, UINT64_MAX - 1 - (NS_PER_S + 5)) == UINT64_MAX - 1);
    ROW(true, wp_deadline_after(pool, UINT64_MAX - (NS_PER_S + 5)) == UINT64_MAX);
    ROW(true, wp_deadline_after(pool, UINT64_MAX - 1) == UINT64_MAX); /* No further than the clock reaches. */
    ROW(0, wp_deadline_after(pool, WP_FOREVER));
    ROW(WP_OK, wp_clock_advance(pool, UINT64_MAX));
    ROW(true, wp_now(pool) == UINT64_MAX);
    ROW(WP_OK, wp_shutdown(pool));
    ROW(WP_OK, wp_clock_advance(pool, 1));
    ROW(WP_OK, wp_destroy(pool));
}

static void bad_input_is_refused(void) {
    wp_pool *threads = check_pool(1, 1);
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    uint64_t ran = 5, bytes = 0, with_a_thread = 0;
    ROW(WP_EINVAL, wp_run(NULL, 1, &ran));
    ROW(0, ran);
    ROW(WP_EINVAL, wp_run(threads, 1, NULL));
    ROW(WP_EINVAL, wp_run(NULL, UINT64_MAX, NULL));
    ROW(WP_EINVAL, wp_clock_advance(NULL, 1));
    ROW(WP_EINVAL, wp_clock_advance(threads, 1));
    ROW(WP_OK, wp_destroy(threads));

    options.capacity = 4;
    options.workers = 1;
    ROW(WP_OK, wp_footprint(&options, &with_a_thread));
    options.mode = WP_MODE_MANUAL;
    ROW(WP_OK, wp_footprint(&options, &bytes));
    ROW(true, bytes < with_a_thread);
    ROW(WP_OK, wp_create(&options, &pool));
    ROW(WP_OK, wp_destroy(pool));
    options.workers = 2;
    ROW(WP_EINVAL, wp_create(&options, &pool));
    options.workers = WP_WORKERS_MAX;
    ROW(WP_EINVAL, wp_create(&options, &pool));
}

static void a_forked_child_is_refused(void) {
    wp_pool *pool = manual_pool(1);
    CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    pid_t child = check_fork();
    if (child == 0) {
        CHECK_EQ(WP_EFORKED, wp_run(pool, 1, NULL));
        CHECK_EQ(WP_EFORKED, wp_clock_advance(pool, 1));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        _exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Several threads submit to one pool and step it, until each has had so many tasks accepted. */
enum { THREADS = 4, EACH = 2000 };
static atomic_uint runs[THREADS][EACH];
static atomic_uint at_once;

static void count_alone(void *arg) {
    CHECK_EQ(0, atomic_fetch_add(&at_once, 1));
    check_count(arg);
    atomic_fetch_sub(&at_once, 1);
}

static void *submit_and_step(void *arg) {
    static atomic_uint threads;
    unsigned me = atomic_fetch_add(&threads, 1) % THREADS;
    wp_pool *pool = arg;
    for (unsigned i = 0; i < EACH;) {
        int code = i % 2 ? wp_submit(pool, count_alone, &runs[me][i]) : wp_try_submit(pool, count_alone, &runs[me][i]);
        if (code == WP_OK) {
            i++;
        } else {
            CHECK(code == WP_EDEADLK || code == WP_EFULL);
            code = wp_run(pool, 2, NULL);
            CHECK(code == WP_OK || code == WP_EDEADLK);
        }
    }
    return NULL;
}

static void many_steppers_run_each_task_once_and_alone(void) {
    wp_pool *pool = manual_pool(3);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = check_thread(submit_and_step, pool);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        check_join(threads[i]);
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    for (unsigned i = 0; i < THREADS * EACH; i++) {
        CHECK_EQ(1, atomic_load(&runs[i / EACH][i % EACH]));
    }
    CHECK_EQ(THREADS * EACH, check_stats(pool).ran);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("manual");
    CASE(nothing_runs_unless_it_is_stepped);
    CASE(the_stepper_is_worker_0);
    CASE(a_submit_that_finds_no_room_runs_what_is_in_its_way);
    CASE(waits_run_everything);
    CASE(a_cancel_discards);
    CASE(nothing_waits_inside_a_task);
    CASE(a_submit_gets_on_beside_those_who_take_each_place);
    CASE(a_submit_that_steps_does_not_run_its_own_task);
    CASE(what_another_thread_steps_cannot_be_waited_for);
    CASE(what_another_thread_ends_cannot_be_waited_for);
    CASE(results_that_wait_for_their_reader_are_not_waited_for);
    CASE(the_clock_moves_when_it_is_told);
    CASE(bad_input_is_refused);
    CASE(a_forked_child_is_refused);
    CASE(many_steppers_run_each_task_once_and_alone);
    return check_end();
}
