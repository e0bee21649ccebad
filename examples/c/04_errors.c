/* SPDX-License-Identifier: MIT
 *
 * 4. Errors: two kinds, never mixed up.
 *
 * What a *call* says is its return code: WP_OK or a negative WP_E…; a submit that fails has accepted nothing, its
 * argument is still yours. What a *task* says is its status, any int of your own: `end` gets it, `failed` counts it.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

static sem_t full;

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

/* Codes are compared; texts are for people. They may change, so this prints names. */
static const char *name(int code)
{
    switch (code) {
    case WP_OK: return "WP_OK";
    case WP_EINVAL: return "WP_EINVAL";
    case WP_EFULL: return "WP_EFULL";
    case WP_ECLOSED: return "WP_ECLOSED";
    case WP_EDEADLK: return "WP_EDEADLK";
    case WP_ENOTSUP: return "WP_ENOTSUP";
    default: return "another code: treat it as a failure"; /* later versions may add some */
    }
}

static int open_file(wp_context *context, void *arg)
{
    FILE *file;
    (void)context;
    file = fopen(arg, "r");
    if (file == NULL) return errno; /* this task's own kind of status */
    return fclose(file) == 0 ? 0 : errno;
}

static void file_opened(const wp_outcome *outcome, void *arg)
{
    printf("task \"%s\" on %s: status %s\n", outcome->label, (const char *)arg,
           outcome->status == 0 ? "0" : outcome->status == ENOENT ? "ENOENT" : "other");
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Inside a task a call that would have to wait for this very task says so at once, instead of hanging for ever. */
static void from_inside(void *arg)
{
    wp_pool *pool = arg;
    while (sem_wait(&full) != 0)
        if (errno != EINTR) abort();
    printf("inside a task: wp_try_submit %s", name(wp_try_submit(pool, nothing, NULL)));
    printf(", wp_submit %s", name(wp_submit(pool, nothing, NULL)));
    printf(", wp_wait_idle %s", name(wp_wait_idle(pool, WP_FOREVER)));
    printf(", wp_shutdown %s\n", name(wp_shutdown(pool)));
}

int main(void)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_pool *pool = NULL;
    char here[] = ".", nowhere[] = "/nowhere/at/all";

    if (sem_init(&full, 0, 0) != 0) return perror("sem_init"), 1;

    /* Wrong arguments are answered, never obeyed; on failure `pool` is left alone. */
    options.workers = WP_WORKERS_MAX + 1;
    printf("too many workers: %s\n", name(wp_create(&options, &pool)));
    options.workers = 1;
    options.reserved_pointer = &options; /* a field that this version has no use for */
    printf("an option of the future: %s\n", name(wp_create(&options, &pool)));
    options.reserved_pointer = NULL;
    options.capacity = 1;
    check("wp_create", wp_create(&options, &pool));
    printf("no function to run: %s\n", name(wp_submit(pool, NULL, NULL)));

    task.run = open_file;
    task.end = file_opened;
    task.label = "open";
    task.arg = here;
    check("wp_submit_task", wp_submit_task(pool, &task, WP_FOREVER));
    task.arg = nowhere; /* the struct was copied: it can be used again */
    check("wp_submit_task", wp_submit_task(pool, &task, WP_FOREVER));
    check("wp_wait_idle", wp_wait_idle(pool, WP_FOREVER));

    check("wp_submit", wp_submit(pool, from_inside, pool));
    check("wp_submit", wp_submit(pool, nothing, NULL)); /* waits until the task runs, then takes the only place */
    printf("no room: %s\n", name(wp_try_submit(pool, nothing, NULL)));
    if (sem_post(&full) != 0) return perror("sem_post"), 1;
    check("wp_wait_idle", wp_wait_idle(pool, WP_FOREVER)); /* a shutdown now would make its answers WP_ECLOSED */
    check("wp_shutdown", wp_shutdown(pool));

    printf("after the shutdown: %s\n", name(wp_submit(pool, nothing, NULL)));
    check("wp_stats_get", wp_stats_get(pool, &stats));
    printf("ran %" PRIu64 ", failed %" PRIu64 ", refused %" PRIu64 "\n", stats.ran, stats.failed, stats.refused);
    printf("wp_strerror always has a text: %s\n", *wp_strerror(WP_EFULL) && *wp_strerror(-12345) ? "true" : "false");
    check("wp_destroy", wp_destroy(pool));
    return fflush(stdout) != 0;
}
