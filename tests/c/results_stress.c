/* SPDX-License-Identifier: MIT
 *
 * The promise under load: each accepted task brings one record and one `end`, whatever the capacity, however slow the reader, and
 * whenever a shutdown comes; and an event loop that waits for the descriptor misses no record and is not woken for nothing.
 *
 * WP_ROUNDS: shutdowns at random times, 200 in the short form (20 under valgrind); from 1000 on the loop reads 10 million records
 * instead of one.
 */
#include "results.h"

#include <sys/epoll.h>

static uint64_t seed;

/* ---- shutdowns at random times ---- */

enum { SUBMITTERS = 2, TASKS = 400 };

struct item {
    atomic_uint runs, ends, records;
    bool is_accepted;
    uint32_t fate;
};

struct storm {
    wp_pool *pool;
    wp_results *results;
    struct item items[SUBMITTERS][TASKS];
    uint64_t seeds[SUBMITTERS + 1];
    atomic_uint given; /* what the submitters were told that was accepted */
};

static int storm_run(wp_context *context, void *arg) {
    struct item *item = arg;
    (void)context;
    if (atomic_fetch_add(&item->runs, 1) == 0 && (uintptr_t)arg / sizeof *item % 2 == 0) {
        sched_yield(); /* Slow enough for something to be queued when a cancel comes. */
    }
    return 3;
}

static void storm_end(const wp_outcome *outcome, void *arg) {
    struct item *item = arg;
    item->fate = outcome->fate;
    atomic_fetch_add(&item->ends, 1);
}

struct storm_thread {
    struct storm *storm;
    unsigned index;
};

static void *storm_submit(void *arg) {
    struct storm_thread *me = arg;
    struct storm *storm = me->storm;
    struct item *items = storm->items[me->index];
    uint64_t *random = &storm->seeds[me->index];
    for (unsigned i = 0; i < TASKS;) {
        wp_task batch[8];
        size_t count = 1 + check_random(random) % 8, accepted = 0;
        count = count < TASKS - i ? count : TASKS - i;
        for (size_t b = 0; b < count; b++) {
            batch[b] = recorded(storm->results, me->index * TASKS + i + b);
            batch[b].run = storm_run;
            batch[b].arg = &items[i + b];
            batch[b].end = storm_end;
        }
        uint64_t timeout = check_random(random) % 3 == 0 ? WP_FOREVER : check_random(random) % (2 * NS_PER_MS);
        int code;
        if (count == 1) {
            code = wp_submit_task(storm->pool, &batch[0], timeout);
            accepted = code == WP_OK;
        } else {
            code = wp_submit_batch(storm->pool, batch, count, sizeof *batch, timeout, &accepted);
        }
        for (size_t b = 0; b < accepted; b++) {
            items[i + b].is_accepted = true;
        }
        i += (unsigned)accepted;
        atomic_fetch_add(&storm->given, (unsigned)accepted);
        if (code == WP_ECLOSED) {
            break;
        }
        CHECK(code == WP_OK || code == (timeout ? WP_ETIMEDOUT : WP_EFULL) || code == WP_ERESULTS);
        if (code == WP_ERESULTS) {
            sched_yield();
        }
    }
    return NULL;
}

static void *storm_read(void *arg) {
    struct storm *storm = arg;
    uint64_t *random = &storm->seeds[SUBMITTERS];
    for (;;) {
        wp_record records[5];
        size_t got = 0, most = 1 + check_random(random) % 5;
        int code = wp_results_drain(storm->results, records, most, sizeof *records, WP_FOREVER, &got);
        if (code == WP_ECLOSED) {
            return NULL;
        }
        CHECK_EQ(WP_OK, code);
        CHECK(got >= 1 && got <= most);
        for (size_t i = 0; i < got; i++) {
            struct item *item = records[i].arg;
            CHECK_EQ(1, atomic_load(&item->ends)); /* after its `end` */
            CHECK_EQ(item->fate, records[i].fate);
            CHECK_EQ(records[i].fate == WP_FATE_RAN ? 3 : 0, records[i].status);
            CHECK(item == &storm->items[records[i].user_data / TASKS][records[i].user_data % TASKS]);
            atomic_fetch_add(&item->records, 1);
        }
        for (unsigned slow = check_random(random) % 8; slow > 0; slow--) {
            sched_yield();
        }
    }
}

static void one_record_and_one_end_for_each_accepted_task(void) {
    unsigned long rounds = check_rounds(check_on_valgrind() ? 20 : 200), accepted = 0, discarded = 0;
    static struct storm storm;
    for (unsigned long round = 0; round < rounds; round++) {
        memset(&storm, 0, sizeof storm);
        uint32_t capacity = 1 + (uint32_t)(check_random(&seed) % 64), mode = (uint32_t)(round % 2);
        storm.pool = check_pool(2, 1 + (uint32_t)(check_random(&seed) % 16));
        storm.results = check_results(capacity, round / 2 % 2 ? WP_RESULTS_WAIT : 0);
        struct storm_thread threads[SUBMITTERS];
        pthread_t submitters[SUBMITTERS], reader;
        for (unsigned i = 0; i <= SUBMITTERS; i++) {
            storm.seeds[i] = check_random(&seed);
        }
        reader = check_thread(storm_read, &storm);
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            threads[i] = (struct storm_thread){&storm, i};
            submitters[i] = check_thread(storm_submit, &threads[i]);
        }
        unsigned when = (unsigned)(check_random(&seed) % (SUBMITTERS * TASKS));
        AWAIT(check_stats(storm.pool).accepted >= when);
        CHECK_EQ(WP_OK, wp_shutdown_for(storm.pool, mode, WP_FOREVER, NULL));
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            check_join(submitters[i]);
        }
        CHECK_EQ(WP_OK, wp_destroy(storm.pool));
        CHECK_EQ(WP_OK, wp_results_close(storm.results));
        check_join(reader);
        CHECK_EQ(WP_OK, wp_results_release(storm.results));
        for (unsigned s = 0; s < SUBMITTERS; s++) {
            for (unsigned i = 0; i < TASKS; i++) {
                struct item *item = &storm.items[s][i];
                CHECK_EQ(item->is_accepted, atomic_load(&item->ends));
                CHECK_EQ(item->is_accepted, atomic_load(&item->records));
                CHECK_EQ(item->is_accepted && item->fate == WP_FATE_RAN, atomic_load(&item->runs));
                accepted += item->is_accepted;
                discarded += item->is_accepted && item->fate == WP_FATE_DISCARDED;
            }
        }
    }
    printf("results_stress: %lu rounds: %lu tasks accepted, %lu of them discarded: one record and one end each\n", rounds,
           accepted, discarded);
    CHECK(rounds < 100 || discarded > 0);
}

/* Full results that nobody will ever read, and submitters that wait for them, at a shutdown at any time. */
static void a_shutdown_needs_no_reader(void) {
    unsigned long rounds = check_rounds(check_on_valgrind() ? 20 : 200);
    static struct storm storm;
    for (unsigned long round = 0; round < rounds; round++) {
        memset(&storm, 0, sizeof storm);
        uint32_t capacity = 1 + (uint32_t)(check_random(&seed) % 64);
        storm.pool = check_pool(2, 4);
        storm.results = check_results(capacity, WP_RESULTS_WAIT);
        struct storm_thread threads[SUBMITTERS];
        pthread_t submitters[SUBMITTERS];
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            storm.seeds[i] = check_random(&seed);
            threads[i] = (struct storm_thread){&storm, i};
            submitters[i] = check_thread(storm_submit, &threads[i]);
        }
        unsigned when = (unsigned)(check_random(&seed) % (capacity + 1));
        AWAIT(check_stats(storm.pool).accepted >= when);
        CHECK_EQ(WP_OK, wp_shutdown_for(storm.pool, (uint32_t)(round % 2), WP_FOREVER, NULL));
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            check_join(submitters[i]);
        }
        unsigned records = 0;
        while (next_code(storm.results, 0) == WP_OK) {
            records++;
        }
        CHECK_EQ(atomic_load(&storm.given), records);
        CHECK_EQ(WP_OK, wp_results_release(storm.results));
        CHECK_EQ(WP_OK, wp_destroy(storm.pool));
    }
}

/* ---- an event loop ---- */

enum { LOOP_CAPACITY = 256 };

struct loop {
    wp_pool *pool;
    wp_results *results;
    unsigned long count;
};

static void *feed(void *arg) {
    struct loop *loop = arg;
    for (unsigned long i = 0; i < loop->count;) {
        wp_task batch[16];
        size_t accepted = 0, count = loop->count - i < 16 ? loop->count - i : 16;
        for (size_t b = 0; b < count; b++) {
            batch[b] = recorded(loop->results, i + b);
        }
        CHECK_EQ(WP_OK, wp_submit_batch(loop->pool, batch, count, sizeof *batch, WP_FOREVER, &accepted));
        i += (unsigned long)accepted;
    }
    CHECK_EQ(WP_OK, wp_results_close(loop->results));
    return NULL;
}

static void an_epoll_loop_reads_every_record(bool by_edges, unsigned long count) {
    struct loop loop = {check_pool(2, 64), check_results(LOOP_CAPACITY, WP_RESULTS_WAIT), count};
    unsigned char *seen = calloc(count, 1);
    unsigned long records = 0, wake_ups = 0, empty = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = wp_results_fd(loop.results);
    struct epoll_event event = {.events = EPOLLIN | (by_edges ? (uint32_t)EPOLLET : 0), .data = {.fd = fd}};
    CHECK(seen != NULL && epoll >= 0 && fd >= 0);
    CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    pthread_t feeder = check_thread(feed, &loop);
    for (bool is_over = false; !is_over;) {
        int ready = epoll_wait(epoll, &event, 1, -1);
        CHECK(ready == 1 || (ready < 0 && errno == EINTR));
        wake_ups++;
        for (bool is_first = true;; is_first = false) {
            wp_record batch[64];
            size_t got = 0;
            int code = wp_results_drain(loop.results, batch, 64, sizeof *batch, 0, &got);
            for (size_t i = 0; i < got; i++) {
                CHECK(batch[i].user_data < count && seen[batch[i].user_data] == 0);
                seen[batch[i].user_data] = 1;
            }
            records += got;
            empty += is_first && code == WP_ETIMEDOUT;
            is_over = code == WP_ECLOSED;
            if (code != WP_OK || !by_edges) {
                break; /* By levels one look is enough: if there is more, the loop comes back. */
            }
        }
    }
    check_join(feeder);
    printf("results_stress: %lu records through an epoll loop (%s): %lu wake-ups, %lu of them empty\n", records,
           by_edges ? "edges" : "levels", wake_ups, empty);
    CHECK_EQ(count, records);
    if (!by_edges) {
        CHECK_EQ(0, empty); /* The one reader: what it was woken for is there. */
    } else {
        CHECK_AT_MOST(wake_ups, empty);
    }
    free(seen);
    CHECK_EQ(0, close(epoll));
    CHECK_EQ(WP_OK, wp_destroy(loop.pool));
    CHECK_EQ(WP_OK, wp_results_release(loop.results));
}

static unsigned long records_to_read(void) {
    return check_on_valgrind() ? 20000 : check_rounds(1) >= 1000 ? 10000000 : 1000000;
}

static void an_epoll_loop_by_levels_loses_nothing(void) {
    an_epoll_loop_reads_every_record(false, records_to_read());
}

static void an_epoll_loop_by_edges_loses_nothing(void) {
    an_epoll_loop_reads_every_record(true, records_to_read() / 4);
}

/* Tasks that have no results wake no loop, nor does a pool with nothing to do. The wait is the measurement. */
static void an_idle_loop_is_not_woken(void) {
    wp_pool *pool = check_pool(2, 64);
    wp_results *results = check_results(4, 0);
    struct pollfd poll_fd = {.fd = wp_results_fd(results), .events = POLLIN, .revents = 0};
    wp_task task = recorded(results, 1);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(1, poll(&poll_fd, 1, -1));
    (void)check_next(results, 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    }
    uint64_t cpu = check_clock(CLOCK_THREAD_CPUTIME_ID);
    CHECK_EQ(0, poll(&poll_fd, 1, 500));
    cpu = check_clock(CLOCK_THREAD_CPUTIME_ID) - cpu;
    printf("results_stress: an idle loop: no wake-up in 500 ms, %llu us of CPU\n", (unsigned long long)cpu / 1000);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
}

int main(void) {
    check_begin("results_stress");
    seed = check_seed();
    CASE(one_record_and_one_end_for_each_accepted_task);
    CASE(a_shutdown_needs_no_reader);
    CASE(an_epoll_loop_by_levels_loses_nothing);
    CASE(an_epoll_loop_by_edges_loses_nothing);
    CASE(an_idle_loop_is_not_woken);
    return check_end();
}
