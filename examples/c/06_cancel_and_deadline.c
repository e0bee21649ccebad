/* SPDX-License-Identifier: MIT
 *
 * 6. Cancel and deadline: work that is not wanted any more, and work that comes too late.
 *
 * A group is a scope over tasks. Who holds it can cancel what is in it and wait until nothing of it runs; it may cancel itself
 * at the first failure; and it may have a deadline. A task that has not started then never will. A task that runs is never
 * torn off: it asks, and decides for itself. Every task still meets one fate, and its `end` is told.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

#define MILLISECOND UINT64_C(1000000)

enum { GAVE_UP = 1, BROKEN = 2 }; /* this program's own statuses */

typedef struct job {
    const char *name;
    wp_pool *pool;
    unsigned steps;
    uint32_t fate; /* this and the next: filled in by `ended` */
    int status;
} job;

static sem_t started, gate;

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

static void wait_for(sem_t *event)
{
    while (sem_wait(event) != 0)
        if (errno != EINTR) abort();
}

/* ---- four kinds of tasks ---- */

static int quick(wp_context *context, void *arg)
{
    (void)context, (void)arg;
    return 0;
}

static int broken(wp_context *context, void *arg)
{
    (void)context, (void)arg;
    return BROKEN;
}

/* Never asks, so that nothing but its gate ends it. */
static int stands_at_a_gate(wp_context *context, void *arg)
{
    (void)context, (void)arg;
    if (sem_post(&started) != 0) abort();
    wait_for(&gate);
    return 0;
}

/* Would go on for ever; asks after each step whether it should. */
static int asks(wp_context *context, void *arg)
{
    job *j = arg;
    if (sem_post(&started) != 0) abort();
    while (!wp_should_stop(context)) j->steps++;
    return wp_stop_reason(context) == WP_STOP_CANCELLED ? GAVE_UP : 0;
}

/* Begins no step for which there is not time enough; each takes 10 ms, on the manual pool's clock. */
static int uses_its_time(wp_context *context, void *arg)
{
    job *j = arg;
    for (; wp_time_left(context) >= 10 * MILLISECOND; j->steps++)
        check("wp_clock_advance", wp_clock_advance(j->pool, 10 * MILLISECOND));
    return 0;
}

/* ---- what all sections use ---- */

static void ended(const wp_outcome *outcome, void *arg)
{
    job *j = arg;
    j->fate = outcome->fate;
    j->status = outcome->status;
}

static void submit(wp_pool *pool, wp_group *group, wp_task_fn run, job *j, const char *name, uint64_t deadline)
{
    wp_task task = WP_TASK_INIT;
    *j = (job){.name = name, .pool = pool};
    task.run = run;
    task.end = ended;
    task.arg = j;
    task.label = name;
    task.group = group;
    task.deadline = deadline;
    check("wp_submit_task", wp_submit_task(pool, &task, WP_FOREVER));
}

static void print(const job *j)
{
    static const char *const FATES[] = {"?", "ran", "cancelled", "expired", "discarded"};
    const char *more = j->status == GAVE_UP ? ", and gave up when it was told" : j->status == BROKEN ? ", and failed" : "";
    printf("  %s: %s%s\n", j->name, FATES[j->fate], more);
}

static wp_group *new_group(wp_pool *pool, const wp_group_options *options)
{
    wp_group *group;
    check("wp_group_create", wp_group_create(pool, options, &group));
    return group;
}

static wp_pool *new_pool(uint32_t mode)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.mode = mode;
    options.workers = 1; /* so that we know which task waits behind which */
    check("wp_create", wp_create(&options, &pool));
    return pool;
}

int main(void)
{
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    wp_group_status status = WP_GROUP_STATUS_INIT;
    wp_pool *pool = new_pool(WP_MODE_THREADS);
    wp_group *group;
    job first, second, third, fourth;

    if (sem_init(&started, 0, 0) != 0 || sem_init(&gate, 0, 0) != 0) return perror("sem_init"), 1;

    puts("one task alone: it has a group of its own");
    group = new_group(pool, NULL);
    submit(pool, NULL, stands_at_a_gate, &first, "first", 0);
    wait_for(&started);
    submit(pool, group, quick, &second, "second", 0);
    submit(pool, NULL, quick, &third, "third", 0);
    check("wp_group_cancel", wp_group_cancel(group)); /* calls the `end` of what is queued, here and now */
    printf("  the worker still stands at the gate, and the second is %s\n",
           second.fate == WP_FATE_CANCELLED ? "cancelled" : "still there");
    if (sem_post(&gate) != 0) abort();
    check("wp_wait_idle", wp_wait_idle(pool, WP_FOREVER));
    print(&first), print(&second), print(&third);
    check("wp_group_release", wp_group_release(group));

    puts("a group, by its owner: the queued ones never start, the running one is told");
    group = new_group(pool, NULL);
    submit(pool, group, asks, &first, "first", 0);
    submit(pool, group, quick, &second, "second", 0);
    submit(pool, NULL, quick, &third, "third, of no group", 0);
    wait_for(&started);
    check("wp_group_cancel", wp_group_cancel(group));
    check("wp_group_wait", wp_group_wait(group, WP_FOREVER)); /* now nothing of it runs: what it used may be freed */
    check("wp_wait_idle", wp_wait_idle(pool, WP_FOREVER));
    print(&first), print(&second), print(&third);
    check("wp_group_release", wp_group_release(group));

    puts("a group, by its first failure");
    options.on_error = WP_ON_ERROR_CANCEL;
    group = new_group(pool, &options);
    submit(pool, NULL, stands_at_a_gate, &first, "first, of no group", 0);
    wait_for(&started); /* else the failure might come before the last submit, which would then be refused: WP_ECANCELLED */
    submit(pool, group, quick, &second, "second", 0);
    submit(pool, group, broken, &third, "third", 0);
    submit(pool, group, quick, &fourth, "fourth", 0);
    if (sem_post(&gate) != 0) abort();
    check("wp_group_wait", wp_group_wait(group, WP_FOREVER));
    print(&second), print(&third), print(&fourth);
    check("wp_group_status_get", wp_group_status_get(group, &status));
    printf("  the first to fail was the %s, with %" PRId32 "\n", status.first_label, status.first_status);
    check("wp_group_release", wp_group_release(group));
    check("wp_destroy", wp_destroy(pool));

    /* On a manual pool time moves when we say so, and this prints the same each time. With threads nothing else differs. */
    puts("a deadline: 35 ms for the group, 5 ms for the third, which is of no group");
    pool = new_pool(WP_MODE_MANUAL);
    options.on_error = WP_ON_ERROR_GO_ON;
    options.deadline = wp_deadline_after(pool, 35 * MILLISECOND);
    group = new_group(pool, &options);
    submit(pool, group, uses_its_time, &first, "first", 0);
    submit(pool, group, quick, &second, "second", 0);
    submit(pool, NULL, quick, &third, "third", wp_deadline_after(pool, 5 * MILLISECOND));
    submit(pool, group, uses_its_time, &fourth, "fourth", wp_deadline_after(pool, 50 * MILLISECOND)); /* the group's comes first */
    check("wp_run", wp_run(pool, 2, NULL));
    check("wp_clock_advance", wp_clock_advance(pool, 10 * MILLISECOND));
    check("wp_run", wp_run(pool, UINT64_MAX, NULL));
    print(&first), print(&second), print(&third), print(&fourth);
    printf("  the first had time for %u steps of 10 ms\n", first.steps);
    check("wp_group_release", wp_group_release(group));
    check("wp_destroy", wp_destroy(pool));
    return fflush(stdout) != 0;
}
