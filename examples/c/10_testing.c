/* SPDX-License-Identifier: MIT
 *
 * 10. Testing: code that uses a pool, tested without waiting and without chance.
 *
 * The code under test, a thumbnailer, is given something that takes tasks (wp_executor) instead of a pool. The program gives
 * it a pool; its tests give it a manual pool, which runs nothing until they say so, and a mock of ten lines.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

/* ---- the code under test: order() pictures, some are done, some are turned away ---- */

typedef struct thumbnailer {
    const wp_executor *executor;
    atomic_int made, lost;
    int turned_away;
} thumbnailer;

static int make(wp_context *context, void *arg) /* the picture itself is left out */
{
    (void)context;
    atomic_fetch_add(&((thumbnailer *)arg)->made, 1);
    return 0;
}

static void made(const wp_outcome *outcome, void *arg)
{
    if (outcome->fate != WP_FATE_RAN) atomic_fetch_add(&((thumbnailer *)arg)->lost, 1);
}

static void order(thumbnailer *t)
{
    wp_task task = WP_TASK_INIT;
    task.run = make;
    task.end = made;
    task.arg = t;
    if (t->executor->submit_task(t->executor->self, &task, 0) != WP_OK) t->turned_away++;
}

/* ---- what the tests need ---- */

static void expect(const char *what, int expected, int got)
{
    if (got != expected) exit((fprintf(stderr, "%s: %d, not %d\n", what, got, expected), 1));
}

static wp_pool *make_pool(uint32_t mode, uint32_t capacity)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.mode = mode;
    options.capacity = capacity;
    expect("wp_create", WP_OK, wp_create(&options, &pool));
    return pool;
}

/* Refuses everything, and counts how often it was asked: the mock. */
static int refuse(void *self, const wp_task *task, uint64_t timeout_ns)
{
    (void)task;
    (void)timeout_ns;
    ++*(int *)self;
    return WP_EFULL;
}

int main(void)
{
    /* A manual pool: each step is the test's own. */
    wp_pool *pool = make_pool(WP_MODE_MANUAL, 2);
    wp_executor executor = WP_EXECUTOR_INIT;
    thumbnailer t = {&executor, 0, 0, 0};
    expect("wp_pool_executor", WP_OK, wp_pool_executor(pool, &executor));
    for (int i = 0; i < 3; i++) order(&t);
    expect("turned away by a full queue", 1, t.turned_away);
    expect("made before the first step", 0, t.made);
    expect("wp_run", WP_OK, wp_run(pool, 1, NULL));
    expect("made after one step", 1, t.made);
    /* What becomes of the orders if the program is stopped now? */
    expect("wp_shutdown_for", WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    expect("lost", 1, t.lost);
    expect("wp_destroy", WP_OK, wp_destroy(pool));
    puts("on a manual pool: 1 made, 1 lost to the shutdown, 1 turned away");

    /* A mock: what if nothing is ever accepted? */
    int asked = 0;
    wp_executor mock = WP_EXECUTOR_INIT;
    mock.self = &asked;
    mock.submit_task = refuse;
    t = (thumbnailer){&mock, 0, 0, 0};
    for (int i = 0; i < 3; i++) order(&t);
    expect("asked", 3, asked);
    expect("turned away by the mock", 3, t.turned_away);
    puts("on a mock: 3 turned away");

    /* And the real thing. */
    pool = make_pool(WP_MODE_THREADS, 8);
    expect("wp_pool_executor", WP_OK, wp_pool_executor(pool, &executor));
    t = (thumbnailer){&executor, 0, 0, 0};
    for (int i = 0; i < 3; i++) order(&t);
    expect("wp_shutdown", WP_OK, wp_shutdown(pool));
    expect("made by threads", 3, t.made);
    expect("wp_destroy", WP_OK, wp_destroy(pool));
    puts("on a pool: 3 made");
    return 0;
}
