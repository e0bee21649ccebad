/* SPDX-License-Identifier: MIT
 *
 * 12. The eight things: create, submit, result, cancel, deadline, group, figures, shutdown.
 *
 * The same program stands in C++, Go, Zig and Python beside, and all print ../eight_things.expected. docs/languages.md shows them side by
 * side: what stands here between [name] and [end] is copied there by scripts/check-languages.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

#define SECOND UINT64_C(1000000000)

typedef struct job {
    const char *text;
    long number;
} job;

static sem_t started, gate;

static void check(int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s\n", wp_strerror(code));
    exit(1);
}

static void must(const char *what, int is_so)
{
    if (is_so) return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

static void wait_for(sem_t *event)
{
    while (sem_wait(event) != 0)
        if (errno != EINTR) abort();
}

static void hold(void *arg)
{
    (void)arg;
    if (sem_post(&started) != 0) abort();
    wait_for(&gate);
}

/* The only worker stands at a gate, so that it is known what is queued. */
static void hold_the_worker(wp_pool *pool)
{
    check(wp_submit(pool, hold, NULL));
    wait_for(&started);
}

static void let_go(void)
{
    if (sem_post(&gate) != 0) abort();
}

static wp_pool *create(void)
{
    /* [create] */
    wp_pool *pool;
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    options.capacity = 2; /* that may be queued */
    options.timers = 1;   /* what is late ends at once, though all workers are busy */
    check(wp_create(&options, &pool));
    /* [end] */
    wp_stats stats = WP_STATS_INIT;
    check(wp_stats_get(pool, &stats));
    printf("create: %" PRIu32 " worker, room for %" PRIu32 " tasks\n", stats.workers, stats.capacity);
    return pool;
}

/* [submit] */
static void square(void *arg)
{
    int *number = arg;
    *number *= *number;
}
/* [end] */

static void submit(wp_pool *pool)
{
    static int numbers[] = {1, 2, 3};
    hold_the_worker(pool);
    /* [submit] */
    check(wp_submit(pool, square, &numbers[0])); /* waits while the queue is full */
    check(wp_submit(pool, square, &numbers[1]));
    int refused = wp_try_submit(pool, square, &numbers[2]); /* never waits: WP_EFULL */
    /* [end] */
    must("the queue is full", refused == WP_EFULL);
    let_go();
    /* [submit] */
    check(wp_submit_for(pool, square, &numbers[2], 10 * SECOND)); /* waits so long at most */
    /* [end] */
    check(wp_wait_idle(pool, WP_FOREVER));
    must("all three ran", numbers[0] == 1 && numbers[1] == 4 && numbers[2] == 9);
    puts("submit: a third is refused while the queue is full, or waits for room");
}

/* [result] */
static int parse(wp_context *context, void *arg)
{
    job *j = arg;
    char *end;
    (void)context;
    j->number = strtol(j->text, &end, 10);
    return *end != 0; /* 0: success */
}
/* [end] */

static void result(wp_pool *pool)
{
    /* [result] */
    job jobs[] = {{"42", 0}, {"seven", 0}};
    wp_results *results;
    check(wp_results_create(NULL, &results));
    wp_task task = WP_TASK_INIT;
    task.run = parse;
    task.results = results; /* a record of it comes here when it has ended */
    for (int i = 0; i < 2; i++) {
        task.arg = &jobs[i];
        check(wp_submit_task(pool, &task, WP_FOREVER));
    }
    for (int i = 0; i < 2; i++) {
        wp_record record = WP_RECORD_INIT;
        check(wp_results_next(results, &record, WP_FOREVER));
        const job *j = record.arg;
        if (record.status == 0) printf("result: %ld\n", j->number);
        else printf("error: \"%s\" is no number\n", j->text);
    }
    check(wp_results_release(results));
    /* [end] */
}

/* [cancel] */
static int until_told(wp_context *context, void *arg)
{
    if (sem_post(arg) != 0) abort();
    while (!wp_should_stop(context)) continue; /* a step of work */
    return wp_stop_reason(context) == WP_STOP_CANCELLED ? 0 : 1;
}
/* [end] */

static void cancel(wp_pool *pool)
{
    wp_group_status status = WP_GROUP_STATUS_INIT;
    /* [cancel] */
    wp_group *group;
    check(wp_group_create(pool, NULL, &group));
    wp_task told = WP_TASK_INIT, never = WP_TASK_INIT;
    told.run = until_told;
    told.arg = &started;
    never.run = parse;
    told.group = never.group = group;
    check(wp_submit_task(pool, &told, WP_FOREVER));
    check(wp_submit_task(pool, &never, WP_FOREVER));
    wait_for(&started);
    check(wp_group_cancel(group)); /* what is queued never starts, what runs is told */
    /* [end] */
    check(wp_group_wait(group, WP_FOREVER));
    check(wp_group_status_get(group, &status));
    must("one ran, one was cancelled", status.ran == 1 && status.cancelled == 1 && status.failed == 0);
    check(wp_group_release(group));
    puts("cancel: the running task was told, the queued one never ran");
}

static void deadline(wp_pool *pool)
{
    wp_results *results;
    check(wp_results_create(NULL, &results));
    hold_the_worker(pool);
    /* [deadline] */
    wp_record record = WP_RECORD_INIT;
    wp_task late = WP_TASK_INIT;
    late.run = parse;
    late.results = results;
    late.deadline = wp_deadline_after(pool, SECOND / 10);
    check(wp_submit_task(pool, &late, WP_FOREVER));
    check(wp_results_next(results, &record, WP_FOREVER)); /* its fate is WP_FATE_EXPIRED */
    /* [end] */
    must("it expired", record.fate == WP_FATE_EXPIRED);
    let_go();
    check(wp_results_release(results));
    puts("deadline: the late task never ran");
}

/* [group] */
static int square_of_group(wp_context *context, void *arg)
{
    (void)context;
    square(arg);
    return 0;
}
/* [end] */

static void wait_for_a_group(wp_pool *pool)
{
    /* [group] */
    int numbers[] = {1, 2, 3};
    wp_group *group;
    check(wp_group_create(pool, NULL, &group));
    wp_task task = WP_TASK_INIT;
    task.run = square_of_group;
    task.group = group;
    for (int i = 0; i < 3; i++) {
        task.arg = &numbers[i];
        check(wp_submit_task(pool, &task, WP_FOREVER));
    }
    check(wp_group_wait(group, WP_FOREVER)); /* nothing of it is queued or runs */
    check(wp_group_release(group));
    /* [end] */
    int sum = numbers[0] + numbers[1] + numbers[2];
    printf("group: %d + %d + %d = %d\n", numbers[0], numbers[1], numbers[2], sum);
}

static void figures(wp_pool *pool)
{
    /* [figures] */
    wp_stats stats = WP_STATS_INIT;
    check(wp_stats_get(pool, &stats));
    uint64_t ended = stats.ran + stats.cancelled + stats.expired + stats.discarded;
    must("each is counted once", stats.accepted == ended + stats.queued + stats.running);
    /* [end] */
    printf("figures: %" PRIu64 " accepted, each counted once\n", stats.accepted);
}

static void end_it(wp_pool *pool)
{
    int number = 0;
    /* [shutdown] */
    check(wp_shutdown(pool)); /* what was accepted has run, and the threads are gone */
    int refused = wp_submit(pool, square, &number); /* WP_ECLOSED */
    /* [end] */
    must("it is closed", refused == WP_ECLOSED);
    wp_stats stats = WP_STATS_INIT;
    check(wp_stats_get(pool, &stats));
    printf("shutdown: %" PRIu64 " ran (%" PRIu64 " failed), %" PRIu64 " cancelled, %" PRIu64 " expired; the next is refused\n", stats.ran,
           stats.failed, stats.cancelled, stats.expired);
    /* [shutdown] */
    check(wp_destroy(pool));
    /* [end] */
}

int main(void)
{
    if (sem_init(&started, 0, 0) != 0 || sem_init(&gate, 0, 0) != 0) return perror("sem_init"), 1;
    wp_pool *pool = create();
    submit(pool);
    result(pool);
    cancel(pool);
    deadline(pool);
    wait_for_a_group(pool);
    figures(pool);
    end_it(pool);
    return fflush(stdout) != 0;
}
