/* SPDX-License-Identifier: MIT
 *
 * The promise (law L5): wp_wait_idle() says WP_OK when nothing was queued, running or in its `end`, and not before; and
 * everybody who waits for that is told.
 */
#include "fates.h"

static void idle_means_nothing_queued_running_or_ending(void) {
    wp_pool *pool = check_pool(2, 8);
    wp_task task = WP_TASK_INIT;
    struct gate gate;
    gate_init(&gate);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 0)); /* A new pool is idle. */

    CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate));
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0)); /* Queued or running already. */
    check_wait(&gate.begun);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0));
    uint64_t began = check_now();
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 20 * NS_PER_MS));
    CHECK_AT_LEAST(20 * NS_PER_MS, check_now() - began);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(1, check_stats(pool).ran);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 0));

    task.run = full; /* Over at once; its end is not. */
    task.arg = &gate;
    task.end = gated_end;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&gate.begun);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    CHECK_EQ(1, check_stats(pool).running);
    CHECK_EQ(1, check_stats(pool).ran);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 1000 * NS_PER_S));
    CHECK_EQ(2, check_stats(pool).ran);

    gate_shut(&gate, pool, 2); /* One of two still runs. */
    check_post(&gate.open);
    AWAIT(check_stats(pool).running == 1);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

struct idler {
    wp_pool *pool;
    atomic_uint *over;
    sem_t is_near;
    int code;
};

static void *wait_idle(void *arg) {
    struct idler *me = arg;
    check_post(&me->is_near);
    me->code = wp_wait_idle(me->pool, WP_FOREVER);
    CHECK_EQ(1, atomic_load(me->over));
    return NULL;
}

static void late_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    for (int i = 0; i < 100; i++) {
        sched_yield();
    }
    atomic_store((atomic_uint *)arg, 1);
}

static struct gate idle_gate;

static int pass_gate(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    gate_task(&idle_gate);
    return 0;
}

/* Several wait at once; all are told, by an idle moment or by the end of a shutdown. */
static void all_that_wait_for_idleness_are_told(void) {
    enum { IDLERS = 6 };
    for (unsigned round = 0; round < 12; round++) {
        struct idler idlers[IDLERS];
        pthread_t threads[IDLERS];
        atomic_uint over = 0;
        wp_pool *pool = check_pool(2, 8);
        wp_task task = WP_TASK_INIT;
        gate_init(&idle_gate);
        task.run = pass_gate;
        task.arg = &over;
        task.end = late_end;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        check_wait(&idle_gate.begun);
        for (int i = 0; i < IDLERS; i++) {
            idlers[i].pool = pool;
            idlers[i].over = &over;
            idlers[i].code = 12345;
            CHECK_EQ(0, sem_init(&idlers[i].is_near, 0, 0));
            threads[i] = check_thread(wait_idle, &idlers[i]);
            check_wait(&idlers[i].is_near);
        }
        if (round % 3 != 0) {
            CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, round % 3 == 1 ? WP_SHUTDOWN_DRAIN : WP_SHUTDOWN_CANCEL, 0, NULL));
        }
        check_post(&idle_gate.open);
        for (int i = 0; i < IDLERS; i++) {
            check_join(threads[i]);
            CHECK_EQ(WP_OK, idlers[i].code);
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

int main(void) {
    check_begin("wait_idle");
    CASE(idle_means_nothing_queued_running_or_ending);
    CASE(all_that_wait_for_idleness_are_told);
    return check_end();
}
