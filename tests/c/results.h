/* SPDX-License-Identifier: MIT
 *
 * What the tests about results share.
 */
#ifndef RESULTS_H
#define RESULTS_H

#include "refused.h"

#include <poll.h>

static UNUSED wp_results *check_results(uint32_t capacity, uint32_t flags) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_results *results = NULL;
    options.capacity = capacity;
    options.flags = flags;
    CHECK_EQ(WP_OK, wp_results_create(&options, &results));
    CHECK(results != NULL);
    return results;
}

/* Returns the status that `arg` is. */
static UNUSED int status_task(wp_context *context, void *arg) {
    (void)context;
    return (int)(intptr_t)arg;
}

static UNUSED wp_task recorded(wp_results *results, uint64_t user_data) {
    wp_task task = WP_TASK_INIT;
    task.run = status_task;
    task.results = results;
    task.user_data = user_data;
    return task;
}

/* A task that must be refused, whatever it names. */
static UNUSED int submit_refused(wp_pool *pool, wp_results *results, uint64_t timeout_ns) {
    wp_task task = recorded(results, 99);
    task.run = must_not_run_task;
    task.end = must_not_end;
    return wp_submit_task(pool, &task, timeout_ns);
}

static UNUSED int submit_refused_pair(wp_pool *pool, wp_results *results, uint64_t timeout_ns) {
    wp_task task = recorded(results, 99);
    task.run = must_not_run_task;
    task.end = must_not_end;
    wp_task batch[] = {task, task};
    size_t accepted = 12345;
    int code = wp_submit_batch(pool, batch, 2, sizeof *batch, timeout_ns, &accepted);
    CHECK_EQ(0, accepted);
    return code;
}

/* The next record, which must be there. */
static UNUSED wp_record check_next(wp_results *results, uint64_t timeout_ns) {
    wp_record record = WP_RECORD_INIT;
    CHECK_EQ(WP_OK, wp_results_next(results, &record, timeout_ns));
    return record;
}

static UNUSED int next_code(wp_results *results, uint64_t timeout_ns) {
    wp_record record = WP_RECORD_INIT, before;
    memset((unsigned char *)&record + sizeof record.struct_size, CANARY, sizeof record - sizeof record.struct_size);
    before = record;
    int code = wp_results_next(results, &record, timeout_ns);
    CHECK(code == WP_OK || memcmp(&record, &before, sizeof record) == 0);
    return code;
}

/* How many places are free, by taking them all with tasks that a held worker has not come to. */
static UNUSED unsigned free_places(wp_pool *pool, wp_results *results) {
    wp_task task = recorded(results, 0);
    unsigned count = 0;
    int code;
    while ((code = wp_submit_task(pool, &task, 0)) == WP_OK) {
        count++;
    }
    CHECK_EQ(WP_ERESULTS, code);
    return count;
}

static UNUSED bool is_readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN, .revents = 0};
    int ready = poll(&poll_fd, 1, 0);
    CHECK(ready >= 0);
    return ready == 1 && (poll_fd.revents & POLLIN) != 0;
}

#endif
