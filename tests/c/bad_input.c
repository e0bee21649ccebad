/* SPDX-License-Identifier: MIT
 *
 * The promise (law L3): every bad input, and every call at a bad time, is answered with the code that the header names, and a
 * call that fails has changed nothing: no out parameter, no counter, no callback. Calls at a bad place: inside_callbacks.c;
 * wrong sizes: struct_sizes.c.
 */
#include "refused.h"

#include <limits.h>

/* ---- wp_strerror ---- */

static void every_code_has_its_own_text(void) {
    static const int codes[] = {WP_OK,        WP_EINVAL,  WP_ENOMEM,  WP_ETHREAD, WP_EFULL,  WP_ETIMEDOUT,
                                WP_ECLOSED,   WP_EDEADLK, WP_EFORKED, WP_EPANIC,  WP_ENOTSUP, WP_ERESULTS, WP_ECANCELLED,
                                WP_ETOOLATE};
    static const int unknown[] = {1, 2, -14, -15, -4096, INT_MAX, INT_MIN};
    enum { CODES = sizeof codes / sizeof codes[0], UNKNOWN = sizeof unknown / sizeof unknown[0] };
    for (size_t i = 0; i < CODES; i++) {
        const char *text = wp_strerror(codes[i]);
        CHECK(text != NULL && strlen(text) > 3);
        CHECK(strchr(text, '\n') == NULL);
        CHECK_EQ(-(long long)i, codes[i]);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(text, wp_strerror(codes[j])) != 0);
        }
        for (size_t j = 0; j < UNKNOWN; j++) {
            const char *other = wp_strerror(unknown[j]);
            CHECK(other != NULL && strlen(other) > 3 && strchr(other, '\n') == NULL);
            CHECK(strcmp(text, other) != 0);
        }
    }
}

static void the_version_is_the_headers(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", WP_VERSION_MAJOR, WP_VERSION_MINOR, WP_VERSION_PATCH);
    ROW(WP_VERSION_NUMBER, wp_version_number());
    ROW(0, strcmp(text, wp_version_string()));
}

/* ---- wp_create and wp_footprint ---- */

/* One field of otherwise small options. */
#define WITH(field, value) (options = small, options.field = (value), &options)

static void hook(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
}

static void bad_options_are_refused(void) {
    wp_options small = WP_OPTIONS_INIT, options;
    uint64_t bytes = 0;
    small.workers = 1;
    small.capacity = 4;

    ROW(WP_EINVAL, wp_create(NULL, NULL));
    ROW(WP_EINVAL, wp_create(&small, NULL));
    ROW(WP_EINVAL, wp_footprint(NULL, NULL));
    ROW(WP_EINVAL, wp_footprint(&small, NULL));
    ROW(WP_OK, wp_footprint(NULL, &bytes));
    ROW(WP_OK, create(NULL));

    BOTH(WP_OK, WITH(name, NULL));
    BOTH(WP_OK, WITH(name, ""));
    BOTH(WP_OK, WITH(name, "\xff\xfe not UTF-8, and far longer than any thread's name may be"));
    BOTH(WP_OK, WITH(workers, 0));
    BOTH(WP_EINVAL, WITH(workers, WP_WORKERS_MAX + 1));
    BOTH(WP_EINVAL, WITH(workers, INT32_MAX));
    BOTH(WP_EINVAL, WITH(workers, UINT32_MAX));
    BOTH(WP_OK, WITH(capacity, 0));
    BOTH(WP_OK, WITH(capacity, 1));
    BOTH(WP_EINVAL, WITH(capacity, WP_CAPACITY_MAX + 1));
    BOTH(WP_EINVAL, WITH(capacity, INT32_MAX));
    BOTH(WP_EINVAL, WITH(capacity, UINT32_MAX));
    BOTH(WP_OK, WITH(mode, WP_MODE_THREADS));
    BOTH(WP_OK, WITH(mode, WP_MODE_MANUAL));
    BOTH(WP_EINVAL, WITH(mode, 2));
    BOTH(WP_EINVAL, WITH(mode, UINT32_MAX));
    BOTH(WP_EINVAL, WITH(timers, 2));
    BOTH(WP_EINVAL, WITH(timers, UINT32_MAX));
    BOTH(WP_OK, WITH(timers, 1));
    BOTH(WP_ENOTSUP, WITH(reserved_pointer, &options));
    BOTH(WP_OK, WITH(stack_size, 0));
    BOTH(WP_EINVAL, WITH(stack_size, 1));
    BOTH(WP_EINVAL, WITH(stack_size, WP_STACK_MIN - 1));
    BOTH(WP_OK, WITH(stack_size, WP_STACK_MIN));
    BOTH(WP_OK, WITH(stack_size, WP_STACK_MIN + 1));
    BOTH(WP_OK, WITH(on_thread_start, hook));
    BOTH(WP_OK, WITH(on_thread_stop, hook));
    BOTH(WP_OK, WITH(thread_arg, &options));

    /* The limits themselves are allowed. */
    ROW(WP_OK, footprint(WITH(workers, WP_WORKERS_MAX)));
    ROW(WP_OK, footprint(WITH(capacity, WP_CAPACITY_MAX)));
}

/* A number of bytes that no system has. The header: a thread could not be started; or the number itself is refused. */
static void a_stack_that_no_system_has_is_refused(void) {
    static const uint64_t sizes[] = {UINT64_C(1) << 60, UINT64_C(1) << 62, (UINT64_C(1) << 63) + 4096, UINT64_MAX - 4096,
                                     UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wp_options options = WP_OPTIONS_INIT;
        options.workers = 2;
        options.stack_size = sizes[i];
        int code = create(&options);
        ROW(true, code == WP_ETHREAD || code == WP_EINVAL);
        AWAIT(check_threads() == 1);
    }
}

static void the_largest_numbers_work_or_are_refused_for_want_of_means(void) {
    wp_options options = WP_OPTIONS_INIT;
    if (CHECK_SANITIZED || check_on_valgrind()) {
        return; /* Checkers have limits of their own on threads and memory. */
    }
    options.workers = 1;
    options.capacity = WP_CAPACITY_MAX;
    int code = create(&options);
    ROW(true, code == WP_OK || code == WP_ENOMEM);
    options.workers = WP_WORKERS_MAX;
    options.capacity = 1;
    options.stack_size = WP_STACK_MIN;
    code = create(&options);
    ROW(true, code == WP_OK || code == WP_ENOMEM || code == WP_ETHREAD);
    AWAIT(check_threads() == 1);
}

/* ---- calls on a pool ---- */

static void null_and_unknown_arguments_are_refused(void) {
    wp_pool *pool = check_pool(1, 4);
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT, report_before;
    wp_stats before = check_stats(pool);
    memset((unsigned char *)&report + 8, CANARY, sizeof report - 8);
    report_before = report;

    ROW(WP_EINVAL, wp_submit(NULL, must_not_run, NULL));
    ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
    ROW(WP_EINVAL, wp_submit(NULL, NULL, NULL));
    ROW(WP_EINVAL, wp_try_submit(NULL, must_not_run, NULL));
    ROW(WP_EINVAL, wp_try_submit(pool, NULL, NULL));
    ROW(WP_EINVAL, wp_submit_for(NULL, must_not_run, NULL, 0));
    ROW(WP_EINVAL, wp_submit_for(NULL, must_not_run, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_for(pool, NULL, NULL, 0));
    ROW(WP_EINVAL, wp_submit_for(pool, NULL, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_task(pool, NULL, 0));
    ROW(WP_EINVAL, wp_submit_task(NULL, NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_submit_task(pool, &task, 0)); /* run is NULL */
    task.end = must_not_end;
    ROW(WP_EINVAL, wp_submit_task(pool, &task, WP_FOREVER));
    ROW(WP_EINVAL, submit_full_task(NULL, 0));
    ROW(WP_EINVAL, submit_full_task(NULL, WP_FOREVER));
    size_t accepted = 12345;
    ROW(WP_EINVAL, wp_submit_batch(pool, NULL, 1, sizeof task, 0, &accepted));
    ROW(0, accepted);
    accepted = 12345;
    ROW(WP_EINVAL, wp_submit_batch(NULL, NULL, 0, sizeof task, 0, &accepted));
    ROW(0, accepted);
    accepted = 12345;
    ROW(WP_EINVAL, wp_submit_batch(pool, &task, 1, sizeof task, WP_FOREVER, &accepted)); /* run is NULL */
    ROW(0, accepted);
    ROW(WP_EINVAL, wp_submit_batch(pool, &task, 1, sizeof task, WP_FOREVER, NULL));
    ROW(WP_EINVAL, wp_submit_batch(pool, NULL, 1, sizeof task, WP_FOREVER, NULL));
    ROW(WP_EINVAL, wp_submit_batch(NULL, NULL, 1, sizeof task, WP_FOREVER, NULL));
    ROW(WP_EINVAL, submit_refused_batch(NULL, 0));
    ROW(WP_EINVAL, submit_refused_batch(NULL, WP_FOREVER));
    ROW(0, wp_is_inside(NULL));
    ROW(WP_EINVAL, wp_wait_idle(NULL, 0));
    ROW(WP_EINVAL, wp_wait_idle(NULL, WP_FOREVER));
    ROW(WP_EINVAL, wp_shutdown(NULL));
    ROW(WP_EINVAL, wp_shutdown_for(NULL, WP_SHUTDOWN_DRAIN, 0, NULL));
    ROW(WP_EINVAL, wp_shutdown_for(NULL, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, &report));
    ROW(WP_EINVAL, wp_shutdown_for(pool, UINT32_MAX, WP_FOREVER, &report));
    ROW(0, memcmp(&report, &report_before, sizeof report));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        report.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
        ROW(WP_EINVAL, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    }
    ROW(WP_EINVAL, wp_stats_get(NULL, &stats));
    ROW(WP_EINVAL, wp_stats_get(pool, NULL));
    ROW(WP_EINVAL, wp_stats_get(NULL, NULL));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        wp_stats bad;
        memset(&bad, CANARY, sizeof bad);
        bad.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_stats_get(pool, &bad));
        ROW(true, is_all((unsigned char *)&bad + 8, sizeof bad - 8, CANARY));
    }
    ROW(0, wp_now(NULL));
    ROW(true, wp_now(pool) > 0);
    ROW(0, wp_deadline_after(NULL, 5));
    ROW(0, wp_deadline_after(NULL, WP_FOREVER));
    ROW(0, wp_deadline_after(pool, WP_FOREVER));
    ROW(WP_STOP_NONE, wp_group_stop_reason(NULL));
    ROW(WP_NO_WORKER, wp_worker_index(NULL));
    ROW(true, wp_label(NULL) == NULL);
    ROW(WP_OK, wp_destroy(NULL));
    ROW(WP_OK, wp_destroy(NULL));

    /* Nothing of all this did anything. */
    wp_stats after = check_stats(pool);
    ROW(0, memcmp(&before, &after, sizeof before));
    ROW(0, after.closed);
    ROW(0, after.accepted);
    ROW(0, after.refused);
    ROW(WP_OK, wp_destroy(pool));
}

static void every_timeout_is_a_number(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_S, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_pool *pool = check_pool(1, 4);
        wp_task task = WP_TASK_INIT;
        task.run = ok_task;
        ROW(WP_OK, wp_submit_for(pool, check_nothing, NULL, timeouts[i]));
        ROW(WP_OK, wp_submit_task(pool, &task, timeouts[i]));
        ROW(WP_OK, wp_submit_batch(pool, &task, 1, sizeof task, timeouts[i], NULL));
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_OK, wp_wait_idle(pool, timeouts[i]));
        int code = wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], NULL);
        ROW(true, code == WP_OK || (code == WP_ETIMEDOUT && timeouts[i] <= NS_PER_S));
        ROW(WP_OK, wp_destroy(pool));
    }
}

/* A timeout near the clock's end is not mistaken for one that is over: the waits below end by their event. */
static void *open_when_waiting(void *arg) {
    struct { wp_pool *pool; struct gate *gate; } *both = arg;
    AWAIT(check_stats(both->pool).waiting == 1);
    check_post(&both->gate->open);
    return NULL;
}

static void a_huge_timeout_waits(void) {
    static const uint64_t timeouts[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_pool *pool = check_pool(1, 1);
        struct gate gate;
        gate_init(&gate);
        struct { wp_pool *pool; struct gate *gate; } both = {pool, &gate};
        gate_shut(&gate, pool, 1);
        check_fill(pool, 1);
        pthread_t opener = check_thread(open_when_waiting, &both);
        ROW(WP_OK, wp_submit_for(pool, gate_task, &gate, timeouts[i]));
        check_join(opener);
        check_wait(&gate.begun);
        ROW(WP_ETIMEDOUT, wp_wait_idle(pool, 0));
        ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
        check_post(&gate.open);
        ROW(WP_OK, wp_wait_idle(pool, timeouts[i]));
        ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], NULL));
        ROW(WP_OK, wp_destroy(pool));
    }
}

/* ---- at a bad time ---- */

/* Outside, a full queue refuses those that do not wait, and counts them. */
static void submits_to_a_full_queue(void) {
    wp_pool *pool = check_pool(1, 2);
    struct gate gate;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 2);
    ROW(1, check_stats(pool).refused);
    ROW(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_EFULL, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_ETIMEDOUT, wp_submit_for(pool, must_not_run, NULL, NS_PER_MS));
    ROW(WP_EFULL, submit_full_task(pool, 0));
    ROW(WP_ETIMEDOUT, submit_full_task(pool, NS_PER_MS));
    ROW(WP_EFULL, submit_refused_batch(pool, 0));
    ROW(WP_ETIMEDOUT, submit_refused_batch(pool, NS_PER_MS));
    ROW(8, check_stats(pool).refused); /* A batch counts once, whatever it had. */
    ROW(3, check_stats(pool).waits);
    ROW(3, check_stats(pool).accepted);
    ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
    ROW(8, check_stats(pool).refused);
    check_post(&gate.open);
    ROW(WP_OK, wp_destroy(pool));
}

static void calls_after_a_shutdown(void) {
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = check_pool(2, 4);
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        ROW(WP_OK, wp_submit(pool, check_nothing, NULL));
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        ROW(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, &report));
        for (int twice = 0; twice < 2; twice++) {
            submits_are_closed(pool);
            ROW(WP_EINVAL, wp_submit(pool, NULL, NULL));
            ROW(WP_EINVAL, wp_submit_batch(pool, NULL, 1, sizeof(wp_task), 0, NULL));
            ROW(WP_OK, wp_submit_batch(pool, NULL, 0, sizeof(wp_task), 0, NULL)); /* All of nothing is accepted. */
            ROW(WP_OK, wp_wait_idle(pool, 0));
            ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
            ROW(WP_OK, wp_shutdown(pool));
            ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
            ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
            ROW(WP_EINVAL, wp_shutdown_for(pool, 2, 0, NULL));
            ROW(true, report.queued == 0 && report.running == 0 && report.discarded == 0);
            ROW(true, wp_now(pool) > 0);
            wp_stats stats = check_stats(pool);
            ROW(true, stats.closed == 1 && stats.accepted == 1 && stats.ran == 1 && stats.exact == 1);
            ROW(0, stats.refused); /* WP_ECLOSED is no want of room. */
            ROW(2, stats.workers);
        }
        ROW(WP_OK, wp_destroy(pool));
    }
}

int main(void) {
    check_begin("bad_input");
    CASE(every_code_has_its_own_text);
    CASE(the_version_is_the_headers);
    CASE(bad_options_are_refused);
    CASE(a_stack_that_no_system_has_is_refused);
    CASE(the_largest_numbers_work_or_are_refused_for_want_of_means);
    CASE(null_and_unknown_arguments_are_refused);
    CASE(every_timeout_is_a_number);
    CASE(a_huge_timeout_waits);
    CASE(submits_to_a_full_queue);
    CASE(calls_after_a_shutdown);
    return check_end();
}
