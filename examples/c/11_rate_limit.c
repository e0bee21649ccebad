/* SPDX-License-Identifier: MIT
 *
 * 11. Rate limit: at most so many tasks a second, in front of a pool: thirty lines on top of it.
 *
 * A bucket gets a token every `period` and holds `burst` of them at most; each task takes one. The whole bucket is one word, the
 * time up to which its tokens are used up, so any thread may take one. The pool's own clock tells the time: on a manual pool it
 * stands still until told otherwise, and the limit can be tested to the nanosecond.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "workerpool.h"

#define MS UINT64_C(1000000) /* nanoseconds */
#define SECOND (1000 * MS)

/* ---- the limiter ---- */

typedef struct bucket {
    uint64_t period, burst;     /* nanoseconds for each token; tokens at most */
    _Atomic uint64_t used_up_to; /* 0: full */
} bucket;

/* 0: a token was taken. Else how many nanoseconds to wait for one. */
static uint64_t take_token(bucket *b, uint64_t now)
{
    uint64_t full_since = now > b->burst * b->period ? now - b->burst * b->period : 0;
    uint64_t from = atomic_load(&b->used_up_to), to;
    do { /* what was earned before the bucket was full is lost */
        to = (from > full_since ? from : full_since) + b->period;
        if (to > now) return to - now;
    } while (!atomic_compare_exchange_weak(&b->used_up_to, &from, to));
    return 0;
}

/* As wp_try_submit(); WP_ETIMEDOUT and `*wait_ns` when it is too early. */
static int submit_limited(wp_pool *pool, bucket *b, wp_run_fn run, void *arg, uint64_t *wait_ns)
{
    *wait_ns = take_token(b, wp_now(pool));
    if (*wait_ns != 0) return WP_ETIMEDOUT;
    int code = wp_try_submit(pool, run, arg);
    if (code != WP_OK) atomic_fetch_sub(&b->used_up_to, b->period); /* not used: back into the bucket */
    return code;
}

/* ---- what it does ---- */

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

static void count(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static wp_pool *make_pool(uint32_t mode, uint32_t capacity)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.mode = mode;
    options.capacity = capacity;
    check("wp_create", wp_create(&options, &pool));
    return pool;
}

static void offer(wp_pool *pool, bucket *b, const char *when, int tries)
{
    static atomic_int ran;
    uint64_t wait_ns = 0;
    int accepted = 0, early = 0, full = 0;
    for (int i = 0; i < tries; i++) {
        int code = submit_limited(pool, b, count, &ran, &wait_ns);
        if (code == WP_OK) accepted++;
        else if (code == WP_ETIMEDOUT) early++;
        else if (code == WP_EFULL) full++;
        else check("wp_try_submit", code);
    }
    printf("%s: offered %d, accepted %d, too early %d, no room %d", when, tries, accepted, early, full);
    if (wait_ns != 0) printf(", the next in %d ms", (int)(wait_ns / MS));
    puts("");
}

int main(void)
{
    /* Ten a second, three at once; by the hands of a clock that we turn. */
    bucket ten = {100 * MS, 3, 0};
    wp_pool *pool = make_pool(WP_MODE_MANUAL, 4);
    offer(pool, &ten, "at first", 5);
    check("wp_clock_advance", wp_clock_advance(pool, 150 * MS));
    offer(pool, &ten, "after 150 ms", 2);
    check("wp_clock_advance", wp_clock_advance(pool, 3600000 * MS));
    offer(pool, &ten, "after an hour, the queue full", 3);
    check("wp_run", wp_run(pool, UINT64_MAX, NULL));
    offer(pool, &ten, "and empty: no token was lost", 4);
    check("wp_destroy", wp_destroy(pool));

    /* By the real one: a producer that waits for its tokens. */
    bucket thousand = {1 * MS, 1, 0};
    atomic_int ran = 0;
    uint64_t wait_ns;
    pool = make_pool(WP_MODE_THREADS, 32);
    uint64_t began = wp_now(pool);
    for (int i = 0; i < 20;) {
        int code = submit_limited(pool, &thousand, count, &ran, &wait_ns);
        if (code == WP_OK) {
            i++;
        } else if (code == WP_ETIMEDOUT) {
            struct timespec time = {(time_t)(wait_ns / SECOND), (long)(wait_ns % SECOND)};
            nanosleep(&time, NULL); /* an event loop would set its timer */
        } else {
            check("wp_try_submit", code);
        }
    }
    uint64_t took = wp_now(pool) - began;
    check("wp_destroy", wp_destroy(pool));
    printf("20 tasks at 1,000 a second: ran %d, in at least 19 ms: %s\n", ran, took >= 19 * MS ? "true" : "false");
    return fflush(stdout) != 0;
}
