/* SPDX-License-Identifier: MIT
 *
 * The promise of WP_RESULTS_ORDERED: records are read in the order in which their tasks got their places, whatever the order in which
 * they end and whatever becomes of them; the descriptor is readable iff the next one is there; and a submit that is refused behind its
 * reservation leaves no gap, and takes nothing of the capacity.
 */
#include "groups.h"
#include "results.h"

#include <limits.h>

/* ---- every order of ends, by hand ---- */

enum { TASKS = 5 };

/* The record that is next by the order of the submits is there, or none. */
static void check_front(wp_results *results, unsigned *next, const bool *has_ended, const uint32_t *fates) {
    int fd = wp_results_fd(results);
    while (*next < TASKS && has_ended[*next]) {
        ROW(true, is_readable(fd));
        wp_record record = check_next(results, 0);
        ROW(*next, record.user_data);
        ROW(fates[*next], record.fate);
        ++*next;
    }
    ROW(false, is_readable(fd));
    ROW(WP_ETIMEDOUT, next_code(results, 0));
}

/* The tasks end in this order: by a cancel each, but the one that is run. */
static void ends_in_this_order(const unsigned *order, unsigned run) {
    wp_pool *pool = manual_pool(TASKS, 0);
    wp_results *results = check_results(TASKS, WP_RESULTS_ORDERED);
    wp_group *groups[TASKS];
    bool has_ended[TASKS] = {false};
    uint32_t fates[TASKS];
    unsigned next = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        wp_task task = recorded(results, i);
        task.group = groups[i] = group_in(pool, NULL);
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        fates[i] = WP_FATE_CANCELLED;
    }
    ROW(WP_ERESULTS, submit_refused(pool, results, 0));
    for (unsigned i = 0; i < TASKS; i++) {
        unsigned one = order[i];
        if (one == run) {
            fates[one] = WP_FATE_RAN;
            ROW(WP_OK, wp_group_wait(groups[one], WP_FOREVER)); /* It runs the tasks before it too. */
            for (unsigned j = 0; j <= one; j++) {
                fates[j] = has_ended[j] ? fates[j] : WP_FATE_RAN;
                has_ended[j] = true;
            }
        } else {
            ROW(WP_OK, wp_group_cancel(groups[one]));
            has_ended[one] = true;
        }
        check_front(results, &next, has_ended, fates);
    }
    ROW(TASKS, next);
    ROW(WP_OK, wp_results_close(results));
    ROW(true, is_readable(wp_results_fd(results)));
    ROW(WP_ECLOSED, next_code(results, 0));
    for (unsigned i = 0; i < TASKS; i++) {
        release(groups[i]);
    }
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

static unsigned permutations;

static void permute(unsigned *order, unsigned from) {
    if (from == TASKS) {
        for (unsigned run = 0; run <= TASKS; run++) { /* TASKS: none. */
            ends_in_this_order(order, run);
        }
        permutations++;
        return;
    }
    for (unsigned i = from; i < TASKS; i++) {
        unsigned kept = order[from];
        order[from] = order[i];
        order[i] = kept;
        permute(order, from + 1);
        order[i] = order[from];
        order[from] = kept;
    }
}

static void every_order_of_ends_is_read_in_that_of_the_submits(void) {
    unsigned order[TASKS] = {0, 1, 2, 3, 4};
    permute(order, 0);
    CHECK_EQ(120, permutations);
}

/* Ran, expired, cancelled and discarded, side by side; one call reads them all, once the first has ended. */
static void every_fate_keeps_its_turn(void) {
    wp_pool *pool = manual_pool(8, 1);
    wp_results *results = check_results(4, WP_RESULTS_ORDERED);
    wp_group *group = group_in(pool, NULL);
    wp_record records[4];
    size_t got = 0;
    for (uint64_t i = 0; i < 4; i++) {
        wp_task task = recorded(results, i);
        task.group = i == 2 ? group : NULL;
        task.deadline = i == 1 ? wp_now(pool) + 5 : 0;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    ROW(WP_OK, wp_group_cancel(group));
    ROW(WP_OK, wp_clock_advance(pool, 5));
    ROW(WP_ETIMEDOUT, next_code(results, 0));
    ROW(1, step(pool, 1));
    ROW(WP_OK, wp_results_drain(results, records, 4, sizeof *records, 0, &got));
    ROW(3, got); /* The fourth has not ended. */
    ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    records[3] = check_next(results, 0);
    static const uint32_t fates[] = {WP_FATE_RAN, WP_FATE_EXPIRED, WP_FATE_CANCELLED, WP_FATE_DISCARDED};
    for (unsigned i = 0; i < 4; i++) {
        ROW(i, records[i].user_data);
        ROW(fates[i], records[i].fate);
    }
    release(group);
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

/* A record that waits for its turn has its place still, and how long it waits is not the task's time. */
static void a_record_out_of_turn_keeps_its_place(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_results *results = check_results(3, WP_RESULTS_ORDERED);
    wp_group *group = group_in(pool, NULL);
    for (uint64_t i = 0; i < 3; i++) {
        wp_task task = recorded(results, i);
        task.group = i == 0 ? NULL : group;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    ROW(WP_OK, wp_group_cancel(group));
    uint64_t ended = check_now();
    ROW(WP_ERESULTS, submit_refused(pool, results, 0));
    ROW(1, step(pool, UINT64_MAX));
    ROW(0, check_next(results, 0).user_data);
    wp_record record = check_next(results, 0);
    ROW(1, record.user_data);
    ROW(true, record.queued_ns <= ended);
    ROW(2, free_places(pool, results));
    release(group);
    ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_results_release(results));
}

/* ---- reservations that are refused in the midst of others ---- */

struct refused {
    wp_pool *pool;
    wp_results *results;
    wp_group *group;
    int code;
};

static void *be_refused(void *arg) {
    struct refused *me = arg;
    wp_task task = recorded(me->results, 99);
    task.run = must_not_run_task;
    task.end = must_not_end;
    task.group = me->group;
    me->code = wp_submit_task(me->pool, &task, WP_FOREVER);
    return NULL;
}

static void *read_one(void *arg) {
    return (void *)(uintptr_t)check_next(arg, WP_FOREVER).user_data;
}

/* One task before it, one behind it; it waits for room in a full pool until a cancel or a shutdown refuses it. */
static void a_refused_submit_leaves_no_gap(void) {
    for (int way = 0; way < 4; way++) {
        bool is_cancel = way % 2, has_reader = way / 2;
        wp_pool *full = check_pool(1, 1), *other = manual_pool(8, 0);
        wp_results *results = check_results(4, WP_RESULTS_ORDERED);
        int fd = wp_results_fd(results);
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, full, 1);
        check_fill(full, 1);
        wp_task before = recorded(results, 1), behind = recorded(results, 2);
        CHECK_EQ(WP_OK, wp_submit_task(other, &before, 0));
        struct refused refused = {full, results, group_in(full, NULL), 12345};
        pthread_t thread = check_thread(be_refused, &refused), reader;
        AWAIT(check_stats(full).waiting == 1);
        CHECK_EQ(WP_OK, wp_submit_task(other, &behind, 0));
        ROW(2, step(other, UINT64_MAX));
        ROW(1, check_next(results, 0).user_data);
        ROW(false, is_readable(fd)); /* What it waits for may still be accepted. */
        ROW(WP_ETIMEDOUT, next_code(results, 0));
        if (has_reader) {
            reader = check_thread(read_one, results);
        }
        if (is_cancel) {
            ROW(WP_OK, wp_group_cancel(refused.group));
        } else {
            ROW(WP_ETIMEDOUT, wp_shutdown_for(full, WP_SHUTDOWN_CANCEL, 0, NULL));
        }
        check_join(thread);
        ROW(is_cancel ? WP_ECANCELLED : WP_ECLOSED, refused.code);
        if (has_reader) {
            void *number = NULL;
            CHECK_EQ(0, pthread_join(reader, &number));
            ROW(2, (uintptr_t)number);
        } else {
            ROW(true, is_readable(fd));
            ROW(3, free_places(other, results)); /* Four, but for the record that is not read: the refused one's is free. */
            ROW(2, check_next(results, 0).user_data);
        }
        ROW(has_reader ? 4 : 1, free_places(other, results));
        ROW(false, is_readable(fd));
        ROW(4, step(other, UINT64_MAX));
        for (int i = 0; i < 4; i++) {
            (void)check_next(results, 0);
        }
        check_post(&gate.open);
        release(refused.group);
        ROW(WP_OK, wp_destroy(full));
        ROW(WP_OK, wp_destroy(other));
        ROW(WP_OK, wp_results_release(results));
    }
}

/* A batch longer than what the library reserves at a time, of which the pool takes a part. */
static void a_batch_keeps_its_order(void) {
    enum { COUNT = 200 };
    for (uint32_t capacity = 1; capacity <= COUNT; capacity += 33) {
        wp_pool *pool = manual_pool(capacity, 0);
        wp_results *results = check_results(COUNT, WP_RESULTS_ORDERED), *mixed = check_results(COUNT, WP_RESULTS_ORDERED);
        wp_task batch[COUNT];
        for (uint64_t i = 0; i < COUNT; i++) {
            batch[i] = recorded(i % 3 == 0 ? results : i % 3 == 1 ? mixed : NULL, i);
        }
        uint64_t first = 0, next[2] = {0, 1};
        while (first < COUNT) {
            size_t accepted = 0;
            int code = wp_submit_batch(pool, batch + first, COUNT - first, sizeof *batch, 0, &accepted);
            ROW(first + accepted < COUNT ? WP_EFULL : WP_OK, code);
            ROW(capacity < COUNT - first ? capacity : COUNT - first, accepted);
            first += accepted;
            ROW(accepted, step(pool, UINT64_MAX));
            for (int which = 0; which < 2; which++) {
                for (; next[which] < first; next[which] += 3) {
                    ROW(next[which], check_next(which ? mixed : results, 0).user_data);
                }
                ROW(WP_ETIMEDOUT, next_code(which ? mixed : results, 0));
            }
        }
        ROW(WP_OK, wp_destroy(pool));
        ROW(WP_OK, wp_results_release(results));
        ROW(WP_OK, wp_results_release(mixed));
    }
}

/* ---- under load ---- */

enum { SUBMITTERS = 3, EACH = 300 };

struct storm {
    wp_pool *pool;
    wp_results *results;
    atomic_uint given[SUBMITTERS];
    atomic_uint left; /* submitters; the last one closes the results */
    uint64_t seeds[SUBMITTERS];
};

struct storm_submitter {
    struct storm *storm;
    unsigned index;
};

static int linger(wp_context *context, void *arg) {
    (void)context;
    for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
        sched_yield();
    }
    return 0;
}

/* The numbers of one submitter grow; those of its refused tasks are left out. */
static void *storm_submit(void *arg) {
    struct storm_submitter *me = arg;
    struct storm *storm = me->storm;
    uint64_t *random = &storm->seeds[me->index];
    wp_group *group = NULL;
    for (uint64_t i = 0; i < EACH;) {
        if (group == NULL) {
            group = group_with(storm->pool, NULL, 0, WP_ON_ERROR_GO_ON, (uint32_t)(check_random(random) % 3));
        }
        wp_task batch[6];
        size_t count = 1 + check_random(random) % 6, accepted = 0;
        bool is_scoped = check_random(random) % 2;
        for (size_t b = 0; b < count; b++) {
            batch[b] = recorded(storm->results, me->index * UINT64_C(1000000) + i + b);
            batch[b].run = linger;
            batch[b].arg = (void *)(uintptr_t)(check_random(random) % 4);
            if (is_scoped) {
                batch[b].group = check_random(random) % 2 ? group : NULL;
                batch[b].deadline = check_random(random) % 8 ? 0 : wp_deadline_after(storm->pool, check_random(random) % NS_PER_MS);
            }
        }
        uint64_t timeout = check_random(random) % 3 == 0 ? WP_FOREVER : check_random(random) % (NS_PER_MS / 4);
        int code = wp_submit_batch(storm->pool, batch, count, sizeof *batch, timeout, &accepted);
        atomic_fetch_add(&storm->given[me->index], (unsigned)accepted);
        i += accepted;
        if (code == WP_ECLOSED) {
            break;
        }
        CHECK(code == WP_OK || code == (timeout ? WP_ETIMEDOUT : WP_EFULL) || code == WP_ERESULTS || code == WP_ECANCELLED);
        i += code != WP_OK; /* The refused one is given up. */
        if (code == WP_ECANCELLED) {
            release(group);
            group = NULL;
        } else if (check_random(random) % 8 == 0) {
            CHECK_EQ(WP_OK, wp_group_cancel(group)); /* What comes next to it is refused, its place given back. */
        }
    }
    CHECK_EQ(WP_OK, wp_group_release(group));
    if (atomic_fetch_sub(&storm->left, 1) == 1) {
        CHECK_EQ(WP_OK, wp_results_close(storm->results));
    }
    return NULL;
}

static void order_is_kept_under_load(void) {
    unsigned long rounds = check_rounds(check_on_valgrind() ? 5 : 60), records = 0, unrun = 0, wake_ups = 0;
    uint64_t seed = check_seed();
    static struct storm storm;
    for (unsigned long round = 0; round < rounds; round++) {
        memset(&storm, 0, sizeof storm);
        storm.pool = check_pool(2, 1 + (uint32_t)(check_random(&seed) % 16));
        storm.results = check_results(1 + (uint32_t)(check_random(&seed) % 32),
                                      WP_RESULTS_ORDERED | (round % 2 ? WP_RESULTS_WAIT : 0));
        struct pollfd poll_fd = {.fd = wp_results_fd(storm.results), .events = POLLIN, .revents = 0};
        struct storm_submitter submitters[SUBMITTERS];
        pthread_t threads[SUBMITTERS];
        atomic_init(&storm.left, SUBMITTERS);
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            storm.seeds[i] = check_random(&seed);
            submitters[i] = (struct storm_submitter){&storm, i};
            threads[i] = check_thread(storm_submit, &submitters[i]);
        }
        uint64_t next[SUBMITTERS] = {0};
        unsigned got_of[SUBMITTERS] = {0};
        unsigned long taken = 0, stop_at = round % 3 == 0 ? check_random(&seed) % (SUBMITTERS * EACH / 4) : ULONG_MAX;
        for (;;) {
            wp_record batch[8];
            size_t got = 0;
            int ready = poll(&poll_fd, 1, -1);
            CHECK(ready == 1 || (ready < 0 && errno == EINTR));
            wake_ups++;
            int code = wp_results_drain(storm.results, batch, 8, sizeof *batch, 0, &got);
            if (code == WP_ECLOSED) {
                break;
            }
            CHECK_EQ(WP_OK, code); /* One reader: what it was woken for is there. */
            for (size_t i = 0; i < got; i++) {
                uint64_t of = batch[i].user_data / 1000000, number = batch[i].user_data % 1000000;
                CHECK(of < SUBMITTERS && number >= next[of]);
                next[of] = number + 1;
                got_of[of]++;
                unrun += batch[i].fate != WP_FATE_RAN;
            }
            if (taken < stop_at && taken + got >= stop_at) {
                int stopped = wp_shutdown_for(storm.pool, WP_SHUTDOWN_CANCEL, 0, NULL);
                CHECK(stopped == WP_OK || stopped == WP_ETIMEDOUT);
            }
            taken += got;
        }
        records += taken;
        for (unsigned i = 0; i < SUBMITTERS; i++) {
            check_join(threads[i]);
            CHECK_EQ(atomic_load(&storm.given[i]), got_of[i]);
        }
        CHECK_EQ(WP_OK, wp_destroy(storm.pool));
        CHECK_EQ(WP_OK, wp_results_release(storm.results));
    }
    printf("results_ordered: %lu rounds: %lu records in order, %lu of tasks that did not run, %lu wake-ups, none empty\n", rounds,
           records, unrun, wake_ups);
    CHECK(rounds < 10 || unrun > 0);
}

int main(void) {
    check_begin("results_ordered");
    CASE(every_order_of_ends_is_read_in_that_of_the_submits);
    CASE(every_fate_keeps_its_turn);
    CASE(a_record_out_of_turn_keeps_its_place);
    CASE(a_refused_submit_leaves_no_gap);
    CASE(a_batch_keeps_its_order);
    CASE(order_is_kept_under_load);
    return check_end();
}
