/* SPDX-License-Identifier: MIT
 *
 * 3. Shutdown: drain or cancel, and what each task is told.
 *
 * Every accepted task meets exactly one fate, and its `end` callback hears of it exactly once: the one right place to
 * free what the task was given.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

static sem_t started, gate;
static int alive; /* arguments not freed yet; an atomic_int in a program with more workers */

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

static int quick(wp_context *context, void *arg)
{
    (void)context, (void)arg;
    return 0;
}

static int held(wp_context *context, void *arg)
{
    (void)context, (void)arg;
    if (sem_post(&started) != 0) abort();
    wait_for(&gate);
    return 0;
}

static void end(const wp_outcome *outcome, void *arg)
{
    /* A task that ran is told on its worker; a discarded one on the thread that shuts down. */
    printf("  %s: %s, %s\n", outcome->label, outcome->fate == WP_FATE_RAN ? "ran" : "discarded",
           outcome->worker == WP_NO_WORKER ? "told by the shutdown" : "told by its worker");
    free(arg);
    alive--;
}

static void submit(wp_pool *pool, wp_task_fn run, const char *label)
{
    wp_task task = WP_TASK_INIT;
    task.run = run;
    task.end = end;
    task.label = label; /* not copied: a string literal lives long enough */
    task.arg = malloc(16); /* stands for whatever a task owns */
    if (task.arg == NULL) abort();
    alive++; /* before the submit: its `end` may run before the submit returns */
    check("wp_submit_task", wp_submit_task(pool, &task, WP_FOREVER));
}

static wp_pool *new_pool(void)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1; /* so that the order of the lines is always the same */
    check("wp_create", wp_create(&options, &pool));
    return pool;
}

int main(void)
{
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    wp_pool *pool;
    int code;

    if (sem_init(&started, 0, 0) != 0 || sem_init(&gate, 0, 0) != 0) return perror("sem_init"), 1;

    puts("drain: what was accepted runs");
    pool = new_pool();
    submit(pool, held, "first");
    wait_for(&started);
    submit(pool, quick, "second");
    submit(pool, quick, "third");
    if (sem_post(&gate) != 0) return perror("sem_post"), 1;
    check("wp_shutdown", wp_shutdown(pool));
    check("wp_destroy", wp_destroy(pool));

    puts("cancel: only what has started runs");
    pool = new_pool();
    submit(pool, held, "first");
    wait_for(&started);
    submit(pool, quick, "second");
    submit(pool, quick, "third");

    /* The first task stands at the gate, so this can't end in time. The pool is closed, but valid: we can wait on. */
    code = wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 5000000, &report);
    printf("after 5 ms: %s; queued %" PRIu64 ", running %" PRIu64 ", discarded %" PRIu64 "\n",
           code == WP_ETIMEDOUT ? "not over yet" : wp_strerror(code), report.queued, report.running, report.discarded);

    if (sem_post(&gate) != 0) return perror("sem_post"), 1;
    check("wp_shutdown_for", wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    printf("at the end: queued %" PRIu64 ", running %" PRIu64 ", discarded %" PRIu64 "\n", report.queued,
           report.running, report.discarded);

    check("wp_shutdown", wp_shutdown(pool)); /* once more is harmless, from any thread */
    check("wp_destroy", wp_destroy(pool));
    printf("arguments not freed: %d\n", alive);
    return fflush(stdout) != 0;
}
