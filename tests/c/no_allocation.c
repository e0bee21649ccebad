/* SPDX-License-Identifier: MIT
 *
 * The promise (law L1): a pool allocates when it is made, at most what wp_footprint() told and hardly less, and never
 * again: not for a submit of any kind, a batch, a thread's first one, one that blocks, a snapshot, or a wait. All is freed by
 * wp_destroy().
 *
 * This program takes the place of glibc's allocator (allocator.h) and counts. Each size of pool is
 * measured in a process of its own, since glibc keeps the stacks of ended threads, and their records, for the next threads.
 *
 * WP_ROUNDS: thousands of submits in the steady state; 1000 also in the short form.
 */
#include "check.h"

#if !defined(__GLIBC__) || CHECK_SANITIZED

int main(void) {
    check_begin("no_allocation");
    check_skip("needs glibc's allocator, without a sanitizer's in front of it");
}

#else

#include "allocator.h"

#include <sys/wait.h>

/* The count sees the allocations of the program and of what it is linked with, or this test could not fail. */
static void the_counting_counts(void) {
    unsigned long before = atomic_load(&requests), bytes = atomic_load(&requested_bytes);
    long blocks = atomic_load(&live);
    char *(*volatile copy)(const char *) = strdup; /* allocates from inside the C library; not to be optimised away */
    char *copied = copy("as long as this text");
    void *block = NULL;
    CHECK_EQ(0, posix_memalign(&block, 64, 1000));
    CHECK_EQ(before + 2, atomic_load(&requests));
    CHECK_EQ(bytes + 1000 + 21, atomic_load(&requested_bytes));
    CHECK_EQ(blocks + 2, atomic_load(&live));
    free(copied);
    free(block);
    CHECK_EQ(blocks, atomic_load(&live));
}

/* ---- the steady state ---- */

enum { STEADY_WORKERS = 2, STEADY_CAPACITY = 64 };

static atomic_uint ran;
static atomic_uint ended;

static int full(wp_context *context, void *arg) {
    (void)context;
    check_count(arg);
    return 0;
}

static void end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    (void)arg;
    atomic_fetch_add(&ended, 1);
}

static void steady_submits(wp_pool *pool, unsigned long count) {
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT;
    task.run = full;
    task.arg = &ran;
    task.end = end;
    task.label = "steady";
    for (unsigned long i = 0; i < count; i++) {
        int code;
        switch (i % 4) {
        case 0: code = wp_submit(pool, check_count, &ran); break;
        case 1: code = wp_submit_for(pool, check_count, &ran, NS_PER_S * 1000); break;
        case 2: code = wp_submit_task(pool, &task, WP_FOREVER); break;
        default:
            while ((code = wp_try_submit(pool, check_count, &ran)) == WP_EFULL) {
                sched_yield();
            }
        }
        CHECK_EQ(WP_OK, code);
        if (i % 1000 == 0) {
            CHECK_EQ(WP_OK, wp_stats_get(pool, &stats));
            CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        }
    }
}

/* Batches with and without an `end`, that find room and that wait. */
static void steady_batches(wp_pool *pool, unsigned long count) {
    enum { LARGEST = 3 * STEADY_CAPACITY };
    wp_task batch[LARGEST];
    for (unsigned i = 0; i < LARGEST; i++) {
        wp_task task = WP_TASK_INIT;
        task.run = full;
        task.arg = &ran;
        task.end = i % 2 ? end : NULL;
        batch[i] = task;
    }
    for (unsigned long done = 0, turn = 0; done < count; turn++) {
        static const size_t sizes[] = {1, 10, STEADY_CAPACITY, LARGEST};
        size_t left = count - done, size = sizes[turn % 4] < left ? sizes[turn % 4] : left, accepted = 0;
        int code = wp_submit_batch(pool, batch, size, sizeof *batch, turn % 8 == 0 ? 0 : WP_FOREVER, &accepted);
        CHECK(code == WP_OK ? accepted == size : code == WP_EFULL && accepted < size);
        done += accepted;
    }
}

static void notice(void *arg) {
    check_count(arg);
}

/* Waiters that are told at once, by a worker, or taken back. */
static void steady_waiters(wp_pool *pool, unsigned long count) {
    static atomic_uint told;
    wp_waiter waiter = WP_WAITER_INIT;
    unsigned expected = 0;
    waiter.notify = notice;
    waiter.arg = &told;
    for (unsigned long i = 0; i < count; i++) {
        while (i % 2 && wp_try_submit(pool, check_count, &ran) == WP_OK) {
        }
        CHECK_EQ(WP_OK, wp_when_room(pool, &waiter));
        int code = i % 3 ? WP_ETOOLATE : wp_forget_room(pool, &waiter, WP_FOREVER);
        expected += code != WP_OK;
        AWAIT(atomic_load(&told) == expected);
    }
}

/* A thread that does one thing and tells how many calls of the allocator there were meanwhile. */
struct visitor {
    wp_pool *pool;
    sem_t go;
    sem_t done;
    unsigned long calls;
    int code;
    int kind;
};

static void *visit(void *arg) {
    struct visitor *me = arg;
    wp_task task = WP_TASK_INIT;
    task.run = full;
    task.arg = &ran;
    task.end = end;
    wp_task batch[] = {task, task, task};
    check_wait(&me->go);
    unsigned long before = atomic_load(&calls);
    switch (me->kind) {
    case 0: me->code = wp_submit(me->pool, check_count, &ran); break;
    case 1: me->code = wp_submit_for(me->pool, check_count, &ran, NS_PER_S * 1000); break;
    case 2: me->code = wp_submit_task(me->pool, &task, WP_FOREVER); break;
    case 3: me->code = wp_try_submit(me->pool, check_count, &ran); break;
    case 4: me->code = wp_wait_idle(me->pool, WP_FOREVER); break;
    case 6: me->code = wp_submit_batch(me->pool, batch, 3, sizeof task, WP_FOREVER, NULL); break;
    default: me->code = wp_submit_for(me->pool, check_count, &ran, 5 * NS_PER_MS); break;
    }
    me->calls = atomic_load(&calls) - before;
    check_post(&me->done);
    return NULL;
}

static pthread_t visitor_start(struct visitor *visitor, wp_pool *pool, int kind) {
    visitor->pool = pool;
    visitor->kind = kind;
    visitor->calls = 12345;
    CHECK_EQ(0, sem_init(&visitor->go, 0, 0));
    CHECK_EQ(0, sem_init(&visitor->done, 0, 0));
    return check_thread(visit, visitor);
}

static void a_threads_first_call_allocates_nothing(void) {
    for (int kind = 0; kind <= 6; kind++) {
        wp_pool *pool = check_pool(1, 1);
        struct visitor visitor;
        pthread_t thread = visitor_start(&visitor, pool, kind);
        check_post(&visitor.go);
        check_wait(&visitor.done);
        CHECK_EQ(WP_OK, visitor.code);
        CHECK_EQ(0, visitor.calls);
        check_join(thread);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void a_thread_whose_first_call_blocks_allocates_nothing(void) {
    for (int kind = 0; kind <= 6; kind++) {
        wp_pool *pool = check_pool(1, 1);
        struct visitor visitor;
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 1);
        check_fill(pool, 1);
        pthread_t thread = visitor_start(&visitor, pool, kind);
        unsigned long before = atomic_load(&requests);
        check_post(&visitor.go);
        if (kind <= 2 || kind == 6) {
            AWAIT(check_stats(pool).waiting == 1);
            check_post(&gate.open);
        } else if (kind == 4) {
            CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 5 * NS_PER_MS)); /* Long enough for the other one to wait, too. */
            check_post(&gate.open);
        } else {
            check_wait(&visitor.done);
            check_post(&visitor.done);
            check_post(&gate.open);
        }
        check_wait(&visitor.done);
        CHECK_EQ(kind == 3 ? WP_EFULL : kind == 5 ? WP_ETIMEDOUT : WP_OK, visitor.code);
        CHECK_EQ(0, visitor.calls);
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        CHECK_EQ(before, atomic_load(&requests)); /* by the workers, or here; the visitor's end may free its own */
        check_join(thread);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void the_steady_state_allocates_nothing(void) {
    unsigned long count = check_rounds(1000) * 1000;
    wp_pool *pool = check_pool(STEADY_WORKERS, STEADY_CAPACITY);
    atomic_store(&ran, 0);
    atomic_store(&ended, 0);
    unsigned long before = atomic_load(&calls);
    steady_submits(pool, count);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    unsigned long allocations = atomic_load(&calls) - before;
    CHECK_EQ(count, atomic_load(&ran));
    CHECK_EQ(count / 4, atomic_load(&ended));
    steady_batches(pool, count);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    allocations = atomic_load(&calls) - before;
    CHECK_EQ(2 * count, atomic_load(&ran));
    wp_stats stats = check_stats(pool);
    printf("no_allocation: %lu tasks, half of them in batches (%llu submits waited): %lu calls of the allocator\n", 2 * count,
           (unsigned long long)stats.waits, allocations);
    CHECK_EQ(0, allocations);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void waiting_for_word_of_room_allocates_nothing(void) {
    wp_pool *pool = check_pool(STEADY_WORKERS, STEADY_CAPACITY);
    CHECK(wp_room_fd(pool) >= 0);
    unsigned long before = atomic_load(&calls);
    steady_waiters(pool, check_rounds(1000));
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(before, atomic_load(&calls));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void ending_allocates_nothing(void) {
    for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
        wp_pool *pool = check_pool(2, 64);
        wp_task task = WP_TASK_INIT;
        struct gate gate;
        gate_init(&gate);
        gate_shut(&gate, pool, 2);
        task.run = full;
        task.arg = &ran;
        task.end = end;
        unsigned long before = atomic_load(&requests);
        for (int i = 0; i < 64; i++) {
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        }
        CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, NS_PER_MS, NULL));
        check_post_times(&gate.open, 2);
        CHECK_EQ(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, NULL));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(before, atomic_load(&requests));
    }
}

/* ---- results ---- */

static void *read_all(void *arg) {
    wp_record record = WP_RECORD_INIT;
    unsigned long before = atomic_load(&calls);
    int code;
    do {
        code = wp_results_next(arg, &record, WP_FOREVER);
    } while (code == WP_OK);
    CHECK_EQ(WP_ECLOSED, code);
    CHECK_EQ(before, atomic_load(&calls));
    return NULL;
}

/* Submits that wait for a place, a reader that waits for records, the descriptor, the end. */
static void results_allocate_when_they_are_made_and_never_again(void) {
    static const uint32_t capacities[] = {1, 2, 5, 1000};
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        wp_results_options options = WP_RESULTS_OPTIONS_INIT;
        wp_results *results = NULL;
        wp_pool *pool = check_pool(2, 16);
        uint64_t footprint = 0;
        options.capacity = capacities[c];
        options.flags = WP_RESULTS_WAIT | (c % 2 ? WP_RESULTS_ORDERED : 0);
        CHECK_EQ(WP_OK, wp_results_footprint(&options, &footprint));
        unsigned long bytes = atomic_load(&requested_bytes), asked = atomic_load(&requests);
        long live_before = atomic_load(&live);
        CHECK_EQ(WP_OK, wp_results_create(&options, &results));
        bytes = atomic_load(&requested_bytes) - bytes;
        asked = atomic_load(&requests) - asked;
        printf("no_allocation: results of capacity %u: footprint %llu, asked for %lu in %lu blocks\n", options.capacity,
               (unsigned long long)footprint, bytes, asked);
        CHECK_EQ(footprint, bytes);
        pthread_t reader = check_thread(read_all, results);
        wp_task task = WP_TASK_INIT;
        task.run = full;
        task.arg = &ran;
        task.end = end;
        task.results = results;
        wp_task batch[] = {task, task, task};
        unsigned long before = atomic_load(&requests);
        for (int i = 0; i < 2000; i++) {
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
            CHECK_EQ(WP_OK, wp_submit_batch(pool, batch, 3, sizeof task, WP_FOREVER, NULL));
            CHECK(i != 1000 || wp_results_fd(results) >= 0);
        }
        CHECK_EQ(WP_OK, wp_results_close(results));
        CHECK_EQ(before, atomic_load(&requests));
        check_join(reader);
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(WP_OK, wp_results_release(results));
        CHECK_AT_MOST(live_before, atomic_load(&live));
    }
}

/* ---- groups ---- */

static int wait_for_another(wp_context *context, void *arg) {
    (void)context;
    int code = wp_group_wait(arg, WP_FOREVER); /* Runs its tasks here. */
    CHECK(code == WP_OK || code == WP_EDEADLK);
    return 0;
}

/* Tasks in nested and limited groups, with deadlines that pass, waits inside and outside, failures and cancels. */
static void groups_allocate_when_they_are_made_and_never_again(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    uint64_t footprint = 0;
    options.workers = 2;
    options.capacity = 16;
    options.timers = 1;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL)); /* Its threads are there. */
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_footprint(NULL, &footprint));
    long live_before = atomic_load(&live);
    for (int round = 0; round < 50; round++) {
        wp_group *groups[3] = {NULL, NULL, NULL};
        for (int i = 0; i < 3; i++) {
            wp_group_options how = WP_GROUP_OPTIONS_INIT;
            how.parent = i > 0 ? groups[i - 1] : NULL;
            how.max_running = i == 2;
            how.on_error = i == 1 && round % 4 == 0 ? WP_ON_ERROR_CANCEL : WP_ON_ERROR_GO_ON;
            unsigned long bytes = atomic_load(&requested_bytes), asked = atomic_load(&requests);
            CHECK_EQ(WP_OK, wp_group_create(pool, &how, &groups[i]));
            CHECK_EQ(footprint, atomic_load(&requested_bytes) - bytes);
            CHECK_EQ(1, atomic_load(&requests) - asked); /* In one piece. */
        }
        unsigned long before = atomic_load(&calls);
        wp_task task = WP_TASK_INIT;
        task.run = full;
        task.arg = &ran;
        task.end = end;
        for (int i = 0; i < 100; i++) {
            task.group = groups[i % 3];
            task.deadline = i % 5 == 0 ? wp_now(pool) + (uint64_t)(i % 7) * 1000 : 0;
            int code = wp_submit_task(pool, &task, WP_FOREVER);
            CHECK(code == WP_OK || code == WP_ECANCELLED);
        }
        wp_task waits = WP_TASK_INIT;
        waits.run = wait_for_another;
        waits.arg = groups[1];
        CHECK_EQ(WP_OK, wp_submit_task(pool, &waits, WP_FOREVER));
        if (round % 2) {
            CHECK_EQ(WP_OK, wp_group_cancel(groups[round % 3]));
        }
        wp_group_status status = WP_GROUP_STATUS_INIT;
        CHECK_EQ(WP_OK, wp_group_status_get(groups[0], &status));
        (void)wp_group_stop_reason(groups[0]);
        CHECK_EQ(WP_OK, wp_group_wait(groups[0], WP_FOREVER));
        CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        CHECK_EQ(before, atomic_load(&calls));
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(WP_OK, wp_group_release(groups[i]));
        }
        CHECK_EQ(live_before, atomic_load(&live));
    }
    printf("no_allocation: a group: footprint %llu, asked for in 1 block\n", (unsigned long long)footprint);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_refused_create_leaves_nothing(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = 4;
    options.stack_size = UINT64_C(1) << 60;
    long before = atomic_load(&live);
    CHECK(wp_create(&options, &pool) != WP_OK);
    CHECK_EQ(before, atomic_load(&live));
    options.stack_size = 0;
    options.timers = 2;
    CHECK_EQ(WP_EINVAL, wp_create(&options, &pool));
    CHECK_EQ(before, atomic_load(&live));
}

/* ---- the footprint ---- */

static const struct { uint32_t workers, capacity, timers; } pairs[] = {
    {1, 1, 0}, {1, 2, 1}, {2, 16, 0}, {3, 5, 1}, {4, 1024, 0}, {64, 1, 0}, {64, 64, 1}, {8, 100000, 0}, {2, 1000000, 0},
};
static size_t pair;

static void the_footprint_is_what_create_asks_for(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    uint64_t footprint = 0;
    options.workers = pairs[pair].workers;
    options.capacity = pairs[pair].capacity;
    options.timers = pairs[pair].timers;
    options.stack_size = WP_STACK_MIN; /* So that glibc keeps all the stacks: see below. */
    unsigned long before = atomic_load(&calls);
    CHECK_EQ(WP_OK, wp_footprint(&options, &footprint));
    CHECK_EQ(before, atomic_load(&calls));

    long live_at_first = atomic_load(&live);
    unsigned long bytes = atomic_load(&requested_bytes), asked = atomic_load(&requests);
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    bytes = atomic_load(&requested_bytes) - bytes;
    asked = atomic_load(&requests) - asked;
    printf("no_allocation: %u workers, capacity %u: footprint %llu, asked for %lu in %lu blocks (%.4f)\n", options.workers,
           options.capacity, (unsigned long long)footprint, bytes, asked, (double)footprint / (double)bytes);
    CHECK_EQ(footprint, check_stats(pool).footprint);
    CHECK_AT_MOST(footprint, bytes);
    CHECK_AT_MOST(bytes + bytes / 10, footprint);
    CHECK_AT_LEAST(1, asked);

    /* What stays is glibc's record of each thread, with the stack that it keeps; the next threads take both again. */
    CHECK_EQ(WP_OK, wp_destroy(pool));
    long kept = atomic_load(&live) - live_at_first;
    CHECK_AT_MOST(options.workers + options.timers, kept);
    for (int again = 0; again < 3; again++) {
        CHECK_EQ(WP_OK, wp_create(&options, &pool));
        CHECK_EQ(WP_OK, wp_submit(pool, check_count, &ran));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(kept, atomic_load(&live) - live_at_first);
    }
}

/* How many processors there are is read from the system's files, some of them long. */
static void the_default_number_of_workers_is_found_without_allocation(void) {
    uint64_t bytes = 0;
    unsigned long before = atomic_load(&calls);
    CHECK_EQ(WP_OK, wp_footprint(NULL, &bytes));
    CHECK_EQ(before, atomic_load(&calls));
    CHECK_AT_LEAST(1, bytes);
}

static void each_pair_in_its_own_process(void) {
    for (pair = 0; pair < sizeof pairs / sizeof pairs[0]; pair++) {
        pid_t child = check_fork();
        if (child == 0) {
            the_footprint_is_what_create_asks_for();
            fflush(stdout);
            _Exit(0);
        }
        int status = -1;
        CHECK_EQ(child, waitpid(child, &status, 0));
        ROW(0, status);
    }
}

int main(void) {
    check_begin("no_allocation");
    if (check_on_valgrind()) {
        check_skip("valgrind's allocator stands in front of glibc's");
    }
    CASE(the_counting_counts);
    CASE(each_pair_in_its_own_process); /* before this process has threads */
    CASE(the_default_number_of_workers_is_found_without_allocation);
    CASE(a_refused_create_leaves_nothing);
    CASE(a_threads_first_call_allocates_nothing);
    CASE(a_thread_whose_first_call_blocks_allocates_nothing);
    CASE(waiting_for_word_of_room_allocates_nothing);
    CASE(ending_allocates_nothing);
    CASE(results_allocate_when_they_are_made_and_never_again);
    CASE(groups_allocate_when_they_are_made_and_never_again);
    CASE(the_steady_state_allocates_nothing);
    return check_end();
}

#endif
