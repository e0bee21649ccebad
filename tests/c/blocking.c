/* SPDX-License-Identifier: MIT
 *
 * The promise: backpressure. The capacity is exact; a submit waits while the queue is full, and only then; it is let in when
 * there is room, refused when its time is up (never early, never while there is room) or when the pool is closed; nobody
 * is forgotten, and nobody is held back for good for want of much room.
 *
 * WP_ROUNDS: repetitions of the racy cases; 20 in the short form (3 under valgrind).
 */
#include "submitter.h"

enum { MANY = 32 };

static const uint32_t capacities[] = {1, 2, 3, 5, 7, 1000};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

static unsigned long rounds;

/* ---- the bound ---- */

static void the_capacity_is_exact(void) {
    for (unsigned c = 0; c < CAPACITIES; c++) {
        for (uint32_t workers = 1; workers <= 3; workers += 2) {
            uint32_t capacity = capacities[c];
            wp_pool *pool = check_pool(workers, capacity);
            struct gate gate;
            gate_init(&gate);
            gate_shut(&gate, pool, workers);
            for (uint32_t i = 0; i < capacity; i++) {
                CHECK_EQ(i, check_stats(pool).queued);
                CHECK_EQ(WP_OK, wp_try_submit(pool, gate_task, &gate));
            }
            CHECK_EQ(WP_EFULL, wp_try_submit(pool, gate_task, &gate));
            CHECK_EQ(WP_EFULL, wp_submit_for(pool, gate_task, &gate, 0));
            /* More than once around the ring: each task that starts makes room for exactly one. */
            for (uint32_t i = 0; i < 2 * capacity + 3; i++) {
                check_post(&gate.open);
                check_wait(&gate.begun);
                CHECK_EQ(capacity - 1, check_stats(pool).queued);
                CHECK_EQ(WP_OK, wp_try_submit(pool, gate_task, &gate));
                CHECK_EQ(WP_EFULL, wp_try_submit(pool, gate_task, &gate));
                wp_stats stats = check_stats(pool);
                CHECK_EQ(capacity, stats.queued);
                CHECK_EQ(workers, stats.running);
            }
            CHECK_EQ(0, check_stats(pool).waits);
            check_post_times(&gate.open, workers + capacity);
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

/* ---- one that waits ---- */

static void a_submit_waits_exactly_when_the_queue_is_full(void) {
    for (unsigned c = 0; c < CAPACITIES; c++) {
        for (int kind = 0; kind < 4; kind++) {
            wp_pool *pool = check_pool(1, capacities[c]);
            struct gate gate;
            struct submitter submitter;
            atomic_uint runs = 0;
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
            for (uint32_t i = 0; i < capacities[c]; i++) {
                CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate)); /* Would hang here if it waited. */
            }
            CHECK_EQ(0, check_stats(pool).waits);
            submitter_start(&submitter, pool, kind < 2 ? WP_FOREVER : 1000 * NS_PER_S, kind % 2, check_count, &runs);
            AWAIT(check_stats(pool).waiting == 1);
            CHECK_EQ(false, atomic_load(&submitter.is_done));
            CHECK_EQ(capacities[c], check_stats(pool).queued);
            CHECK_EQ(1, check_stats(pool).waits);
            check_post(&gate.open); /* Room for one. */
            check_wait(&gate.begun);
            check_join(submitter.thread);
            CHECK_EQ(WP_OK, submitter.code);
            wp_stats stats = check_stats(pool);
            CHECK_EQ(capacities[c], stats.queued);
            CHECK_EQ(0, stats.waiting);
            CHECK_EQ(1, stats.waits);
            CHECK_AT_LEAST(1, stats.wait_ns);
            CHECK_AT_MOST(submitter.took, stats.wait_ns);
            check_post_times(&gate.open, capacities[c]);
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            CHECK_EQ(1, atomic_load(&runs));
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

static void a_time_limit_is_never_early(void) {
    static const uint64_t timeouts[] = {1, 1000, NS_PER_MS / 2, NS_PER_MS, 3 * NS_PER_MS, 20 * NS_PER_MS, 150 * NS_PER_MS};
    wp_pool *pool = check_pool(1, 16);
    struct gate gate;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 16);
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
            struct submitter submitter;
            submitter_start(&submitter, pool, timeouts[i], kind, must_not_run, NULL);
            check_join(submitter.thread);
            CHECK_EQ(WP_ETIMEDOUT, submitter.code);
            CHECK_AT_LEAST(timeouts[i], submitter.took);
            CHECK_AT_MOST(timeouts[i] + 10 * NS_PER_S * (uint64_t)check_slowness, submitter.took); /* It is a limit at all. */
        }
    }
    CHECK_EQ(0, check_stats(pool).waiting);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Room comes while the time is not up: in, though little of the queue is free. */
static void a_timed_submit_gets_in_when_room_comes_in_time(void) {
    static const uint32_t sizes[] = {1, 2, 100};
    for (unsigned long round = 0; round < rounds; round++) {
        wp_pool *pool = check_pool(1, sizes[round % 3]);
        struct gate gate;
        struct submitter submitter;
        atomic_uint runs = 0;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        CHECK_EQ(WP_OK, wp_submit(pool, gate_task, &gate));
        for (uint32_t i = 1; i < sizes[round % 3]; i++) {
            CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
        }
        submitter_start(&submitter, pool, 1000 * NS_PER_S, round / 3 % 2, check_count, &runs);
        AWAIT(check_stats(pool).waiting == 1);
        check_post(&gate.open);
        check_wait(&gate.begun);
        check_join(submitter.thread);
        CHECK_EQ(WP_OK, submitter.code);
        CHECK_AT_MOST(500 * NS_PER_S, submitter.took);
        check_post(&gate.open);
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        CHECK_EQ(1, atomic_load(&runs));
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* Room is there when the time is up: then the time is no reason. 40 in line, so that most are not the first of it. */
static void a_time_limit_is_no_refusal_while_there_is_room(void) {
    enum { LINE = 40, CAPACITY = 400 };
    static struct submitter line[LINE];
    wp_pool *pool = check_pool(1, CAPACITY);
    struct gate gate;
    atomic_uint runs = 0;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    for (int i = 0; i < CAPACITY; i++) { /* The first 60 can be let go one by one; so little room lets nobody in at once. */
        CHECK_EQ(WP_OK, wp_try_submit(pool, i < 60 ? gate_task : check_nothing, &gate));
    }
    for (int i = 0; i < LINE; i++) {
        submitter_start(&line[i], pool, 200 * NS_PER_MS * (uint64_t)check_slowness, i % 2, check_count, &runs);
    }
    AWAIT(check_stats(pool).waiting == LINE);
    for (int i = 0; i < 60; i++) {
        check_post(&gate.open);
        check_wait(&gate.begun);
    }
    for (int i = 0; i < LINE; i++) {
        check_join(line[i].thread);
        CHECK_EQ(WP_OK, line[i].code);
    }
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(LINE, atomic_load(&runs));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- many that wait ---- */

static void all_that_wait_get_through(void) {
    static const uint32_t sizes[] = {1, 4, 64};
    for (unsigned long round = 0; round < rounds; round++) {
        static struct submitter line[MANY];
        uint32_t capacity = sizes[round % 3];
        wp_pool *pool = check_pool(2, capacity);
        struct gate gate;
        atomic_uint runs = 0;
        gate_init(&gate);
        gate_shut(&gate, pool, 2);
        check_fill(pool, capacity);
        for (int i = 0; i < MANY; i++) {
            submitter_start(&line[i], pool, i % 3 ? WP_FOREVER : 1000 * NS_PER_S, i % 2, check_count, &runs);
        }
        AWAIT(check_stats(pool).waiting == MANY);
        CHECK_EQ(MANY, check_stats(pool).waits);
        check_post_times(&gate.open, 2);
        for (int i = 0; i < MANY; i++) {
            check_join(line[i].thread);
            CHECK_EQ(WP_OK, line[i].code);
        }
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        CHECK_EQ(MANY, atomic_load(&runs));
        CHECK_EQ(0, check_stats(pool).waiting);
        CHECK_EQ(MANY, check_stats(pool).waits);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* With workers that never end their tasks: nothing but the closing can wake them. */
static void all_that_wait_are_refused_by_a_closing(void) {
    for (unsigned long round = 0; round < rounds; round++) {
        static struct submitter line[MANY];
        uint32_t mode = round % 2 ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN;
        uint32_t capacity = round % 3 ? 16 : 1;
        wp_pool *pool = check_pool(2, capacity);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 2);
        check_fill(pool, capacity);
        for (int i = 0; i < MANY; i++) {
            submitter_start(&line[i], pool, i % 3 ? WP_FOREVER : 1000 * NS_PER_S, i % 2, must_not_run, NULL);
        }
        AWAIT(check_stats(pool).waiting == MANY);
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, NULL));
        for (int i = 0; i < MANY; i++) {
            check_join(line[i].thread);
            CHECK_EQ(WP_ECLOSED, line[i].code);
        }
        wp_stats stats = check_stats(pool);
        CHECK_EQ(0, stats.waiting);
        CHECK_EQ(2 + capacity, stats.accepted);
        CHECK_EQ(1, stats.refused); /* check_fill()'s; WP_ECLOSED is no want of room. */
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? capacity : 0, stats.queued);
        CHECK_EQ(mode == WP_SHUTDOWN_DRAIN ? 0 : capacity, stats.discarded);
        check_post_times(&gate.open, 2);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

/* ---- little room ---- */

static sem_t progress;

static void wait_for_progress(void *arg) {
    (void)arg;
    check_wait(&progress);
}

static void *submit_and_make_progress(void *arg) {
    submit(arg);
    check_post(&progress);
    return NULL;
}

/* Both workers' tasks wait for what only the blocked submitters' progress gives, and only 2 of 16 places are free: the room
 * that ends a wait at once never comes. */
static void little_room_is_room_in_the_end(void) {
    uint64_t longest = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        enum { CAPACITY = 16, WORKERS = 2 };
        struct submitter blocked[WORKERS];
        wp_pool *pool = check_pool(WORKERS, CAPACITY);
        struct gate gate;
        atomic_uint runs = 0;
        CHECK_EQ(0, sem_init(&progress, 0, 0));
        gate_init(&gate);
        gate_shut(&gate, pool, WORKERS);
        for (int i = 0; i < CAPACITY; i++) {
            CHECK_EQ(WP_OK, wp_try_submit(pool, i < WORKERS ? wait_for_progress : check_nothing, NULL));
        }
        CHECK_EQ(WP_EFULL, wp_try_submit(pool, check_nothing, NULL));
        for (int i = 0; i < WORKERS; i++) {
            memset(&blocked[i], 0, sizeof blocked[i]);
            blocked[i].pool = pool;
            blocked[i].timeout = round % 2 ? 1000 * NS_PER_S : WP_FOREVER;
            blocked[i].is_task = round / 2 % 2;
            blocked[i].run = check_count;
            blocked[i].arg = &runs;
            blocked[i].thread = check_thread(submit_and_make_progress, &blocked[i]);
        }
        AWAIT(check_stats(pool).waiting == WORKERS);
        uint64_t began = check_now();
        check_post_times(&gate.open, WORKERS);
        for (int i = 0; i < WORKERS; i++) {
            check_join(blocked[i].thread);
            CHECK_EQ(WP_OK, blocked[i].code);
        }
        uint64_t took = check_now() - began;
        longest = took > longest ? took : longest;
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        CHECK_EQ(WORKERS, atomic_load(&runs));
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
    printf("blocking: with little room the submitters were let in after at most %llu us\n", (unsigned long long)longest / 1000);
}

int main(void) {
    check_begin("blocking");
    rounds = check_rounds(check_on_valgrind() ? 3 : 20);
    CASE(the_capacity_is_exact);
    CASE(a_submit_waits_exactly_when_the_queue_is_full);
    CASE(a_time_limit_is_never_early);
    CASE(a_timed_submit_gets_in_when_room_comes_in_time);
    CASE(a_time_limit_is_no_refusal_while_there_is_room);
    CASE(all_that_wait_get_through);
    CASE(all_that_wait_are_refused_by_a_closing);
    CASE(little_room_is_room_in_the_end);
    return check_end();
}
