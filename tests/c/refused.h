/* SPDX-License-Identifier: MIT
 *
 * What the tests about refusals share: tasks that must not run, what fails without a trace, sizes that no struct has.
 */
#ifndef REFUSED_H
#define REFUSED_H

#include "check.h"

enum { CANARY = 0xA5 };

static UNUSED void must_not_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    (void)arg;
    CHECK(!"the end of a refused task was called");
}

static UNUSED int ok_task(wp_context *context, void *arg) {
    (void)context;
    if (arg != NULL) {
        check_count(arg);
    }
    return 0;
}

static UNUSED bool is_all(const unsigned char *bytes, size_t size, unsigned char value) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

/* Every `struct_size` of these is wrong for every struct. */
static const size_t UNUSED bad_sizes[] = {0, 1, 7, 9, 12, 15, 4097, 4104, 65536, SIZE_MAX - 7, SIZE_MAX / 2 + 1, SIZE_MAX};
enum { BAD_SIZES = sizeof bad_sizes / sizeof bad_sizes[0] };

static const char sentinel_byte;
#define SENTINEL ((wp_pool *)(uintptr_t)&sentinel_byte)

/* What wp_create says; a pool that was made is destroyed again. A refusal must leave the out parameter alone. */
static UNUSED int create(const wp_options *options) {
    wp_pool *pool = SENTINEL;
    int code = wp_create(options, &pool);
    if (code == WP_OK) {
        CHECK(pool != SENTINEL && pool != NULL);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    } else {
        CHECK(pool == SENTINEL);
    }
    return code;
}

static UNUSED int footprint(const wp_options *options) {
    uint64_t bytes = 12345;
    int code = wp_footprint(options, &bytes);
    CHECK(code == WP_OK ? bytes != 12345 && bytes != 0 : bytes == 12345);
    return code;
}

/* wp_create() and wp_footprint() agree about every option. */
#define BOTH(expected, options)         \
    do {                                \
        ROW(expected, footprint(options)); \
        ROW(expected, create(options));    \
    } while (0)

static UNUSED int submit_full_task(wp_pool *pool, uint64_t timeout_ns) {
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    return wp_submit_task(pool, &task, timeout_ns);
}

/* A batch of which nothing must be accepted. */
static UNUSED int submit_refused_batch(wp_pool *pool, uint64_t timeout_ns) {
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    wp_task batch[] = {task, task};
    size_t accepted = 12345;
    int code = wp_submit_batch(pool, batch, 2, sizeof *batch, timeout_ns, &accepted);
    CHECK_EQ(0, accepted);
    return code;
}

/* Every submit on a closed pool. */
static UNUSED void submits_are_closed(wp_pool *pool) {
    ROW(WP_ECLOSED, wp_submit(pool, must_not_run, NULL));
    ROW(WP_ECLOSED, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, NS_PER_S));
    ROW(WP_ECLOSED, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    ROW(WP_ECLOSED, submit_full_task(pool, 0));
    ROW(WP_ECLOSED, submit_full_task(pool, WP_FOREVER));
    ROW(WP_ECLOSED, submit_refused_batch(pool, 0));
    ROW(WP_ECLOSED, submit_refused_batch(pool, WP_FOREVER));
}

#endif
