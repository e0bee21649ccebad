/* SPDX-License-Identifier: MIT
 *
 * The calls that a program makes, as a table: once of the library, once of the model.
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "model_calls.h"

#include <poll.h>

struct calls {
    int (*create)(const wp_options *, wp_pool **);
    int (*destroy)(wp_pool *);
    int (*submit)(wp_pool *, wp_run_fn, void *);
    int (*try_submit)(wp_pool *, wp_run_fn, void *);
    int (*submit_for)(wp_pool *, wp_run_fn, void *, uint64_t);
    int (*submit_task)(wp_pool *, const wp_task *, uint64_t);
    int (*submit_batch)(wp_pool *, const wp_task *, size_t, size_t, uint64_t, size_t *);
    int (*run)(wp_pool *, uint64_t, uint64_t *);
    int (*clock_advance)(wp_pool *, uint64_t);
    uint64_t (*now)(const wp_pool *);
    int (*wait_idle)(wp_pool *, uint64_t);
    int (*shutdown_for)(wp_pool *, uint32_t, uint64_t, wp_shutdown_report *);
    int (*stats_get)(const wp_pool *, wp_stats *);
    int (*group_create)(wp_pool *, const wp_group_options *, wp_group **);
    int (*group_retain)(wp_group *);
    int (*group_release)(wp_group *);
    int (*group_wait)(wp_group *, uint64_t);
    int (*group_cancel)(wp_group *);
    int (*group_status_get)(const wp_group *, wp_group_status *);
    int (*should_stop)(const wp_context *);
    uint32_t (*stop_reason)(const wp_context *);
    uint64_t (*time_left)(const wp_context *);
    uint32_t (*worker_index)(const wp_context *);
    const char *(*label)(const wp_context *);
    wp_group *(*context_group)(const wp_context *);
    int (*results_create)(const wp_results_options *, wp_results **);
    int (*results_retain)(wp_results *);
    int (*results_release)(wp_results *);
    int (*results_next)(wp_results *, wp_record *, uint64_t);
    int (*results_drain)(wp_results *, wp_record *, size_t, size_t, uint64_t, size_t *);
    int (*results_close)(wp_results *);
    int (*results_are_readable)(wp_results *);
    int (*when_room)(wp_pool *, wp_waiter *);
    int (*forget_room)(wp_pool *, wp_waiter *, uint64_t);
    int (*room_is_readable)(wp_pool *);
};

static int is_readable(int fd) {
    struct pollfd wanted = {fd, POLLIN, 0};
    CHECK(fd >= 0);
    CHECK(poll(&wanted, 1, 0) >= 0);
    return (wanted.revents & POLLIN) != 0;
}

static int library_results_are_readable(wp_results *results) {
    return is_readable(wp_results_fd(results));
}

static int library_room_is_readable(wp_pool *pool) {
    return is_readable(wp_room_fd(pool));
}

static const struct calls of_the_library = {
    wp_create, wp_destroy, wp_submit, wp_try_submit, wp_submit_for, wp_submit_task, wp_submit_batch, wp_run, wp_clock_advance,
    wp_now, wp_wait_idle, wp_shutdown_for, wp_stats_get, wp_group_create, wp_group_retain, wp_group_release, wp_group_wait,
    wp_group_cancel, wp_group_status_get, wp_should_stop, wp_stop_reason, wp_time_left, wp_worker_index, wp_label,
    wp_context_group, wp_results_create, wp_results_retain, wp_results_release, wp_results_next, wp_results_drain,
    wp_results_close, library_results_are_readable, wp_when_room, wp_forget_room, library_room_is_readable};

static const struct calls of_the_model = {
    m_create, m_destroy, m_submit, m_try_submit, m_submit_for, m_submit_task, m_submit_batch, m_run, m_clock_advance,
    m_now, m_wait_idle, m_shutdown_for, m_stats_get, m_group_create, m_group_hold, m_group_hold, m_group_wait,
    m_group_cancel, m_group_status_get, m_should_stop, m_stop_reason, m_time_left, m_worker_index, m_label,
    m_context_group, m_results_create, m_results_hold, m_results_hold, m_results_next, m_results_drain,
    m_results_close, m_results_are_readable, m_when_room, m_forget_room, m_room_is_readable};

#endif
