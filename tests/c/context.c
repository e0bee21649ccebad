/* SPDX-License-Identifier: MIT
 *
 * The promise: a full task can ask which worker runs it and what its label is, its `end` is told the same, and the pool's
 * clock goes on in nanoseconds.
 */
#include "check.h"

struct asked {
    uint32_t worker;
    const char *label;
    wp_outcome outcome;
};

static int ask(wp_context *context, void *arg) {
    struct asked *asked = arg;
    asked->worker = wp_worker_index(context);
    asked->label = wp_label(context);
    return -77;
}

static void note_outcome(const wp_outcome *outcome, void *arg) {
    ((struct asked *)arg)->outcome = *outcome;
}

static void a_task_can_ask_its_worker_and_its_label(void) {
    enum { TASKS = 200 };
    static struct asked asked[TASKS];
    static const char label[] = "asks";
    wp_pool *pool = check_pool(3, 16);
    for (int i = 0; i < TASKS; i++) {
        wp_task task = WP_TASK_INIT;
        memset(&asked[i], 0xA5, sizeof asked[i]);
        task.run = ask;
        task.arg = &asked[i];
        task.end = note_outcome;
        task.label = i % 2 ? label : NULL;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
        memset(&task, 0xA5, sizeof task); /* Copied. */
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    for (int i = 0; i < TASKS; i++) {
        CHECK(asked[i].worker < 3);
        CHECK(asked[i].label == (i % 2 ? label : NULL));
        CHECK(asked[i].outcome.label == asked[i].label);
        CHECK_EQ(WP_FATE_RAN, asked[i].outcome.fate);
        CHECK_EQ(-77, asked[i].outcome.status);
        CHECK_EQ(asked[i].worker, asked[i].outcome.worker);
        CHECK_EQ(0, asked[i].outcome.reserved);
        CHECK_EQ(sizeof(wp_outcome), asked[i].outcome.struct_size);
    }
    CHECK_EQ(TASKS, check_stats(pool).failed);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void the_clock_goes_on(void) {
    struct gate gate;
    wp_pool *pool = check_pool(1, 1);
    uint64_t last = wp_now(pool), begin = check_now(), first = last;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = wp_now(pool);
        CHECK_AT_LEAST(last, now);
        last = now;
    }
    CHECK_AT_MOST(check_now() - begin + NS_PER_MS, last - first);
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 5 * NS_PER_MS));
    CHECK_AT_LEAST(last + 5 * NS_PER_MS, wp_now(pool)); /* In nanoseconds. */
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("context");
    CASE(a_task_can_ask_its_worker_and_its_label);
    CASE(the_clock_goes_on);
    return check_end();
}
