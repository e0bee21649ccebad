/* SPDX-License-Identifier: MIT
 *
 * The promise (laws L4 and L5): a pool ends as the header says. A drain runs what was accepted, a cancel discards what is
 * queued; a shutdown whose time is up reports, and can be repeated and hardened; several at once all return at the end
 * only; a destroy finishes what no shutdown did, and nothing is left of the pool.
 *
 * WP_ROUNDS: rounds of create and destroy, and of the racing shutdowns / 10; 1000 also in the short form (50 under
 * valgrind).
 */
#include "fates.h"

static unsigned long rounds;

static void a_drain_runs_everything(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(10, atomic_load(&fates.ran));
    CHECK_EQ(0, atomic_load(&fates.discarded));
    wp_stats stats = check_stats(pool);
    CHECK(stats.ran == 12 && stats.discarded == 0 && stats.queued == 0 && stats.running == 0 && stats.closed == 1);
    AWAIT(check_threads() == 1);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_cancel_discards_what_is_queued_at_once_and_waits_for_what_runs(void) {
    struct gate gate;
    struct fates fates;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    CHECK_EQ(10, atomic_load(&fates.discarded)); /* On this thread, so before it returned, whatever the timeout. */
    CHECK(report.queued == 0 && report.running == 2 && report.discarded == 10);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    CHECK(report.queued == 0 && report.running == 0 && report.discarded == 10);
    CHECK_EQ(0, atomic_load(&fates.ran));
    wp_stats stats = check_stats(pool);
    CHECK(stats.ran == 2 && stats.discarded == 10 && stats.accepted == 12);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_shutdown_whose_time_is_up_reports_and_can_be_repeated(void) {
    static const uint64_t timeouts[] = {0, 1, NS_PER_MS, 30 * NS_PER_MS};
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 3, &fates);
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        uint64_t began = check_now();
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, timeouts[i], &report));
        CHECK_AT_LEAST(timeouts[i], check_now() - began);
        CHECK(report.queued == 3 && report.running == 2 && report.discarded == 0);
        CHECK_EQ(WP_ECLOSED, wp_submit(pool, check_nothing, NULL));
        CHECK_EQ(1, check_stats(pool).closed);
        CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, timeouts[i]));
    }
    check_post(&gate.open);
    AWAIT(atomic_load(&fates.ran) == 3); /* By the worker that is free; the other one still runs. */
    AWAIT(check_stats(pool).running == 1);
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 0 && report.running == 1 && report.discarded == 0);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 1000 * NS_PER_S, &report));
    CHECK(report.queued == 0 && report.running == 0 && report.discarded == 0);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_second_shutdown_hardens_the_first_and_never_softens_it(void) {
    struct gate gate;
    struct fates fates;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    wp_pool *pool = busy_pool(&gate, 1, 5, &fates);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 5 && atomic_load(&fates.discarded) == 0);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, &report));
    CHECK(report.queued == 0 && report.discarded == 5 && atomic_load(&fates.discarded) == 5);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, &report));
    CHECK(report.queued == 0 && report.discarded == 5);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(0, atomic_load(&fates.ran));
    CHECK_EQ(5, atomic_load(&fates.discarded));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void *cancel(void *arg) {
    CHECK_EQ(WP_OK, wp_shutdown_for(arg, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    return NULL;
}

/* All workers are gone, and another shutdown is inside the `end` of a task that it discards: that is not over. */
static void a_shutdown_waits_for_what_another_one_discards(void) {
    wp_pool *pool = check_pool(1, 4);
    wp_task task = WP_TASK_INIT;
    struct gate gate, end_gate;
    gate_init(&gate);
    gate_init(&end_gate);
    gate_shut(&gate, pool, 1);
    task.run = full;
    task.arg = &end_gate;
    task.end = gated_end;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    pthread_t canceller = check_thread(cancel, pool);
    check_wait(&end_gate.begun);
    check_post(&gate.open);
    AWAIT(check_threads() == 2); /* main and the canceller */
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, &report));
        CHECK(report.queued == 0 && report.running == 1 && report.discarded == 0);
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 20 * NS_PER_MS, NULL));
        CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    }
    check_post(&end_gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    check_join(canceller);
    CHECK_EQ(1, check_stats(pool).discarded);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- shutdowns that race ---- */

enum { RACERS = 8 };

struct race {
    wp_pool *pool;
    pthread_barrier_t line;
    struct fates *fates;
    unsigned long round;
    atomic_bool is_last_over; /* The last task's end has returned. */
    atomic_uint returned;
};

static void last_end(const wp_outcome *outcome, void *arg) {
    struct race *race = arg;
    (void)outcome;
    for (int i = 0; i < 50; i++) {
        sched_yield();
    }
    atomic_store(&race->is_last_over, true);
}

static void *race_to_shut(void *arg) {
    struct race *race = arg;
    int place = pthread_barrier_wait(&race->line);
    uint32_t mode = race->round % 3 == 0 ? WP_SHUTDOWN_DRAIN : race->round % 3 == 1 ? WP_SHUTDOWN_CANCEL : place != 0;
    CHECK_EQ(WP_OK, wp_shutdown_for(race->pool, mode, race->round % 2 ? WP_FOREVER : 1000 * NS_PER_S, NULL));
    CHECK(atomic_load(&race->is_last_over)); /* Not before the end, whoever does the work. */
    CHECK_EQ(4, atomic_load(&race->fates->hooked));
    atomic_fetch_add(&race->returned, 1);
    return NULL;
}

static void count_hook(uint32_t worker, void *arg) {
    (void)worker;
    sched_yield();
    atomic_fetch_add(&((struct fates *)arg)->hooked, 1);
}

static void racing_shutdowns_all_return_at_the_end_only(void) {
    for (unsigned long round = 0; round < 1 + rounds / 10; round++) {
        pthread_t threads[RACERS];
        struct fates fates;
        struct race race;
        struct gate gate;
        wp_options options = WP_OPTIONS_INIT;
        wp_task task = WP_TASK_INIT;
        memset(&fates, 0, sizeof fates);
        memset(&race, 0, sizeof race);
        options.workers = 4;
        options.capacity = 64;
        options.on_thread_stop = count_hook;
        options.thread_arg = &fates;
        race.fates = &fates;
        race.round = round;
        CHECK_EQ(WP_OK, wp_create(&options, &race.pool));
        CHECK_EQ(0, pthread_barrier_init(&race.line, NULL, RACERS));
        gate_init(&gate);
        gate_shut(&gate, race.pool, 1);
        task.run = full;
        task.arg = &fates;
        task.end = count_fate;
        for (int i = 0; i < 40; i++) {
            CHECK_EQ(WP_OK, wp_submit_task(race.pool, &task, 0));
        }
        task.arg = &race;
        task.end = last_end;
        CHECK_EQ(WP_OK, wp_submit_task(race.pool, &task, 0));
        for (int i = 0; i < RACERS; i++) {
            threads[i] = check_thread(race_to_shut, &race);
        }
        AWAIT(check_stats(race.pool).closed == 1);
        CHECK_EQ(0, atomic_load(&race.returned)); /* A task still runs. */
        check_post(&gate.open);
        for (int i = 0; i < RACERS; i++) {
            check_join(threads[i]);
        }
        CHECK_EQ(40, atomic_load(&fates.ran) + atomic_load(&fates.discarded));
        wp_stats stats = check_stats(race.pool);
        CHECK(stats.ran + stats.discarded == 42 && stats.queued == 0 && stats.running == 0);
        CHECK_EQ(WP_OK, wp_destroy(race.pool));
        CHECK_EQ(0, pthread_barrier_destroy(&race.line));
    }
}

/* ---- destroy ---- */

static void a_destroy_without_a_shutdown_drains(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 20, &fates);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(20, atomic_load(&fates.ran));
    CHECK_EQ(0, atomic_load(&fates.discarded));
    AWAIT(check_threads() == 1);
}

static void a_destroy_after_an_unfinished_shutdown_finishes_it(void) {
    struct gate gate;
    struct fates fates;
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = busy_pool(&gate, 2, 20, &fates);
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, NULL));
        check_post_times(&gate.open, 2);
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 20 : 0, atomic_load(&fates.ran));
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 0 : 20, atomic_load(&fates.discarded));
    }
    CHECK_EQ(WP_OK, wp_destroy(NULL));
}

static void create_and_destroy_over_and_over(void) {
    for (unsigned long round = 0; round < rounds; round++) {
        atomic_uint runs = 0;
        unsigned tasks = (unsigned)(round % 5);
        wp_pool *pool = check_pool((uint32_t)(round % 4) + 1, (uint32_t)(round % 7) + 1);
        for (unsigned i = 0; i < tasks; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
        }
        if (round % 3 == 0) {
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            CHECK_EQ(tasks, atomic_load(&runs));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(tasks, atomic_load(&runs));
    }
    AWAIT(check_threads() == 1);
}

int main(void) {
    check_begin("shutdown");
    rounds = check_rounds(check_on_valgrind() ? 50 : 1000);
    CASE(a_drain_runs_everything);
    CASE(a_cancel_discards_what_is_queued_at_once_and_waits_for_what_runs);
    CASE(a_shutdown_whose_time_is_up_reports_and_can_be_repeated);
    CASE(a_second_shutdown_hardens_the_first_and_never_softens_it);
    CASE(a_shutdown_waits_for_what_another_one_discards);
    CASE(racing_shutdowns_all_return_at_the_end_only);
    CASE(a_destroy_without_a_shutdown_drains);
    CASE(a_destroy_after_an_unfinished_shutdown_finishes_it);
    CASE(create_and_destroy_over_and_over);
    return check_end();
}
