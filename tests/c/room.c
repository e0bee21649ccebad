/* SPDX-License-Identifier: MIT
 *
 * The promise: who must not wait is told that there is room. A waiter is told once, of any single place or of the closing, one
 * after the other and never under a lock; it can be taken back; after a shutdown none is told. It may do inside its notice what
 * any callback may (law L6). The descriptor: room_fd.c.
 */
#include "refused.h"
#include "room.h"

#include <sys/wait.h>

static void must_not_be_told(void *arg) {
    (void)arg;
    CHECK(!"a waiter was told that must not be");
}

/* ---- bad input ---- */

static void bad_waiters_are_refused(void) {
    wp_pool *pool = check_manual_pool(1), *other = check_manual_pool(1);
    wp_waiter waiter = WP_WAITER_INIT, made;
    struct {
        wp_waiter waiter;
        uint64_t tail[2];
    } longer;
    check_fill(pool, 1);
    check_fill(other, 1);
    ROW(WP_OK, wp_waiter_init(&made, sizeof made));
    ROW(0, memcmp(&waiter, &made, sizeof made));
    ROW(WP_EINVAL, wp_waiter_init(NULL, sizeof made));
    ROW(WP_EINVAL, wp_waiter_init(&made, 12));

    ROW(WP_EINVAL, wp_when_room(pool, NULL));
    ROW(WP_EINVAL, wp_when_room(pool, &waiter)); /* No notice. */
    waiter.notify = must_not_be_told;
    ROW(WP_EINVAL, wp_when_room(NULL, &waiter));
    ROW(WP_EINVAL, wp_forget_room(NULL, &waiter, 0));
    ROW(WP_EINVAL, wp_forget_room(pool, NULL, 0));
    ROW(WP_ETOOLATE, wp_forget_room(pool, &waiter, 0)); /* It does not wait. */
    ROW(WP_ETOOLATE, wp_forget_room(pool, &waiter, WP_FOREVER));
    for (size_t i = 0; i < BAD_SIZES; i++) {
        waiter.struct_size = bad_sizes[i];
        ROW(WP_EINVAL, wp_when_room(pool, &waiter));
        ROW(WP_EINVAL, wp_forget_room(pool, &waiter, 0));
    }
    for (size_t size = 8; size < sizeof waiter; size += 8) { /* The library's part is not all there. */
        waiter.struct_size = size;
        ROW(WP_EINVAL, wp_when_room(pool, &waiter));
        ROW(WP_EINVAL, wp_forget_room(pool, &waiter, 0));
    }
    waiter.struct_size = sizeof waiter;
    memset(&longer, 0, sizeof longer);
    longer.waiter = waiter;
    longer.waiter.struct_size = sizeof longer;
    ROW(WP_OK, wp_when_room(pool, &longer.waiter));
    ROW(WP_OK, wp_forget_room(pool, &longer.waiter, 0));
    longer.tail[1] = 1;
    ROW(WP_ENOTSUP, wp_when_room(pool, &longer.waiter));

    ROW(WP_OK, wp_when_room(pool, &waiter));
    ROW(WP_EINVAL, wp_when_room(pool, &waiter)); /* It waits already, */
    ROW(WP_EINVAL, wp_when_room(other, &waiter)); /* wherever. */
    ROW(WP_ETOOLATE, wp_forget_room(other, &waiter, 0));
    ROW(WP_OK, wp_forget_room(pool, &waiter, 0));
    ROW(WP_ETOOLATE, wp_forget_room(pool, &waiter, 0));
    ROW(WP_OK, wp_destroy(pool));
    ROW(WP_OK, wp_destroy(other));
}

/* ---- being told ---- */

static void who_finds_room_is_told_at_once(void) {
    wp_pool *pool = check_pool(1, 1);
    struct gate gate;
    struct told told;
    gate_init(&gate);
    gate_shut(&gate, pool, 1); /* No worker could do it. */
    told_init(&told, pool, count_told);
    for (unsigned i = 1; i <= 3; i++) {
        ROW(WP_OK, wp_when_room(pool, &told.waiter));
        ROW(i, atomic_load(&told.times));
        ROW(true, pthread_equal(told.by, pthread_self()));
    }
    ROW(WP_ETOOLATE, wp_forget_room(pool, &told.waiter, WP_FOREVER));
    check_post(&gate.open);
    ROW(WP_OK, wp_destroy(pool));
    ROW(3, atomic_load(&told.times));
}

/* In memory of its own, which its notice frees. */
struct heap_waiter {
    wp_waiter waiter;
    atomic_uint *runs; /* of the tasks that came before */
    sem_t *done;
    pthread_t submitter;
};

static void free_when_told(void *arg) {
    struct heap_waiter *me = arg;
    sem_t *done = me->done;
    ROW(0, atomic_load(me->runs)); /* Before the task that made the room, */
    ROW(false, pthread_equal(me->submitter, pthread_self())); /* on its worker. */
    free(me);
    check_post(done);
}

static void a_worker_that_takes_a_task_tells(void) {
    wp_pool *pool = check_pool(1, 1);
    struct gate gate;
    sem_t done;
    atomic_uint runs = 0;
    gate_init(&gate);
    CHECK_EQ(0, sem_init(&done, 0, 0));
    gate_shut(&gate, pool, 1);
    CHECK_EQ(WP_OK, wp_try_submit(pool, check_count, &runs));
    struct heap_waiter *waiter = malloc(sizeof *waiter);
    CHECK(waiter != NULL);
    *waiter = (struct heap_waiter){WP_WAITER_INIT, &runs, &done, pthread_self()};
    waiter->waiter.notify = free_when_told;
    waiter->waiter.arg = waiter;
    ROW(WP_OK, wp_when_room(pool, &waiter->waiter));
    ROW(-1, sem_trywait(&done));
    check_post(&gate.open);
    check_wait(&done);
    ROW(WP_OK, wp_shutdown(pool));
    ROW(1, atomic_load(&runs));
    ROW(WP_OK, wp_destroy(pool));
}

static struct gate line_gate;

static void submit_when_told(void *arg) {
    struct told *told = arg;
    count_told(told);
    ROW(WP_OK, wp_try_submit(told->pool, gate_task, &line_gate)); /* What it was told of is there. */
}

/* Who takes the place keeps the others from being told of it. */
static void one_place_tells_one_who_takes_it(void) {
    enum { WAITERS = 4 };
    wp_pool *pool = check_pool(1, 1);
    struct told told[WAITERS];
    gate_init(&line_gate);
    gate_shut(&line_gate, pool, 1);
    CHECK_EQ(WP_OK, wp_try_submit(pool, gate_task, &line_gate));
    for (unsigned i = 0; i < WAITERS; i++) {
        told_init(&told[i], pool, submit_when_told);
        ROW(WP_OK, wp_when_room(pool, &told[i].waiter));
    }
    for (unsigned taken = 1; taken <= WAITERS; taken++) {
        check_post(&line_gate.open);
        check_wait(&line_gate.begun); /* The next task begins after the notices. */
        for (unsigned i = 0; i < WAITERS; i++) {
            ROW(i < taken, atomic_load(&told[i].times));
        }
    }
    check_post_times(&line_gate.open, 2);
    ROW(WP_OK, wp_destroy(pool));
}

/* Who leaves the place has the next told of it: by one take a few, the rest by the next; by the last all. */
static void a_place_that_is_left_is_told_of_again(void) {
    enum { WAITERS = 40, TURN = 16 };
    wp_pool *pool = check_pool(1, 2);
    struct told told[WAITERS];
    gate_init(&line_gate);
    gate_shut(&line_gate, pool, 1);
    CHECK_EQ(WP_OK, wp_try_submit(pool, gate_task, &line_gate));
    CHECK_EQ(WP_OK, wp_try_submit(pool, gate_task, &line_gate));
    for (unsigned i = 0; i < WAITERS; i++) {
        told_init(&told[i], pool, count_told);
        ROW(WP_OK, wp_when_room(pool, &told[i].waiter));
    }
    for (unsigned taken = 1; taken <= 2; taken++) {
        check_post(&line_gate.open);
        check_wait(&line_gate.begun);
        for (unsigned i = 0; i < WAITERS; i++) {
            ROW(taken == 2 || i < TURN, atomic_load(&told[i].times));
        }
    }
    check_post(&line_gate.open);
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- inside a notice ---- */

static atomic_uint depth, deepest;

static void go_deeper(void) {
    unsigned now = atomic_fetch_add(&depth, 1) + 1;
    if (now > atomic_load(&deepest)) {
        atomic_store(&deepest, now);
    }
}

static void come_back_twice(void *arg) {
    struct told *told = arg;
    go_deeper();
    if (atomic_fetch_add(&told->times, 1) < 2) {
        ROW(WP_OK, wp_when_room(told->pool, &told->waiter));
    }
    atomic_fetch_sub(&depth, 1);
}

static void notices_do_not_nest(void) {
    for (int is_manual = 0; is_manual < 2; is_manual++) {
        wp_pool *pool = is_manual ? check_manual_pool(2) : check_pool(1, 2);
        struct told told;
        atomic_store(&deepest, 0);
        told_init(&told, pool, come_back_twice);
        ROW(WP_OK, wp_when_room(pool, &told.waiter)); /* At once, and again, and again. */
        ROW(3, atomic_load(&told.times));
        if (is_manual) {
            check_fill(pool, 2);
            atomic_store(&told.times, 0);
            ROW(WP_OK, wp_when_room(pool, &told.waiter));
            ROW(0, atomic_load(&told.times));
            ROW(WP_OK, wp_run(pool, 1, NULL));
            ROW(3, atomic_load(&told.times));
        }
        ROW(1, atomic_load(&deepest));
        ROW(WP_OK, wp_destroy(pool));
    }
}

static wp_group *to_cancel;

/* Makes room on this very thread, for itself, inside its own notice. */
static void make_room_and_come_back(void *arg) {
    struct told *told = arg;
    go_deeper();
    if (atomic_fetch_add(&told->times, 1) == 0) {
        while (wp_try_submit(told->pool, check_nothing, NULL) == WP_OK) {
        }
        ROW(WP_OK, wp_when_room(told->pool, &told->waiter));
        ROW(WP_OK, wp_group_cancel(to_cancel)); /* A place of a lane comes back at once. */
        ROW(1, atomic_load(&told->times));
    }
    atomic_fetch_sub(&depth, 1);
}

static void room_that_is_made_inside_a_notice_is_told_of_afterwards(void) {
    wp_group_options options = WP_GROUP_OPTIONS_INIT;
    wp_task task = WP_TASK_INIT;
    wp_pool *pool = check_manual_pool(4);
    struct told told;
    options.max_running = 1;
    ROW(WP_OK, wp_group_create(pool, &options, &to_cancel));
    task.run = do_nothing_task;
    task.group = to_cancel;
    ROW(WP_OK, wp_submit_task(pool, &task, 0));
    atomic_store(&deepest, 0);
    told_init(&told, pool, make_room_and_come_back);
    ROW(WP_OK, wp_when_room(pool, &told.waiter));
    ROW(2, atomic_load(&told.times));
    ROW(1, atomic_load(&deepest));
    ROW(WP_OK, wp_group_release(to_cancel));
    ROW(WP_OK, wp_destroy(pool));
}

static struct told bystander; /* It waits during all this. */

static void call_everything(void *arg) {
    struct told *told = arg;
    wp_pool *pool = told->pool;
    count_told(told);
    ROW(WP_EDEADLK, wp_shutdown(pool));
    ROW(WP_EDEADLK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    ROW(WP_EDEADLK, wp_wait_idle(pool, 0));
    ROW(WP_EDEADLK, wp_destroy(pool));
    ROW(WP_OK, wp_try_submit(pool, check_nothing, NULL));
    ROW(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    ROW(WP_EFULL, wp_submit_for(pool, must_not_run, NULL, 0));
    ROW(WP_EDEADLK, wp_submit(pool, must_not_run, NULL));
    ROW(WP_EDEADLK, wp_submit_for(pool, must_not_run, NULL, 1));
    ROW(WP_ETOOLATE, wp_forget_room(pool, &told->waiter, WP_FOREVER));
    ROW(WP_OK, wp_when_room(pool, &told->waiter));
    ROW(WP_OK, wp_forget_room(pool, &told->waiter, WP_FOREVER));
    ROW(WP_OK, wp_when_room(pool, &bystander.waiter));
    ROW(false, check_stats(pool).closed);
}

static void inside_a_notice_nothing_waits(void) {
    for (int is_manual = 0; is_manual < 2; is_manual++) { /* At once on this thread; on the thread that steps; */
        wp_pool *pool = check_manual_pool(1);
        struct told told;
        told_init(&told, pool, call_everything);
        told_init(&bystander, pool, count_told);
        if (is_manual) {
            check_fill(pool, 1);
            ROW(WP_OK, wp_when_room(pool, &told.waiter));
            ROW(WP_OK, wp_run(pool, 1, NULL));
        } else {
            ROW(WP_OK, wp_when_room(pool, &told.waiter));
        }
        ROW(1, atomic_load(&told.times));
        ROW(0, atomic_load(&bystander.times));
        ROW(WP_OK, wp_destroy(pool));
        ROW(1, atomic_load(&bystander.times));
    }
    wp_pool *pool = check_pool(1, 1); /* on a worker. */
    struct told told;
    gate_init(&line_gate);
    gate_shut(&line_gate, pool, 1);
    check_fill(pool, 1);
    told_init(&told, pool, call_everything);
    told_init(&bystander, pool, count_told);
    ROW(WP_OK, wp_when_room(pool, &told.waiter));
    check_post(&line_gate.open);
    AWAIT(atomic_load(&bystander.times) == 1);
    ROW(1, atomic_load(&told.times));
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- taking it back ---- */

static struct gate notice_gate;

static void hold_when_told(void *arg) {
    gate_task(&notice_gate);
    count_told(arg);
}

static void *wait_for_room(void *arg) {
    struct told *told = arg;
    CHECK_EQ(WP_OK, wp_when_room(told->pool, &told->waiter));
    return NULL;
}

static void *forget_it(void *arg) {
    struct told *told = arg;
    ROW(WP_ETOOLATE, wp_forget_room(told->pool, &told->waiter, WP_FOREVER));
    ROW(1, atomic_load(&told->times)); /* Its notice has returned. */
    return NULL;
}

static void forget_inside(void *arg) {
    struct told *told = arg;
    ROW(WP_EDEADLK, wp_forget_room(told->pool, &told->waiter, WP_FOREVER));
    ROW(WP_EDEADLK, wp_forget_room(told->pool, &told->waiter, 0));
}

static void who_takes_a_waiter_back_waits_for_its_notice(void) {
    wp_pool *pool = check_pool(1, 4);
    struct told told;
    gate_init(&notice_gate);
    told_init(&told, pool, hold_when_told);
    pthread_t waiter = check_thread(wait_for_room, &told);
    check_wait(&notice_gate.begun);
    ROW(WP_ETIMEDOUT, wp_forget_room(pool, &told.waiter, 0));
    ROW(WP_ETIMEDOUT, wp_forget_room(pool, &told.waiter, NS_PER_MS));
    ROW(WP_OK, wp_submit(pool, forget_inside, &told)); /* A task does not wait for it. */
    ROW(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    pthread_t forgetter = check_thread(forget_it, &told);
    check_post(&notice_gate.open);
    check_join(forgetter);
    check_join(waiter);
    ROW(WP_OK, wp_destroy(pool));
}

static void a_waiter_that_was_taken_back_is_not_told(void) {
    enum { WAITERS = 5 };
    wp_pool *pool = check_manual_pool(1);
    struct told told[WAITERS];
    check_fill(pool, 1);
    for (int i = 0; i < WAITERS; i++) {
        told_init(&told[i], pool, i % 2 ? count_told : must_not_be_told);
        ROW(WP_OK, wp_when_room(pool, &told[i].waiter));
    }
    for (int i = 0; i < WAITERS; i += 2) { /* The first, the last, and one in the middle. */
        ROW(WP_OK, wp_forget_room(pool, &told[i].waiter, WP_FOREVER));
    }
    ROW(WP_OK, wp_run(pool, 1, NULL));
    for (int i = 1; i < WAITERS; i += 2) {
        ROW(1, atomic_load(&told[i].times));
    }
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- the end ---- */

static void must_be_closed(void *arg) {
    struct told *told = arg;
    count_told(told);
    ROW(WP_ECLOSED, wp_try_submit(told->pool, must_not_run, NULL));
    ROW(WP_ECLOSED, wp_when_room(told->pool, &told->waiter));
    ROW(WP_EDEADLK, wp_shutdown(told->pool));
}

static void a_shutdown_tells_whoever_waits(void) {
    enum { WAITERS = 40 };
    for (uint32_t kind = 0; kind < 4; kind++) {
        struct gate gate;
        struct told told[WAITERS];
        bool is_manual = kind >= 2;
        wp_pool *pool = is_manual ? check_manual_pool(3) : check_pool(1, 3);
        gate_init(&gate);
        if (!is_manual) {
            gate_shut(&gate, pool, 1);
        }
        check_fill(pool, 3);
        for (int i = 0; i < WAITERS; i++) {
            told_init(&told[i], pool, must_be_closed);
            ROW(WP_OK, wp_when_room(pool, &told[i].waiter));
        }
        ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
        for (int i = 0; i < WAITERS; i++) {
            ROW(1, atomic_load(&told[i].times));
            ROW(true, pthread_equal(told[i].by, pthread_self()));
        }
        check_post(&gate.open);
        ROW(WP_OK, wp_shutdown_for(pool, kind % 2, WP_FOREVER, NULL));
        ROW(WP_ECLOSED, wp_when_room(pool, &told[0].waiter));
        ROW(1, atomic_load(&told[0].times));
        ROW(WP_OK, wp_destroy(pool));
    }
}

static void a_shutdown_waits_for_a_notice(void) {
    wp_pool *pool = check_pool(1, 4);
    struct told told;
    gate_init(&notice_gate);
    told_init(&told, pool, hold_when_told);
    pthread_t waiter = check_thread(wait_for_room, &told);
    check_wait(&notice_gate.begun);
    ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 20 * NS_PER_MS, NULL));
    check_post(&notice_gate.open);
    ROW(WP_OK, wp_shutdown(pool));
    ROW(1, atomic_load(&told.times));
    check_join(waiter);
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- fairness ---- */

struct greedy {
    struct told told;
    atomic_bool is_over;
    atomic_ulong submitted;
    sem_t left;
};

static void work_a_little(void *arg) {
    volatile unsigned sum = 0;
    (void)arg;
    for (unsigned i = 0; i < 20000; i++) {
        sum += i;
    }
}

/* Takes every single place at once, on the worker that made it. */
static void take_every_place(void *arg) {
    struct greedy *greedy = arg;
    for (;;) {
        int code = wp_try_submit(greedy->told.pool, work_a_little, NULL);
        if (atomic_load(&greedy->is_over)) {
            check_post(&greedy->left);
            return;
        }
        if (code == WP_EFULL) {
            CHECK_EQ(WP_OK, wp_when_room(greedy->told.pool, &greedy->told.waiter));
            return;
        }
        CHECK_EQ(WP_OK, code);
        atomic_fetch_add(&greedy->submitted, 1);
    }
}

static void neither_waiters_nor_submitters_starve(void) {
    enum { SUBMITS = 100 };
    static struct greedy greedy;
    wp_pool *pool = check_pool(1, 8);
    told_init(&greedy.told, pool, take_every_place);
    greedy.told.waiter.arg = &greedy;
    CHECK_EQ(0, sem_init(&greedy.left, 0, 0));
    CHECK_EQ(WP_OK, wp_when_room(pool, &greedy.told.waiter));
    uint64_t began = check_now();
    for (int i = 0; i < SUBMITS; i++) {
        unsigned long before = atomic_load(&greedy.submitted);
        CHECK_EQ(WP_OK, wp_submit_for(pool, check_nothing, NULL, 10 * (uint64_t)check_slowness * NS_PER_S));
        AWAIT(atomic_load(&greedy.submitted) > before); /* It goes on too. */
    }
    printf("room: %d submits that wait, beside a waiter that takes each place: %.1f ms each; it took %lu\n", SUBMITS,
           (double)(check_now() - began) / 1e6 / SUBMITS, atomic_load(&greedy.submitted));
    atomic_store(&greedy.is_over, true);
    check_wait(&greedy.left);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- fork ---- */

static void a_forked_child_is_told_at_once(void) {
    wp_pool *pool = check_manual_pool(1);
    struct told told, fresh;
    check_fill(pool, 1);
    told_init(&told, pool, count_told);
    told_init(&fresh, pool, must_not_be_told);
    CHECK_EQ(WP_OK, wp_when_room(pool, &told.waiter));
    pid_t child = check_fork();
    if (child == 0) {
        CHECK_EQ(WP_EFORKED, wp_when_room(pool, &fresh.waiter));
        CHECK_EQ(WP_EFORKED, wp_forget_room(pool, &told.waiter, WP_FOREVER));
        CHECK_EQ(WP_EFORKED, wp_room_fd(pool));
        CHECK_EQ(WP_OK, wp_destroy(pool));
        CHECK_EQ(0, atomic_load(&told.times));
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    ROW(0, status);
    ROW(WP_OK, wp_run(pool, 1, NULL));
    ROW(1, atomic_load(&told.times));
    ROW(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("room");
    CASE(bad_waiters_are_refused);
    CASE(who_finds_room_is_told_at_once);
    CASE(a_worker_that_takes_a_task_tells);
    CASE(one_place_tells_one_who_takes_it);
    CASE(a_place_that_is_left_is_told_of_again);
    CASE(notices_do_not_nest);
    CASE(room_that_is_made_inside_a_notice_is_told_of_afterwards);
    CASE(inside_a_notice_nothing_waits);
    CASE(who_takes_a_waiter_back_waits_for_its_notice);
    CASE(a_waiter_that_was_taken_back_is_not_told);
    CASE(a_shutdown_tells_whoever_waits);
    CASE(a_shutdown_waits_for_a_notice);
    CASE(neither_waiters_nor_submitters_starve);
    CASE(a_forked_child_is_told_at_once);
    return check_end();
}
