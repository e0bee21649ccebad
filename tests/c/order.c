/* SPDX-License-Identifier: MIT
 *
 * The promise: first in, first out. Tasks are taken in the order in which they were accepted, discarded ones end in that
 * order, and submitters that wait are let in in the order in which they came.
 *
 * WP_ROUNDS: repetitions of the racy case; 20 in the short form (3 under valgrind).
 */
#include "submitter.h"

static unsigned long rounds;

static unsigned order[100000];
static unsigned ordered;

static void note_order(void *arg) {
    CHECK(ordered < sizeof order / sizeof order[0]);
    order[ordered++] = (unsigned)(uintptr_t)arg; /* One worker: no race; the shutdown orders it before the reading. */
}

static void tasks_start_in_the_order_of_their_acceptance(void) {
    static const uint32_t sizes[] = {1, 2, 3, 16, 1000};
    unsigned count = check_on_valgrind() ? 2000 : 50000;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        wp_pool *pool = check_pool(1, sizes[s]);
        ordered = 0;
        for (unsigned i = 0; i < count; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, note_order, (void *)(uintptr_t)i));
        }
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        CHECK_EQ(count, ordered);
        for (unsigned i = 0; i < count; i++) {
            CHECK_EQ(i, order[i]);
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* The header: "those that wait are let in in the order in which they came". */
static void those_that_wait_are_let_in_in_order(void) {
    enum { LINE = 8 };
    unsigned long overtaken = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        static struct submitter line[LINE];
        uint32_t capacity = round % 2 ? 4 : 1;
        wp_pool *pool = check_pool(1, capacity);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        check_fill(pool, capacity);
        ordered = 0;
        for (unsigned i = 0; i < LINE; i++) {
            submitter_start(&line[i], pool, WP_FOREVER, false, note_order, (void *)(uintptr_t)i);
            AWAIT(check_stats(pool).waiting == i + 1);
        }
        check_post(&gate.open);
        for (int i = 0; i < LINE; i++) {
            check_join(line[i].thread);
        }
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        CHECK_EQ(LINE, ordered);
        bool is_in_order = true;
        for (unsigned i = 0; i < LINE; i++) {
            is_in_order &= order[i] == i;
        }
        overtaken += !is_in_order;
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
    printf("order: of %lu lines %lu were let in out of order\n", rounds, overtaken);
    CHECK_EQ(0, overtaken);
}

static pthread_t canceller;

static void note_discarded(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
    CHECK(pthread_equal(canceller, pthread_self()));
    note_order(arg);
}

static void discarded_tasks_end_in_the_order_of_the_queue_on_the_thread_that_cancels(void) {
    enum { CAPACITY = 7 };
    for (unsigned turned = 0; turned < CAPACITY; turned++) { /* The ring's end comes at every place. */
        wp_pool *pool = check_pool(1, CAPACITY);
        struct gate gate;
        gate_init(&gate);
        for (unsigned i = 0; i < turned; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
        }
        gate_shut(&gate, pool, 1);
        ordered = 0;
        for (uintptr_t i = 0; i < CAPACITY; i++) {
            wp_task task = WP_TASK_INIT;
            task.run = must_not_run_task;
            task.end = note_discarded;
            task.arg = (void *)i;
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        }
        canceller = pthread_self();
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
        CHECK_EQ(CAPACITY, ordered);
        for (unsigned i = 0; i < CAPACITY; i++) {
            CHECK_EQ(i, order[i]);
        }
        check_post(&gate.open);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void free_the_worker(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
    struct gate *gate = arg;
    if (gate == NULL) return;
    /* The worker has nothing to do for the rest of the discarding; its thread hook says that it left. */
    check_post(&gate->open);
    check_wait(&gate->begun);
}

static void post_begun(uint32_t worker, void *arg) {
    (void)worker;
    struct gate *gate = arg;
    check_post(&gate->begun);
}

/* The header: "No task starts any more". */
static void a_worker_that_becomes_free_while_tasks_are_discarded_starts_none(void) {
    enum { CAPACITY = 7 };
    struct gate gate;
    gate_init(&gate);
    wp_options options = WP_OPTIONS_INIT;
    options.workers = 1;
    options.capacity = CAPACITY;
    options.on_thread_stop = post_begun;
    options.thread_arg = &gate;
    wp_pool *pool;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    gate_shut(&gate, pool, 1);
    for (unsigned i = 0; i < CAPACITY; i++) {
        wp_task task = WP_TASK_INIT;
        task.run = must_not_run_task;
        task.end = free_the_worker;
        task.arg = i == 0 ? &gate : NULL;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    CHECK_EQ(CAPACITY, check_stats(pool).discarded);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("order");
    rounds = check_rounds(check_on_valgrind() ? 3 : 20);
    CASE(tasks_start_in_the_order_of_their_acceptance);
    CASE(discarded_tasks_end_in_the_order_of_the_queue_on_the_thread_that_cancels);
    CASE(a_worker_that_becomes_free_while_tasks_are_discarded_starts_none);
    CASE(those_that_wait_are_let_in_in_order);
    return check_end();
}
