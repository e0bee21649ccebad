/* SPDX-License-Identifier: MIT
 *
 * The promise about room under load: submitters that are called instead of waiting get all their tasks in, none is told too
 * rarely or too often, whoever takes a waiter back or shuts the pool down meanwhile; and what a waiter uses may be freed as soon as
 * that has said so.
 *
 * WP_ROUNDS: shutdowns at random times, 300 in the short form (20 under valgrind); from 1000 on the callback submitters submit 10
 * million tasks instead of 400,000.
 */
#include "room.h"

static uint64_t seed;

/* ---- submitters that are called ---- */

enum { COROUTINES = 16 };

struct coroutine {
    wp_waiter waiter;
    wp_pool *pool;
    unsigned long left;
    atomic_uint *runs;
    atomic_uint running; /* One at a time, as a coroutine is. */
    unsigned long told;
    sem_t *done;
};

static void resume(void *arg) {
    struct coroutine *me = arg;
    CHECK_EQ(0, atomic_exchange(&me->running, 1));
    me->told++;
    while (me->left > 0) {
        int code = wp_try_submit(me->pool, check_count, me->runs);
        if (code == WP_EFULL) {
            atomic_store(&me->running, 0);
            CHECK_EQ(WP_OK, wp_when_room(me->pool, &me->waiter)); /* The last thing that it does here. */
            return;
        }
        CHECK_EQ(WP_OK, code);
        me->left--;
    }
    atomic_store(&me->running, 0);
    check_post(me->done);
}

static void coroutines_submit_all(uint32_t workers, uint32_t capacity, unsigned long count) {
    static struct coroutine coroutines[COROUTINES];
    atomic_uint runs = 0;
    sem_t done;
    wp_pool *pool = check_pool(workers, capacity);
    CHECK_EQ(0, sem_init(&done, 0, 0));
    for (unsigned i = 0; i < COROUTINES; i++) {
        struct coroutine *one = &coroutines[i];
        *one = (struct coroutine){WP_WAITER_INIT, pool, count / COROUTINES, &runs, 0, 0, &done};
        one->waiter.notify = resume;
        one->waiter.arg = one;
        CHECK_EQ(WP_OK, wp_when_room(pool, &one->waiter));
    }
    check_wait_times(&done, COROUTINES);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(count, atomic_load(&runs));
    unsigned long told = 0;
    for (unsigned i = 0; i < COROUTINES; i++) {
        told += coroutines[i].told;
    }
    printf("room_stress: %lu tasks by %d callback submitters, %u workers, %u places: told %lu times\n", count, COROUTINES,
           workers, capacity, told);
}

static unsigned long tasks_to_submit(void) {
    return check_on_valgrind() ? 16000 : check_rounds(1) >= 1000 ? 10000000 : 400000;
}

static void coroutines_submit_all_through_a_small_queue(void) {
    coroutines_submit_all(2, 4, tasks_to_submit());
}

static void coroutines_submit_all_through_one_place(void) {
    coroutines_submit_all(1, 1, tasks_to_submit() / 4);
}

static void coroutines_submit_all_through_a_large_queue(void) {
    coroutines_submit_all(2, 256, tasks_to_submit());
}

/* ---- shutdowns and forgetters at random times ---- */

enum { SUBMITTERS = 2, WAITERS = 24 };

struct storm {
    wp_pool *pool;
    uint64_t seeds[SUBMITTERS + 1];
    struct storm_waiter *waiters; /* in one block, freed at once */
    atomic_uint runs, given;
    atomic_bool over;
};

struct storm_waiter {
    wp_waiter waiter;
    struct storm *storm;
    unsigned owed; /* Waits that began, less those taken back. */
    atomic_uint told;
};

static void storm_told(void *arg) {
    struct storm_waiter *me = arg;
    CHECK(!atomic_load(&me->storm->over));
    atomic_fetch_add(&me->told, 1);
    if (wp_try_submit(me->storm->pool, check_count, &me->storm->runs) == WP_OK) {
        atomic_fetch_add(&me->storm->given, 1);
    }
}

struct storm_thread {
    struct storm *storm;
    unsigned index;
};

/* Waits, is told, takes waiters back, submits; each thread has its own waiters. */
static void *storm_wait(void *arg) {
    struct storm_thread *thread = arg;
    struct storm *storm = thread->storm;
    uint64_t *random = &storm->seeds[thread->index];
    for (;;) {
        struct storm_waiter *one =
            &storm->waiters[thread->index * WAITERS + check_random(random) % WAITERS];
        uint64_t timeout;
        int code;
        switch (check_random(random) % 4) {
        case 0:
            code = wp_forget_room(storm->pool, &one->waiter, WP_FOREVER);
            CHECK(code == WP_OK || code == WP_ETOOLATE);
            one->owed -= code == WP_OK;
            CHECK_EQ(one->owed, atomic_load(&one->told)); /* Now or never. */
            break;
        case 1:
            timeout = check_random(random) % 2 ? NS_PER_S : 0;
            code = wp_submit_for(storm->pool, check_count, &storm->runs, timeout);
            CHECK(code == WP_OK || code == (timeout ? WP_ETIMEDOUT : WP_EFULL) || code == WP_ECLOSED);
            atomic_fetch_add(&storm->given, code == WP_OK);
            break;
        default:
            code = wp_when_room(storm->pool, &one->waiter);
            CHECK(code == WP_OK || code == WP_EINVAL || code == WP_ECLOSED); /* EINVAL: it waits. */
            one->owed += code == WP_OK;
        }
        if (code == WP_ECLOSED) {
            return NULL;
        }
    }
}

static void each_waiter_is_told_once_for_each_wait(void) {
    unsigned long rounds = check_rounds(check_on_valgrind() ? 20 : 300), waits = 0;
    for (unsigned long round = 0; round < rounds; round++) {
        static struct storm storm;
        memset(&storm, 0, sizeof storm);
        storm.pool = check_pool(1 + (uint32_t)(round % 2), 1 + (uint32_t)(check_random(&seed) % 4));
        storm.waiters = calloc(SUBMITTERS * WAITERS, sizeof *storm.waiters);
        CHECK(storm.waiters != NULL);
        CHECK(round % 3 == 0 || wp_room_fd(storm.pool) >= 0);
        struct storm_thread threads[SUBMITTERS];
        pthread_t submitters[SUBMITTERS];
        for (unsigned i = 0; i < SUBMITTERS * WAITERS; i++) {
            struct storm_waiter *one = &storm.waiters[i];
            CHECK_EQ(WP_OK, wp_waiter_init(&one->waiter, sizeof one->waiter));
            one->waiter.notify = storm_told;
            one->waiter.arg = one;
            one->storm = &storm;
        }
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            storm.seeds[i] = check_random(&seed);
            threads[i] = (struct storm_thread){&storm, i};
            submitters[i] = check_thread(storm_wait, &threads[i]);
        }
        unsigned when = (unsigned)(check_random(&seed) % 2000);
        AWAIT(check_stats(storm.pool).accepted >= when);
        CHECK_EQ(WP_OK, wp_shutdown_for(storm.pool, (uint32_t)(check_random(&seed) % 2), WP_FOREVER, NULL));
        atomic_store(&storm.over, true); /* Nobody is told from here on. */
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            check_join(submitters[i]);
        }
        for (unsigned i = 0; i < SUBMITTERS * WAITERS; i++) {
            CHECK_EQ(storm.waiters[i].owed, atomic_load(&storm.waiters[i].told));
            waits += storm.waiters[i].owed;
        }
        wp_stats stats = check_stats(storm.pool);
        CHECK_EQ(atomic_load(&storm.given), stats.accepted);
        CHECK_EQ(stats.ran, atomic_load(&storm.runs));
        free(storm.waiters);
        CHECK_EQ(WP_OK, wp_destroy(storm.pool));
    }
    printf("room_stress: %lu rounds, %lu waits, each told once\n", rounds, waits);
}

int main(void) {
    check_begin("room_stress");
    seed = check_seed();
    CASE(coroutines_submit_all_through_a_small_queue);
    CASE(coroutines_submit_all_through_one_place);
    CASE(coroutines_submit_all_through_a_large_queue);
    CASE(each_waiter_is_told_once_for_each_wait);
    return check_end();
}
