/* SPDX-License-Identifier: MIT
 *
 * This library, through its C header, as its users see it.
 */
#include <workerpool.h>

#include "../measure.h"

const struct peer_traits peer_traits = {
    .is_bounded = true, .queues = true, .submits_in_task = true, .can_end = true, .drains = true};

const char *peer_version(void) {
    return wp_version_string();
}

struct peer *peer_create(unsigned workers, unsigned capacity, unsigned producers) {
    (void)producers;
    wp_options options = WP_OPTIONS_INIT;
    options.workers = workers;
    options.capacity = capacity;
    wp_pool *pool;
    REQUIRE(wp_create(&options, &pool) == WP_OK);
    return (struct peer *)pool;
}

static void run(void *arg) {
    struct job *job = arg;
    job->run(job);
}

void peer_submit(struct peer *peer, struct job *job) {
    REQUIRE(wp_submit((wp_pool *)peer, run, job) == WP_OK);
}

static int run_in_context(wp_context *context, void *arg) {
    (void)context;
    run(arg);
    return 0;
}

void peer_submit_batch(struct peer *peer, struct job *const *jobs, size_t count) {
    enum { BATCH_MAX = 256 };
    wp_task tasks[BATCH_MAX];
    REQUIRE(count <= BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (wp_task)WP_TASK_INIT;
        tasks[i].run = run_in_context;
        tasks[i].arg = jobs[i];
    }
    REQUIRE(wp_submit_batch((wp_pool *)peer, tasks, count, sizeof *tasks, WP_FOREVER, NULL) == WP_OK);
}

static int do_nothing(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

static void run_at_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    run(arg);
}

void peer_submit_with_end(struct peer *peer, struct job *job) {
    wp_task task = WP_TASK_INIT;
    task.run = do_nothing;
    task.arg = job;
    task.end = run_at_end;
    REQUIRE(wp_submit_task((wp_pool *)peer, &task, WP_FOREVER) == WP_OK);
}

void peer_destroy(struct peer *peer) {
    REQUIRE(wp_shutdown((wp_pool *)peer) == WP_OK);
    REQUIRE(wp_destroy((wp_pool *)peer) == WP_OK);
}
