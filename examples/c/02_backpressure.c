/* SPDX-License-Identifier: MIT
 *
 * 2. Backpressure: a full queue holds the producer back, and there are three ways to meet it.
 *
 *     wp_try_submit()   never waits: WP_EFULL. For event loops, and where work may be dropped.
 *     wp_submit_for()   waits for a while: WP_ETIMEDOUT. For callers who have a deadline themselves.
 *     wp_submit()       waits until there is room. The producer runs at the speed of the workers.
 *
 * One worker, room for four tasks. The first task waits at a gate that we hold shut, so that the queue is surely full.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

enum { CAPACITY = 4, OFFERED = 10, MANY = 200 };

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

static void stand_at_the_gate(void *arg)
{
    (void)arg;
    if (sem_post(&started) != 0) abort();
    wait_for(&gate);
}

static void slow(void *arg) /* some 100 us of work: far slower than a submit */
{
    volatile unsigned *sum = arg;
    for (unsigned i = 0; i < 100000; i++) *sum += i;
}

int main(void)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_stats stats = WP_STATS_INIT;
    wp_pool *pool;
    unsigned sum = 0; /* one worker, one task at a time: no lock needed */
    int accepted = 0, refused = 0, code;
    uint64_t deepest = 0;

    if (sem_init(&started, 0, 0) != 0 || sem_init(&gate, 0, 0) != 0) return perror("sem_init"), 1;
    options.workers = 1;
    options.capacity = CAPACITY;
    check("wp_create", wp_create(&options, &pool));

    check("wp_submit", wp_submit(pool, stand_at_the_gate, NULL));
    wait_for(&started); /* now it runs, and takes no room in the queue any more */

    for (int i = 0; i < OFFERED; i++) {
        code = wp_try_submit(pool, slow, &sum);
        if (code == WP_OK) accepted++;
        else if (code == WP_EFULL) refused++;
        else check("wp_try_submit", code);
    }
    printf("try: offered %d, accepted %d, refused %d\n", OFFERED, accepted, refused);

    code = wp_submit_for(pool, slow, &sum, 5000000); /* 5 ms */
    printf("timed: %s\n", code == WP_ETIMEDOUT ? "no room in 5 ms, nothing accepted" : wp_strerror(code));

    if (sem_post(&gate) != 0) return perror("sem_post"), 1;
    for (int i = 0; i < MANY; i++) {
        check("wp_submit", wp_submit(pool, slow, &sum));
        check("wp_stats_get", wp_stats_get(pool, &stats));
        /* Under traffic only a snapshot that is exact shows one instant; others are off by what happened meanwhile. */
        if (stats.exact && stats.queued > deepest) deepest = stats.queued;
    }
    printf("blocking: %d tasks, every one accepted\n", MANY);

    check("wp_shutdown", wp_shutdown(pool));
    check("wp_stats_get", wp_stats_get(pool, &stats)); /* figures outlive the shutdown */
    printf("the queue never held more than %d: %s\n", CAPACITY, deepest <= CAPACITY ? "true" : "false");
    printf("accepted %" PRIu64 ", ran %" PRIu64 ", refused %" PRIu64 "\n", stats.accepted, stats.ran, stats.refused);
    printf("the producer was held back: %s\n", stats.waits > 0 && stats.wait_ns >= 5000000 ? "true" : "false");

    check("wp_destroy", wp_destroy(pool));
    return fflush(stdout) != 0;
}
