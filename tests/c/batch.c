/* SPDX-License-Identifier: MIT
 *
 * The promise (law L3): a batch accepts a prefix and says how long it is. What is accepted is copied, is queued in order, and
 * meets its fate once (law L2); the rest is untouched, whatever the reason: no room in time, a closed pool. What can be seen to
 * be wrong before refuses all of it. Batches inside callbacks: inside_callbacks.c.
 *
 * WP_ROUNDS: repetitions of the racy cases; 20 in the short form (3 under valgrind).
 */
#include "refused.h"

#include <sys/mman.h>

enum { MOST = 3002, UNTOLD = 12345 };

static const uint32_t capacities[] = {1, 2, 3, 5, 7, 1000};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

static unsigned long rounds;
static uint64_t seed;

/* ---- tasks that note what became of them ---- */

struct item {
    atomic_uint runs, ran_ends, discarded_ends;
    unsigned place; /* Which of all items' runs it was. */
    int status;
    bool has_end;
    const char *label;
    struct gate *gate; /* Or NULL: then the task does not wait. */
};

static atomic_uint places;

static int item_run(wp_context *context, void *arg) {
    struct item *item = arg;
    CHECK(wp_label(context) == item->label);
    if (item->gate != NULL) {
        gate_task(item->gate);
    }
    item->place = atomic_fetch_add(&places, 1);
    atomic_fetch_add(&item->runs, 1);
    return item->status;
}

static void item_end(const wp_outcome *outcome, void *arg) {
    struct item *item = arg;
    CHECK_EQ(sizeof *outcome, outcome->struct_size);
    CHECK(outcome->label == item->label);
    if (outcome->fate == WP_FATE_RAN) {
        CHECK_EQ(item->status, outcome->status);
        CHECK(outcome->worker != WP_NO_WORKER);
        CHECK_EQ(1, atomic_load(&item->runs));
        atomic_fetch_add(&item->ran_ends, 1);
    } else {
        CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
        CHECK_EQ(0, outcome->status);
        CHECK_EQ(WP_NO_WORKER, outcome->worker);
        CHECK_EQ(0, atomic_load(&item->runs));
        atomic_fetch_add(&item->discarded_ends, 1);
    }
}

/* All four kinds in turn: bare, with an `end`, with a label, with both. Every third one fails. */
static void items_init(struct item *items, wp_task *tasks, size_t count, struct gate *gate) {
    static const wp_task empty = WP_TASK_INIT;
    memset(items, 0, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i].status = i % 3 == 2 ? 100 + (int)i : 0;
        items[i].has_end = i % 4 % 2 == 1;
        items[i].label = i % 4 / 2 == 1 ? "an item" : NULL;
        items[i].gate = gate;
        tasks[i] = empty;
        tasks[i].run = item_run;
        tasks[i].arg = &items[i];
        tasks[i].end = items[i].has_end ? item_end : NULL;
        tasks[i].label = items[i].label;
    }
}

enum fate { NONE, RAN, DISCARDED };

static void fates_are(enum fate fate, const struct item *items, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        CHECK_EQ(fate == RAN, atomic_load(&items[i].runs));
        CHECK_EQ(fate == RAN && items[i].has_end, atomic_load(&items[i].ran_ends));
        CHECK_EQ(fate == DISCARDED && items[i].has_end, atomic_load(&items[i].discarded_ends));
    }
}

static void ran_in_order(const struct item *items, size_t count) {
    for (size_t i = 1; i < count; i++) {
        CHECK_AT_LEAST((long long)items[i - 1].place + 1, items[i].place);
    }
}

static struct item items[MOST];
static wp_task tasks[MOST];

/* ---- a thread that submits one batch ---- */

struct batcher {
    wp_pool *pool;
    size_t count;
    uint64_t timeout;
    size_t accepted;
    int code;
    uint64_t took;
    atomic_bool is_done;
    pthread_t thread;
};

static void *submit_batch(void *arg) {
    struct batcher *me = arg;
    uint64_t began = check_now();
    me->code = wp_submit_batch(me->pool, tasks, me->count, sizeof *tasks, me->timeout, &me->accepted);
    me->took = check_now() - began;
    atomic_store(&me->is_done, true);
    return NULL;
}

static void batcher_start(struct batcher *me, wp_pool *pool, size_t count, uint64_t timeout) {
    memset(me, 0, sizeof *me);
    me->pool = pool;
    me->count = count;
    me->timeout = timeout;
    me->accepted = UNTOLD;
    me->thread = check_thread(submit_batch, me);
}

/* ---- all of it ---- */

/* With room for all of it nothing waits; the array may go as soon as the call has returned. */
static void a_batch_with_room_is_copied_and_runs_in_order(void) {
    for (unsigned c = 0; c < CAPACITIES; c++) {
        for (uint32_t count = 1; count <= capacities[c]; count = count < 8 ? count + 1 : count * 5) {
            uint32_t given = count * 5 > capacities[c] && count > 8 ? capacities[c] : count;
            wp_pool *pool = check_pool(1, capacities[c]);
            struct gate gate;
            size_t accepted = UNTOLD;
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
            items_init(items, tasks, given, NULL);
            CHECK_EQ(WP_OK, wp_submit_batch(pool, tasks, given, sizeof *tasks, 0, &accepted));
            CHECK_EQ(given, accepted);
            memset(tasks, CANARY, given * sizeof *tasks);
            wp_stats stats = check_stats(pool);
            CHECK_EQ(1 + given, stats.accepted);
            CHECK_EQ(given, stats.queued);
            CHECK_EQ(0, stats.waits);
            CHECK_EQ(0, stats.refused);
            check_post(&gate.open);
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            fates_are(RAN, items, 0, given);
            ran_in_order(items, given);
            stats = check_stats(pool);
            CHECK_EQ(1 + given, stats.ran);
            CHECK_EQ(given / 3, stats.failed);
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

/* One worker, one submitter, all its calls: first in, first out. The last ones of a large batch wait. */
static void batches_and_single_tasks_run_in_the_order_of_their_submits(void) {
    static const size_t counts[] = {1, 0, 5, 2, 40, 3, 1000, 17};
    for (unsigned c = 0; c < CAPACITIES; c++) {
        wp_pool *pool = check_pool(1, capacities[c]);
        size_t next = 0;
        items_init(items, tasks, MOST, NULL);
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            size_t accepted = UNTOLD;
            CHECK_EQ(WP_OK, wp_submit_batch(pool, tasks + next, counts[i], sizeof *tasks, WP_FOREVER, &accepted));
            CHECK_EQ(counts[i], accepted);
            next += accepted;
            CHECK_EQ(WP_OK, wp_submit_task(pool, &tasks[next++], WP_FOREVER));
        }
        CHECK_EQ(WP_OK, wp_shutdown(pool));
        fates_are(RAN, items, 0, next);
        fates_are(NONE, items, next, MOST);
        ran_in_order(items, next);
        CHECK_EQ(next, check_stats(pool).accepted);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

static void a_batch_larger_than_the_queue_waits_and_gets_through(void) {
    for (unsigned c = 0; c < CAPACITIES; c++) {
        for (int is_timed = 0; is_timed < 2; is_timed++) {
            size_t count = 3 * (size_t)capacities[c] + 2;
            wp_pool *pool = check_pool(1, capacities[c]);
            struct gate gate;
            struct batcher batcher;
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
            items_init(items, tasks, count, NULL);
            batcher_start(&batcher, pool, count, is_timed ? 1000 * NS_PER_S : WP_FOREVER);
            AWAIT(check_stats(pool).waiting == 1);
            wp_stats stats = check_stats(pool);
            CHECK_EQ(capacities[c], stats.queued);
            CHECK_EQ(1 + capacities[c], stats.accepted);
            CHECK_EQ(1, stats.waits);
            CHECK_EQ(false, atomic_load(&batcher.is_done));
            check_post(&gate.open);
            check_join(batcher.thread);
            CHECK_EQ(WP_OK, batcher.code);
            CHECK_EQ(count, batcher.accepted);
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            fates_are(RAN, items, 0, count);
            ran_in_order(items, count);
            stats = check_stats(pool);
            CHECK_EQ(1 + count, stats.accepted);
            CHECK_EQ(0, stats.waiting);
            CHECK_EQ(0, stats.refused);
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

static void an_empty_batch_is_accepted(void) {
    static const size_t sizes[] = {0, 1, 7, sizeof(wp_task), SIZE_MAX};
    wp_pool *pool = check_pool(1, 1);
    struct gate gate;
    wp_task bad = WP_TASK_INIT; /* Not even looked at. */
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 1);
    for (int is_closed = 0; is_closed < 2; is_closed++) {
        wp_stats before = check_stats(pool);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t accepted = UNTOLD;
            ROW(WP_OK, wp_submit_batch(pool, NULL, 0, sizes[i], 0, &accepted));
            ROW(0, accepted);
            accepted = UNTOLD;
            ROW(WP_OK, wp_submit_batch(pool, &bad, 0, sizes[i], WP_FOREVER, &accepted));
            ROW(0, accepted);
            ROW(WP_OK, wp_submit_batch(pool, NULL, 0, sizes[i], WP_FOREVER, NULL));
        }
        wp_stats after = check_stats(pool);
        ROW(0, memcmp(&before, &after, sizeof before));
        ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
    }
    check_post(&gate.open);
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- a part of it ---- */

/* The prefix is as long as there was room; the rest, given again later, is accepted then. */
static void without_waiting_a_batch_accepts_what_there_is_room_for(void) {
    for (unsigned c = 0; c < CAPACITIES; c++) {
        for (uint32_t room = 0; room <= capacities[c]; room = room < 7 ? room + 1 : room * 12 - 1) {
            for (int is_told = 0; is_told < 2; is_told++) {
                size_t count = room + 1 + room % 3, accepted = UNTOLD;
                wp_pool *pool = check_pool(1, capacities[c]);
                struct gate gate;
                gate_init(&gate);
                gate_shut(&gate, pool, 1);
                for (uint32_t i = room; i < capacities[c]; i++) {
                    CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
                }
                items_init(items, tasks, count, NULL);
                CHECK_EQ(WP_EFULL, wp_submit_batch(pool, tasks, count, sizeof *tasks, 0, is_told ? &accepted : NULL));
                CHECK_EQ(is_told ? room : UNTOLD, accepted);
                wp_stats stats = check_stats(pool);
                CHECK_EQ(1 + capacities[c], stats.accepted);
                CHECK_EQ(capacities[c], stats.queued);
                CHECK_EQ(1, stats.refused);
                CHECK_EQ(0, stats.waits);
                check_post(&gate.open);
                CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
                fates_are(RAN, items, 0, room);
                fates_are(NONE, items, room, count);
                CHECK_EQ(WP_OK, wp_submit_batch(pool, tasks + room, count - room, sizeof *tasks, WP_FOREVER, &accepted));
                CHECK_EQ(count - room, accepted);
                CHECK_EQ(WP_OK, wp_shutdown(pool));
                fates_are(RAN, items, 0, count);
                ran_in_order(items, count);
                CHECK_EQ(WP_OK, wp_destroy(pool));
            }
        }
    }
}

static void a_time_limit_is_never_early(void) {
    static const uint64_t timeouts[] = {1, 1000, NS_PER_MS, 20 * NS_PER_MS, 150 * NS_PER_MS};
    enum { CAPACITY = 16 };
    for (size_t room = 0; room <= CAPACITY; room += 8) {
        for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
            wp_pool *pool = check_pool(1, CAPACITY);
            struct gate gate;
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
            for (size_t filled = room; filled < CAPACITY; filled++) {
                CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
            }
            items_init(items, tasks, room + 5, NULL);
            struct batcher batcher;
            batcher_start(&batcher, pool, room + 5, timeouts[i]);
            check_join(batcher.thread);
            CHECK_EQ(WP_ETIMEDOUT, batcher.code);
            CHECK_EQ(room, batcher.accepted);
            CHECK_AT_LEAST(timeouts[i], batcher.took);
            CHECK_AT_MOST(timeouts[i] + 10 * NS_PER_S * (uint64_t)check_slowness, batcher.took);
            wp_stats stats = check_stats(pool);
            CHECK_EQ(1 + CAPACITY, stats.accepted);
            CHECK_EQ(1, stats.refused);
            CHECK_EQ(1, stats.waits);
            CHECK_EQ(0, stats.waiting);
            check_post(&gate.open);
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            fates_are(RAN, items, 0, room);
            fates_are(NONE, items, room, room + 5);
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

/* Room for one more comes in every quarter of the timeout. Were it the timeout of each task or of each wait, all would get in. */
static void the_timeout_is_one_for_the_whole_batch(void) {
    enum { COUNT = 40 };
    const uint64_t timeout = 200 * NS_PER_MS;
    wp_pool *pool = check_pool(1, 1);
    struct gate gate;
    struct batcher batcher;
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    items_init(items, tasks, COUNT, &gate);
    batcher_start(&batcher, pool, COUNT, timeout);
    AWAIT(check_stats(pool).waiting == 1);
    uint64_t began = check_now();
    for (unsigned opened = 0; opened < COUNT; opened++) {
        while (check_now() < began + opened * (timeout / 4) && !atomic_load(&batcher.is_done)) {
            sched_yield();
        }
        check_post(&gate.open);
    }
    check_join(batcher.thread);
    CHECK_EQ(WP_ETIMEDOUT, batcher.code);
    CHECK_AT_LEAST(1, batcher.accepted); /* Its first found room. */
    CHECK_AT_MOST(COUNT - 1, batcher.accepted);
    CHECK_AT_LEAST(timeout, batcher.took);
    printf("batch: room for one more came in each quarter of the timeout: %zu of %d were accepted\n", batcher.accepted, COUNT);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    fates_are(RAN, items, 0, batcher.accepted);
    fates_are(NONE, items, batcher.accepted, COUNT);
    CHECK_EQ(1 + batcher.accepted, check_stats(pool).accepted);
    CHECK_EQ(1, check_stats(pool).refused);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Its first wait has filled the queue, and `started` further tasks have got in since, when the pool is closed. */
static void a_batch_that_waits_is_refused_by_a_closing(void) {
    enum { CAPACITY = 5, COUNT = 20 };
    for (unsigned started = 0; started < 10; started++) {
        for (uint32_t mode = WP_SHUTDOWN_DRAIN; mode <= WP_SHUTDOWN_CANCEL; mode++) {
            wp_pool *pool = check_pool(1, CAPACITY);
            struct gate gate;
            struct batcher batcher;
            gate_init(&gate);
            gate_shut(&gate, pool, 1);
            items_init(items, tasks, COUNT, &gate);
            batcher_start(&batcher, pool, COUNT, started % 3 ? WP_FOREVER : 1000 * NS_PER_S);
            for (unsigned i = 0; i < started; i++) {
                check_post(&gate.open);
                check_wait(&gate.begun);
            }
            size_t accepted = CAPACITY + started;
            AWAIT(check_stats(pool).accepted == 1 + accepted && check_stats(pool).waiting == 1);
            CHECK_EQ(false, atomic_load(&batcher.is_done));
            CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, mode, 0, NULL));
            check_join(batcher.thread);
            CHECK_EQ(WP_ECLOSED, batcher.code);
            CHECK_EQ(accepted, batcher.accepted);
            CHECK_EQ(1 + accepted, check_stats(pool).accepted);
            CHECK_EQ(0, check_stats(pool).refused);
            check_post_times(&gate.open, COUNT + 1);
            CHECK_EQ(WP_OK, wp_shutdown(pool));
            size_t ran = mode == WP_SHUTDOWN_DRAIN ? accepted : started;
            fates_are(RAN, items, 0, ran);
            fates_are(DISCARDED, items, ran, accepted);
            fates_are(NONE, items, accepted, COUNT);
            ran_in_order(items, ran);
            CHECK_EQ(1 + ran, check_stats(pool).ran);
            CHECK_EQ(accepted - ran, check_stats(pool).discarded);
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

static void after_a_shutdown_nothing_is_accepted(void) {
    wp_pool *pool = check_pool(2, 16);
    items_init(items, tasks, 40, NULL);
    ROW(WP_OK, wp_shutdown(pool));
    for (size_t count = 1; count <= 40; count += 3) {
        size_t accepted = UNTOLD;
        ROW(WP_ECLOSED, wp_submit_batch(pool, tasks, count, sizeof *tasks, count % 2 ? WP_FOREVER : 0, &accepted));
        ROW(0, accepted);
        ROW(WP_ECLOSED, wp_submit_batch(pool, tasks, count, sizeof *tasks, NS_PER_S, NULL));
    }
    wp_stats stats = check_stats(pool);
    ROW(true, stats.accepted == 0 && stats.refused == 0 && stats.waits == 0);
    ROW(WP_OK, wp_destroy(pool));
    fates_are(NONE, items, 0, 40);
}

/* ---- none of it ---- */

static int refuse(wp_pool *pool, const void *at, size_t count, size_t size) {
    static const uint64_t timeouts[] = {0, NS_PER_MS, WP_FOREVER};
    static unsigned turn;
    size_t accepted = UNTOLD;
    wp_stats before = check_stats(pool);
    int code = wp_submit_batch(pool, at, count, size, timeouts[turn++ % 3], &accepted);
    wp_stats after = check_stats(pool);
    CHECK(code != WP_OK);
    CHECK_EQ(0, accepted);
    CHECK_EQ(0, memcmp(&before, &after, sizeof before));
    CHECK_EQ(code, wp_submit_batch(pool, at, count, size, 0, NULL));
    return code;
}

/* Wherever it is, also behind what there is room for, and whatever else there is to say: a closed pool is not even asked. */
static void one_bad_element_refuses_all(void) {
    static const size_t counts[] = {1, 2, 7, 100};
    wp_task good = WP_TASK_INIT;
    wp_pool *pool = check_pool(1, 16);
    good.run = must_not_run_task;
    good.end = must_not_end;
    for (int is_closed = 0; is_closed < 2; is_closed++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (size_t bad = 0; bad < counts[c]; bad = bad * 3 + 1) {
                for (size_t i = 0; i < counts[c]; i++) {
                    tasks[i] = good;
                }
                tasks[bad].run = NULL;
                ROW(WP_EINVAL, refuse(pool, tasks, counts[c], sizeof *tasks));
                tasks[bad] = good;
                for (size_t i = 0; i < BAD_SIZES; i++) {
                    tasks[bad].struct_size = bad_sizes[i];
                    ROW(WP_EINVAL, refuse(pool, tasks, counts[c], sizeof *tasks));
                }
                /* Sizes that a task may have, but not one in this array. */
                tasks[bad].struct_size = sizeof *tasks - 8;
                ROW(WP_EINVAL, refuse(pool, tasks, counts[c], sizeof *tasks));
                tasks[bad].struct_size = sizeof *tasks + 8;
                ROW(WP_EINVAL, refuse(pool, tasks, counts[c], sizeof *tasks));
            }
            ROW(WP_EINVAL, refuse(pool, NULL, counts[c], sizeof *tasks));
        }
        ROW(WP_OK, wp_shutdown(pool));
    }
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- the size of an element ---- */

/* Bytes with a page behind them that nobody may touch. */
static unsigned char *at_the_edge(size_t size, unsigned char **mapped) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    *mapped = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(*mapped != MAP_FAILED);
    CHECK_EQ(0, mprotect(*mapped + whole, page, PROT_NONE));
    return *mapped + whole - size;
}

static void unmap(unsigned char *mapped, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK_EQ(0, munmap(mapped, (size + page - 1) / page * page + page));
}

static atomic_uint ends;

static void count_end(const wp_outcome *outcome, void *arg) {
    (void)arg;
    CHECK_EQ(WP_FATE_RAN, outcome->fate);
    atomic_fetch_add(&ends, 1);
}

enum { ELEMENTS = 3 };

/* Elements of an older or a newer version; of a newer one only what this library knows is set. */
static void elements_of_other_versions(void) {
    static const size_t sizes[] = {offsetof(wp_task, arg),   offsetof(wp_task, end),   offsetof(wp_task, label),
                                   offsetof(wp_task, results), offsetof(wp_task, user_data), sizeof(wp_task), sizeof(wp_task) + 8,
                                   sizeof(wp_task) + 80,     2048,                     4096};
    wp_pool *pool = check_pool(1, 64);
    atomic_uint runs = 0;
    unsigned expected_runs = 0, expected_ends = 0;
    atomic_store(&ends, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], accepted = UNTOLD;
        if (size % 8 != 0) {
            continue;
        }
        unsigned char *mapped, *bytes = at_the_edge(ELEMENTS * size, &mapped);
        for (size_t i = 0; i < ELEMENTS; i++) {
            wp_task task = WP_TASK_INIT;
            task.struct_size = size;
            task.run = ok_task;
            task.arg = &runs;
            task.end = count_end;
            task.label = "of another version";
            memcpy(bytes + i * size, &task, size < sizeof task ? size : sizeof task);
        }
        if (size > sizeof(wp_task)) {
            for (size_t i = 0; i < ELEMENTS; i++) {
                unsigned char *tail = bytes + i * size + sizeof(wp_task), *last = bytes + (i + 1) * size - 1;
                *tail = 1;
                ROW(WP_ENOTSUP, refuse(pool, bytes, ELEMENTS, size));
                *tail = 0;
                *last = 1;
                ROW(WP_ENOTSUP, refuse(pool, bytes, ELEMENTS, size));
                *last = 0;
            }
        }
        ROW(WP_OK, wp_submit_batch(pool, (const wp_task *)(void *)bytes, ELEMENTS, size, 0, &accepted));
        ROW(ELEMENTS, accepted);
        ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
        expected_runs += size > offsetof(wp_task, arg) ? ELEMENTS : 0;
        expected_ends += size > offsetof(wp_task, end) ? ELEMENTS : 0;
        ROW(expected_runs, atomic_load(&runs));
        ROW(expected_ends, atomic_load(&ends));
        unmap(mapped, ELEMENTS * size);
    }
    ROW(WP_OK, wp_destroy(pool));
}

static void sizes_that_no_element_has_are_refused(void) {
    static const size_t walkable[] = {1, 4, 5, 7, 8, sizeof(wp_task) - 8, sizeof(wp_task) + 8, 4096};
    wp_pool *pool = check_pool(1, 16);
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;

    /* One element, with nothing behind it. */
    unsigned char *mapped, *bytes = at_the_edge(sizeof task, &mapped);
    for (size_t count = 1; count <= ELEMENTS; count++) {
        for (size_t i = 0; i < BAD_SIZES; i++) {
            memcpy(bytes, &task, sizeof task);
            ROW(WP_EINVAL, refuse(pool, bytes, count, bad_sizes[i]));
            memcpy(bytes, &bad_sizes[i], sizeof bad_sizes[i]); /* also when the elements say the same */
            ROW(WP_EINVAL, refuse(pool, bytes, count, bad_sizes[i]));
        }
        for (size_t i = 0; i < sizeof walkable / sizeof walkable[0]; i++) {
            memcpy(bytes, &task, sizeof task);
            ROW(WP_EINVAL, refuse(pool, bytes, count, walkable[i]));
        }
        static const size_t without_run = offsetof(wp_task, run);
        memcpy(bytes, &without_run, sizeof without_run);
        ROW(WP_EINVAL, refuse(pool, bytes, count, without_run));
        /* Nor is there more to look at than the caller says. */
        ROW(WP_EINVAL, refuse(pool, bytes + sizeof task - 4, count, 4));
    }

    /* An array that can't be there: its size in bytes is more than there is, or so much more that it comes out small. */
    memcpy(bytes, &task, sizeof task);
    static const size_t counts[] = {SIZE_MAX / 2 / sizeof(wp_task) + 1, SIZE_MAX / sizeof(wp_task), SIZE_MAX / sizeof(wp_task) + 1,
                                    SIZE_MAX / sizeof(wp_task) + 2,     SIZE_MAX / 2 + 1,           SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        ROW(WP_EINVAL, refuse(pool, bytes, counts[i], sizeof task));
    }
    unmap(mapped, sizeof task);
    ROW(0, check_stats(pool).accepted);
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- many threads ---- */

enum { BATCHERS = 3, SINGLES = 2, SUBMITTERS = BATCHERS + SINGLES, EACH = MOST / SUBMITTERS };

struct crowd {
    wp_pool *pool;
    struct item *items;
    const wp_task *tasks;
    bool is_single;
    uint32_t capacity;
    uint64_t state;
    size_t accepted;
    unsigned long refused;
    pthread_t thread;
};

/* Until all its tasks are accepted, or the pool is closed. */
static void *submit_all(void *arg) {
    struct crowd *me = arg;
    while (me->accepted < EACH) {
        size_t left = EACH - me->accepted, accepted = UNTOLD;
        size_t count = 1 + check_random(&me->state) % (2 * (size_t)me->capacity);
        uint64_t kind = check_random(&me->state) % 3;
        uint64_t timeout = kind == 0 ? 0 : kind == 1 ? check_random(&me->state) % (200 * NS_PER_MS / 1000) : WP_FOREVER;
        const wp_task *from = me->tasks + me->accepted;
        int code;
        if (me->is_single) {
            count = 1;
            code = wp_submit_task(me->pool, from, timeout);
            accepted = code == WP_OK;
        } else {
            count = count < left ? count : left;
            code = wp_submit_batch(me->pool, from, count, sizeof *from, timeout, &accepted);
        }
        CHECK_AT_MOST(count, accepted);
        CHECK_EQ(code == WP_OK, accepted == count);
        me->accepted += accepted;
        if (code == WP_ECLOSED) {
            break;
        }
        if (code != WP_OK) {
            CHECK_EQ(timeout ? WP_ETIMEDOUT : WP_EFULL, code);
            CHECK(timeout != WP_FOREVER);
            me->refused++;
            sched_yield();
        }
    }
    return NULL;
}

static void a_crowd(uint32_t workers, uint32_t capacity, bool is_closed_meanwhile) {
    struct crowd crowd[SUBMITTERS];
    uint32_t mode = check_random(&seed) % 2 ? WP_SHUTDOWN_CANCEL : WP_SHUTDOWN_DRAIN;
    uint64_t moment = check_random(&seed) % (SUBMITTERS * EACH);
    wp_pool *pool = check_pool(workers, capacity);
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        struct crowd one = {.pool = pool, .items = items + t * EACH, .tasks = tasks + t * EACH, .is_single = t >= BATCHERS,
                            .capacity = capacity, .state = check_random(&seed)};
        crowd[t] = one;
        items_init(items + t * EACH, tasks + t * EACH, EACH, NULL);
    }
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        crowd[t].thread = check_thread(submit_all, &crowd[t]);
    }
    if (is_closed_meanwhile) {
        AWAIT(check_stats(pool).accepted >= moment);
        CHECK_EQ(WP_OK, wp_shutdown_for(pool, mode, WP_FOREVER, NULL));
    }
    size_t accepted = 0, refused = 0, runs = 0, failed = 0;
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        check_join(crowd[t].thread);
        accepted += crowd[t].accepted;
        refused += crowd[t].refused;
    }
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    wp_stats stats = check_stats(pool);
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        /* Taken in the order of its submits, so what was discarded lies behind what ran. */
        size_t ran = 0;
        while (ran < crowd[t].accepted && atomic_load(&crowd[t].items[ran].runs) != 0) {
            failed += crowd[t].items[ran].status != 0;
            ran++;
        }
        fates_are(RAN, crowd[t].items, 0, ran);
        fates_are(DISCARDED, crowd[t].items, ran, crowd[t].accepted);
        fates_are(NONE, crowd[t].items, crowd[t].accepted, EACH);
        if (!is_closed_meanwhile) {
            CHECK_EQ(EACH, ran);
        }
        if (workers == 1) {
            ran_in_order(crowd[t].items, ran);
        }
        runs += ran;
    }
    CHECK_EQ(accepted, stats.accepted);
    CHECK_EQ(refused, stats.refused);
    CHECK_EQ(runs, stats.ran);
    CHECK_EQ(failed, stats.failed);
    CHECK_EQ(accepted - runs, stats.discarded);
    CHECK(mode == WP_SHUTDOWN_CANCEL || stats.discarded == 0);
    CHECK_EQ(0, stats.waiting);
    CHECK_EQ(0, stats.queued);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static const uint32_t crowd_sizes[] = {1, 3, 16, 100, 5000};
enum { CROWD_SIZES = sizeof crowd_sizes / sizeof crowd_sizes[0] };

static void each_task_of_many_submitters_runs_once(void) {
    for (unsigned long round = 0; round < rounds; round++) {
        a_crowd(1 + round % 3, crowd_sizes[round % CROWD_SIZES], false);
    }
}

static void a_closing_parts_each_batch_at_one_place(void) {
    for (unsigned long round = 0; round < rounds; round++) {
        a_crowd(1 + round % 3, crowd_sizes[round % CROWD_SIZES], true);
    }
}

/* ---- sleeping workers ---- */

/* Every thread of this process but the one that calls, by the kernel's word. */
static bool all_others_sleep(void) {
    bool do_all = true;
    DIR *threads = opendir("/proc/self/task");
    CHECK(threads != NULL);
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        char path[300], text[512];
        long tid = strtol(entry->d_name, NULL, 10);
        if (tid == 0 || tid == getpid()) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL) {
            continue; /* It has just ended. */
        }
        size_t length = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[length] = 0;
        const char *name_end = strrchr(text, ')');
        do_all &= name_end != NULL && strncmp(name_end, ") S", 3) == 0;
    }
    closedir(threads);
    return do_all;
}

static int meet_the_others(wp_context *context, void *arg) {
    (void)context;
    int code = pthread_barrier_wait(arg);
    CHECK(code == 0 || code == PTHREAD_BARRIER_SERIAL_THREAD);
    return 0;
}

/* As many tasks as workers, and none ends before all have begun. In the odd rounds the workers may be anywhere on their way to
 * sleep, and more tasks come than that. */
static void a_batch_wakes_every_worker_that_it_needs(void) {
    static const uint32_t crews[] = {1, 2, 3, 8, 32};
    for (size_t c = 0; c < sizeof crews / sizeof crews[0]; c++) {
        uint32_t workers = crews[c];
        const uint32_t sizes[] = {1, workers, 1000};
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            wp_pool *pool = check_pool(workers, sizes[s]);
            uint64_t expected = 0;
            for (unsigned long round = 0; round < 2 * rounds; round++) {
                size_t count = round % 2 ? 3 * (size_t)workers : workers, accepted = UNTOLD;
                pthread_barrier_t barrier;
                CHECK_EQ(0, pthread_barrier_init(&barrier, NULL, workers));
                for (size_t i = 0; i < count; i++) {
                    wp_task task = WP_TASK_INIT;
                    task.run = meet_the_others;
                    task.arg = &barrier;
                    tasks[i] = task;
                }
                if (round % 2 == 0) {
                    AWAIT(all_others_sleep());
                }
                CHECK_EQ(WP_OK, wp_submit_batch(pool, tasks, count, sizeof *tasks, WP_FOREVER, &accepted));
                CHECK_EQ(count, accepted);
                CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
                expected += count;
                CHECK_EQ(expected, check_stats(pool).ran);
                CHECK_EQ(0, pthread_barrier_destroy(&barrier));
            }
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
    }
}

static void set_flag(void *arg) {
    atomic_store((atomic_bool *)arg, true);
}

/* A worker that has just ended its task looks for a moment whether there is more, and others may rely on that: for one task. */
static void a_batch_is_not_left_to_the_one_that_looks(void) {
    for (uint32_t workers = 2; workers <= 8; workers *= 4) {
        wp_pool *pool = check_pool(workers, 1000);
        for (unsigned long round = 0; round < 100 * rounds; round++) {
            pthread_barrier_t barrier;
            atomic_bool has_run = false;
            CHECK_EQ(0, pthread_barrier_init(&barrier, NULL, workers));
            for (uint32_t i = 0; i < workers; i++) {
                wp_task task = WP_TASK_INIT;
                task.run = meet_the_others;
                task.arg = &barrier;
                tasks[i] = task;
            }
            CHECK_EQ(WP_OK, wp_submit(pool, set_flag, &has_run));
            for (unsigned spins = 0; spins < 100000 && !atomic_load(&has_run); spins++) {
            }
            AWAIT(atomic_load(&has_run));
            for (volatile uint64_t late = check_random(&seed) % 500; late > 0; late--) {
            }
            CHECK_EQ(WP_OK, wp_submit_batch(pool, tasks, workers, sizeof *tasks, 0, NULL));
            CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
            CHECK_EQ((round + 1) * (workers + 1), check_stats(pool).ran);
            CHECK_EQ(0, pthread_barrier_destroy(&barrier));
        }
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
}

int main(void) {
    check_begin("batch");
    rounds = check_rounds(check_on_valgrind() ? 3 : 20);
    seed = check_seed();
    CASE(a_batch_with_room_is_copied_and_runs_in_order);
    CASE(batches_and_single_tasks_run_in_the_order_of_their_submits);
    CASE(a_batch_larger_than_the_queue_waits_and_gets_through);
    CASE(an_empty_batch_is_accepted);
    CASE(without_waiting_a_batch_accepts_what_there_is_room_for);
    CASE(a_time_limit_is_never_early);
    CASE(the_timeout_is_one_for_the_whole_batch);
    CASE(a_batch_that_waits_is_refused_by_a_closing);
    CASE(after_a_shutdown_nothing_is_accepted);
    CASE(one_bad_element_refuses_all);
    CASE(elements_of_other_versions);
    CASE(sizes_that_no_element_has_are_refused);
    CASE(each_task_of_many_submitters_runs_once);
    CASE(a_closing_parts_each_batch_at_one_place);
    CASE(a_batch_wakes_every_worker_that_it_needs);
    CASE(a_batch_is_not_left_to_the_one_that_looks);
    return check_end();
}
