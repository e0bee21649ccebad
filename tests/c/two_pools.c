/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): pools do not know of each other. A task of one may wait for another, and one that is held or gone
 * holds up no other.
 */
#include "fates.h"

struct two {
    wp_pool *a, *b;
    struct gate gate;
    atomic_uint runs;
};

/* On a worker of a: blocks on b, which is none of its own. */
static void submit_to_the_other(void *arg) {
    struct two *two = arg;
    CHECK_EQ(WP_OK, wp_submit(two->b, check_count, &two->runs));
    CHECK_EQ(WP_OK, wp_wait_idle(two->b, WP_FOREVER));
    atomic_fetch_add(&two->runs, 1);
}

static void a_task_of_one_pool_may_wait_for_another(void) {
    struct two two;
    atomic_init(&two.runs, 0);
    two.a = check_pool(2, 4);
    two.b = check_pool(1, 1);
    gate_init(&two.gate);
    gate_shut(&two.gate, two.b, 1);
    check_fill(two.b, 1);
    CHECK_EQ(WP_OK, wp_submit(two.a, submit_to_the_other, &two));
    CHECK_EQ(WP_OK, wp_submit(two.a, submit_to_the_other, &two));
    AWAIT(check_stats(two.b).waiting == 2);
    CHECK_EQ(2, check_stats(two.a).running);
    check_post(&two.gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(two.a, WP_FOREVER));
    CHECK_EQ(4, atomic_load(&two.runs));
    CHECK_EQ(WP_OK, wp_destroy(two.b));
    /* One is gone, the other goes on. */
    CHECK_EQ(WP_OK, wp_submit(two.a, check_count, &two.runs));
    CHECK_EQ(WP_OK, wp_destroy(two.a));
    CHECK_EQ(5, atomic_load(&two.runs));
}

static void a_held_pool_does_not_hold_another(void) {
    struct gate gate;
    struct fates fates;
    atomic_uint runs = 0;
    wp_pool *held = busy_pool(&gate, 2, 3, &fates);
    wp_pool *other = check_pool(2, 2);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(held, WP_SHUTDOWN_DRAIN, 0, NULL));
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(WP_OK, wp_submit(other, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(other, WP_FOREVER));
    CHECK_EQ(1000, atomic_load(&runs));
    CHECK_EQ(0, check_stats(other).closed);
    CHECK_EQ(WP_OK, wp_destroy(other));
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_destroy(held));
    CHECK_EQ(3, atomic_load(&fates.ran));
}

int main(void) {
    check_begin("two_pools");
    CASE(a_task_of_one_pool_may_wait_for_another);
    CASE(a_held_pool_does_not_hold_another);
    return check_end();
}
