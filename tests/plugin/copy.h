/* SPDX-License-Identifier: MIT
 *
 * One copy of the library, by its functions: a process may have several.
 */
#ifndef COPY_H
#define COPY_H

#include <workerpool.h>

struct copy {
    int (*create)(const wp_options *options, wp_pool **pool);
    int (*submit)(wp_pool *pool, wp_run_fn run, void *arg);
    int (*submit_task)(wp_pool *pool, const wp_task *task, uint64_t timeout_ns);
    int (*wait_idle)(wp_pool *pool, uint64_t timeout_ns);
    int (*stats_get)(const wp_pool *pool, wp_stats *stats);
    int (*destroy)(wp_pool *pool);
    int (*results_create)(const wp_results_options *options, wp_results **results);
    int (*results_next)(wp_results *results, wp_record *record, uint64_t timeout_ns);
    int (*results_release)(wp_results *results);
};

/* What is linked here. */
#define COPY_LINKED                                                                                                \
    { wp_create, wp_submit, wp_submit_task, wp_wait_idle, wp_stats_get, wp_destroy, wp_results_create, wp_results_next, \
      wp_results_release }

#endif
