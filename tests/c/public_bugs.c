/* SPDX-License-Identifier: MIT
 *
 * Bugs that other pools were reported to have, each in the shape in which it could exist here. docs/reliability.md says which
 * other tests are named after such a bug.
 *
 * WP_ROUNDS: how often each race is run.
 */
#include "fates.h"

/* ---- accepted, then lost ---- */

struct race {
    wp_pool *pool;
    sem_t go;
    atomic_uint accepted, refused;
    struct fates fates;
};

static void *submit_until_closed(void *arg) {
    struct race *race = arg;
    wp_task task = WP_TASK_INIT;
    task.run = full;
    task.arg = &race->fates;
    task.end = count_fate;
    check_wait(&race->go);
    for (;;) {
        int code = wp_submit_task(race->pool, &task, 0);
        if (code == WP_OK) {
            atomic_fetch_add(&race->accepted, 1);
        } else if (code == WP_ECLOSED) {
            atomic_fetch_add(&race->refused, 1);
            return NULL;
        } else {
            CHECK_EQ(WP_EFULL, code);
        }
    }
}

static void *shut_down(void *arg) {
    struct race *race = arg;
    check_wait(&race->go);
    CHECK_EQ(WP_OK, wp_shutdown(race->pool));
    return NULL;
}

/* zstd's POOL_tryAdd says yes while the pool is closing, and drops the job; tokio's #7922 and #8056 strand tasks at a shutdown;
 * ragflow's #18646 loses those that race one. */
static void zstd_try_add_and_tokio_7922_a_yes_at_the_closing_is_kept(void) {
    for (unsigned long round = 0; round < check_rounds(100); round++) {
        struct race race;
        pthread_t threads[4];
        memset(&race, 0, sizeof race);
        race.pool = check_pool(2, 4);
        CHECK_EQ(0, sem_init(&race.go, 0, 0));
        for (int i = 0; i < 4; i++) {
            threads[i] = check_thread(i < 2 ? submit_until_closed : shut_down, &race);
        }
        check_post_times(&race.go, 4);
        for (int i = 0; i < 4; i++) {
            check_join(threads[i]);
        }
        CHECK_EQ(2, atomic_load(&race.refused));
        CHECK_EQ(atomic_load(&race.accepted), atomic_load(&race.fates.ran));
        CHECK_EQ(WP_OK, wp_destroy(race.pool));
    }
}

/* C-Thread-Pool's destroy frees what is queued; IOTech's frees it under the workers after a fixed sleep. */
static void c_thread_pool_destroy_runs_what_is_queued(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 50, &fates);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(50, atomic_load(&fates.ran));
}

/* C-Thread-Pool's #88 and #110: the end of one pool stops another. */
static void c_thread_pool_88_the_end_of_one_pool_stops_no_other(void) {
    atomic_uint runs = 0;
    wp_pool *pools[4];
    for (int i = 0; i < 4; i++) {
        pools[i] = check_pool(1, 2);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(WP_OK, wp_destroy(pools[i]));
        for (int other = i + 1; other < 4; other++) {
            CHECK_EQ(WP_OK, wp_submit(pools[other], check_count, &runs));
        }
    }
    CHECK_EQ(6, atomic_load(&runs));
}

/* ---- submitters that wait ---- */

static void *submit_one(void *arg) {
    return (void *)(intptr_t)wp_submit(arg, must_not_run, NULL);
}

/* ants' #202 and IOTech's add_work: who waits for room is never let go when the pool ends. */
static void ants_202_the_end_lets_blocked_submitters_go(void) {
    struct gate gate;
    pthread_t threads[3];
    void *code;
    wp_pool *pool = check_pool(1, 1);
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 1);
    for (int i = 0; i < 3; i++) {
        threads[i] = check_thread(submit_one, pool);
    }
    AWAIT(check_stats(pool).waiting == 3);
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(0, pthread_join(threads[i], &code));
        CHECK_EQ(WP_ECLOSED, (intptr_t)code);
    }
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

struct flood {
    wp_pool *pool;
    atomic_uint runs;
};

static void *submit_many(void *arg) {
    struct flood *flood = arg;
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(WP_OK, wp_submit(flood->pool, check_count, &flood->runs));
    }
    return NULL;
}

/* pond's #109 and #115: blocked submitters of which some are never woken. */
static void pond_109_each_blocked_submitter_gets_through(void) {
    struct flood flood = {check_pool(2, 1), 0};
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        threads[i] = check_thread(submit_many, &flood);
    }
    for (int i = 0; i < 8; i++) {
        check_join(threads[i]);
    }
    CHECK_EQ(WP_OK, wp_destroy(flood.pool));
    CHECK_EQ(4000, atomic_load(&flood.runs));
}

/* ---- a pool that waits for itself ---- */

static void next_stage(void *arg) {
    struct flood *flood = arg;
    int code = wp_submit(flood->pool, check_count, &flood->runs);
    CHECK(code == WP_OK || code == WP_EDEADLK);
    if (code == WP_EDEADLK) {
        check_count(&flood->runs); /* It is told, and may do the work itself. */
    }
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(flood->pool, WP_FOREVER));
}

/* folly's #1864: a pipeline over one bounded queue; pond's #56, bshoshany's #95 and #142, botan's #5874: waits from inside. */
static void folly_1864_a_pipeline_on_one_bounded_pool_goes_on(void) {
    struct flood flood = {check_pool(2, 1), 0};
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(WP_OK, wp_submit(flood.pool, next_stage, &flood));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(flood.pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(flood.pool));
    CHECK_EQ(1000, atomic_load(&flood.runs));
}

/* ---- waits that end too soon, or never ---- */

struct early {
    struct gate gate;
    atomic_uint ended;
};

static int fails(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return -1;
}

static int fails_late(wp_context *context, void *arg) {
    struct early *early = arg;
    (void)context;
    gate_task(&early->gate);
    atomic_fetch_add(&early->ended, 1);
    return -1;
}

/* pond's group.Wait() returns on the first error, while others run on what the caller then frees. */
static void pond_wait_the_first_failure_ends_no_wait(void) {
    struct early early;
    wp_task task = WP_TASK_INIT;
    wp_pool *pool = check_pool(2, 4);
    gate_init(&early.gate);
    atomic_init(&early.ended, 0);
    task.arg = &early;
    task.run = fails_late;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    task.run = fails;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&early.gate.begun);
    AWAIT(check_stats(pool).failed == 1);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, NS_PER_MS));
    check_post(&early.gate.open);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(1, atomic_load(&early.ended));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* htslib's #833 and #1309: an end that waits for somebody to read results, which nobody does. */
static void htslib_1309_full_results_hold_no_end_up(void) {
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_results *results = NULL;
    wp_task task = WP_TASK_INIT;
    wp_pool *pool = check_pool(2, 8);
    options.capacity = 2;
    CHECK_EQ(WP_OK, wp_results_create(&options, &results));
    task.run = fails;
    task.results = results;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_ERESULTS, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
}

/* bshoshany's #107, htslib's #746 (one process in twenty), tensorflow's #932, ClickHouse's #21831: an end that sometimes hangs. */
static void htslib_746_a_thousand_lives_end(void) {
    for (unsigned long round = 0; round < 10 * check_rounds(100); round++) {
        atomic_uint runs = 0;
        unsigned tasks = round % 4;
        wp_pool *pool = check_pool(1 + round % 3, 1 + round % 2);
        for (unsigned i = 0; i < tasks; i++) {
            CHECK_EQ(WP_OK, wp_submit(pool, check_count, &runs));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(tasks, atomic_load(&runs));
    }
}

int main(void) {
    check_begin("public_bugs");
    CASE(zstd_try_add_and_tokio_7922_a_yes_at_the_closing_is_kept);
    CASE(c_thread_pool_destroy_runs_what_is_queued);
    CASE(c_thread_pool_88_the_end_of_one_pool_stops_no_other);
    CASE(ants_202_the_end_lets_blocked_submitters_go);
    CASE(pond_109_each_blocked_submitter_gets_through);
    CASE(folly_1864_a_pipeline_on_one_bounded_pool_goes_on);
    CASE(pond_wait_the_first_failure_ends_no_wait);
    CASE(htslib_1309_full_results_hold_no_end_up);
    CASE(htslib_746_a_thousand_lives_end);
    return check_end();
}
