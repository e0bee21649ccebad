/* SPDX-License-Identifier: MIT
 *
 * instructions COUNT [KIND]: the same path through the pool COUNT times, and no other; scripts/instructions counts what it takes. KIND
 * tells what the tasks have: plain (nothing; if none is named), end, results, deadline, group, nested (a group in two others), serial
 * (a group that runs one at a time).
 *
 * Which path a task takes depends on who sleeps, and how long anyone spins on what the others do. Here neither varies: the one
 * worker is held by its first task while all the others are submitted, into room enough; then it is let go, and runs them one
 * after the other while this thread sleeps. What happens once cancels out between two counts.
 */
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <workerpool.h>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s is not so\n", #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static sem_t held, gate, over;

static void hold(void *arg) {
    (void)arg;
    sem_post(&held);
    sem_wait(&gate);
}

static void nothing(void *arg) {
    (void)arg;
}

static void tell(void *arg) {
    (void)arg;
    sem_post(&over);
}

static int nothing_full(wp_context *context, void *arg) {
    (void)context, (void)arg;
    return 0;
}

static void ended(const wp_outcome *outcome, void *arg) {
    (void)outcome, (void)arg;
}

static wp_group *group_in(wp_pool *pool, wp_group *parent, uint32_t max_running) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    options.parent = parent;
    options.max_running = max_running;
    wp_group *group;
    REQUIRE(wp_group_create(pool, &options, &group) == WP_OK);
    return group;
}

/* A task of this kind. What it names is never given back: the process ends soon. */
static wp_task task_of(wp_pool *pool, const char *kind) {
    wp_task task = WP_TASK_INIT;
    task.run = nothing_full;
    if (!strcmp(kind, "end")) {
        task.end = ended;
    } else if (!strcmp(kind, "results")) {
        wp_results_options options = WP_RESULTS_OPTIONS_INIT;
        options.capacity = 65536;
        REQUIRE(wp_results_create(&options, &task.results) == WP_OK);
    } else if (!strcmp(kind, "deadline")) {
        task.deadline = wp_now(pool) + UINT64_C(1000000000000);
    } else if (!strcmp(kind, "group")) {
        task.group = group_in(pool, NULL, 0);
    } else if (!strcmp(kind, "nested")) {
        task.group = group_in(pool, group_in(pool, group_in(pool, NULL, 0), 0), 0);
    } else {
        REQUIRE(!strcmp(kind, "serial"));
        task.group = group_in(pool, NULL, 1);
    }
    return task;
}

/* Named by scripts/instructions, which counts what happens in here. */
__attribute__((noinline)) void submit_all(wp_pool *pool, unsigned count, const wp_task *task) {
    for (unsigned i = 0; i < count; i++) {
        REQUIRE((task ? wp_submit_task(pool, task, 0) : wp_submit(pool, nothing, NULL)) == WP_OK);
    }
}

int main(int argc, char **argv) {
    REQUIRE(argc == 2 || argc == 3);
    const char *kind = argc == 3 ? argv[2] : "plain";
    bool is_plain = !strcmp(kind, "plain");
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    options.capacity = 65536;
    wp_pool *pool;
    REQUIRE(wp_create(&options, &pool) == WP_OK);
    sem_init(&held, 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&over, 0, 0);
    REQUIRE(wp_submit(pool, hold, NULL) == WP_OK);
    sem_wait(&held);
    wp_task task = WP_TASK_INIT;
    if (!is_plain) {
        task = task_of(pool, kind);
    }
    submit_all(pool, (unsigned)atoi(argv[1]), is_plain ? NULL : &task);
    REQUIRE(wp_submit(pool, tell, NULL) == WP_OK);
    sem_post(&gate);
    sem_wait(&over);
    REQUIRE(wp_shutdown(pool) == WP_OK);
    REQUIRE(wp_destroy(pool) == WP_OK);
    return 0;
}
