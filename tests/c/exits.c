/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a process may exit at any time with pools alive and tasks running, by any door, from any thread. It does not
 * hang, does not crash, and exits with the code that it was given.
 *
 * Named after tokio's #1923, libuv's #203 and #364 and cpython's #80961: processes that can't exit because a worker is busy; and
 * libuv's #4443: an abort in what the library does at exit.
 *
 * WP_ROUNDS: how often each way out is taken.
 */
#include "check.h"

#include <sys/wait.h>

enum { CODE = 42 };

/* A pool with everything going on: tasks that run without an end, a full queue, submitters and waiters that wait. */
struct life {
    wp_pool *pool;
    wp_results *results;
    atomic_uint turns;
    atomic_bool is_leaving;
};
static struct life life;

static int never_ends(wp_context *context, void *arg) {
    struct life *me = arg;
    (void)context;
    for (;;) {
        atomic_fetch_add(&me->turns, 1);
    }
    return 0;
}

static int sleeps_for_ever(wp_context *context, void *arg) {
    sem_t never;
    (void)context;
    (void)arg;
    CHECK_EQ(0, sem_init(&never, 0, 0));
    check_wait(&never);
    return 0;
}

static void *submit_for_ever(void *arg) {
    struct life *me = arg;
    while (wp_submit(me->pool, check_nothing, NULL) == WP_OK) {
    }
    return NULL;
}

static void *read_for_ever(void *arg) {
    struct life *me = arg;
    wp_record record = WP_RECORD_INIT;
    (void)!wp_results_next(me->results, &record, WP_FOREVER);
    return NULL;
}

static void *wait_for_ever(void *arg) {
    struct life *me = arg;
    (void)!wp_wait_idle(me->pool, WP_FOREVER);
    return NULL;
}

static void begin_life(void) {
    wp_task task = WP_TASK_INIT;
    life.pool = check_pool(3, 4);
    CHECK_EQ(WP_OK, wp_results_create(NULL, &life.results));
    task.arg = &life;
    task.results = life.results;
    task.run = never_ends;
    CHECK_EQ(WP_OK, wp_submit_task(life.pool, &task, 0));
    task.run = sleeps_for_ever;
    CHECK_EQ(WP_OK, wp_submit_task(life.pool, &task, 0));
    check_thread(submit_for_ever, &life);
    check_thread(submit_for_ever, &life);
    check_thread(read_for_ever, &life);
    check_thread(wait_for_ever, &life);
    AWAIT(atomic_load(&life.turns) > 0 && check_stats(life.pool).ran > 10);
}

/* ---- the ways out ---- */

static void from_main(void) {
    exit(CODE);
}

static void *exit_here(void *arg) {
    (void)arg;
    exit(CODE);
}

static void from_another_thread(void) {
    check_join(check_thread(exit_here, NULL));
}

static void quickly(void) {
    quick_exit(CODE);
}

static void without_handlers(void) {
    _exit(CODE);
}

static void exit_task(void *arg) {
    (void)arg;
    exit(CODE);
}

static void from_a_task(void) {
    while (wp_submit(life.pool, exit_task, NULL) == WP_OK) {
    }
}

static void exit_end(const wp_outcome *outcome, void *arg) {
    (void)outcome;
    (void)arg;
    exit(CODE);
}

static void from_an_end(void) {
    wp_task task = WP_TASK_INIT;
    task.run = sleeps_for_ever;
    task.end = exit_end;
    wp_pool *pool = check_pool(1, 2);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, WP_FOREVER));
    (void)!wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL);
}

static void exit_hook(uint32_t worker, void *arg) {
    (void)worker;
    (void)arg;
    exit(CODE);
}

static void from_a_hook(void) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool;
    options.workers = 1;
    options.on_thread_stop = exit_hook;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    wp_destroy(pool);
}

/* From a task, with a handler that wants to end the very pool: it is told, and does not wait for itself. */
static void destroy_inside(void) {
    CHECK_EQ(WP_EDEADLK, wp_shutdown(life.pool));
    CHECK_EQ(WP_EDEADLK, wp_destroy(life.pool));
    CHECK_EQ(WP_EDEADLK, wp_wait_idle(life.pool, WP_FOREVER));
}

static void from_a_task_with_a_handler_that_destroys(void) {
    CHECK_EQ(0, atexit(destroy_inside));
    from_a_task();
}

/* The program's own pool, that can end, is ended by a handler, in full order. */
static wp_pool *own;
static atomic_uint runs;

static void end_own_pool(void) {
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(own, check_count, &runs));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(own, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_destroy(own));
    CHECK_EQ(200, atomic_load(&runs));
}

static void with_a_handler_that_uses_a_pool(void) {
    own = check_pool(2, 4);
    CHECK_EQ(0, atexit(end_own_pool));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(WP_OK, wp_submit(own, check_count, &runs));
    }
    exit(CODE);
}

static void make_another_pool(void) {
    atomic_uint here = 0;
    wp_pool *pool = check_pool(2, 4);
    CHECK_EQ(WP_OK, wp_submit(pool, check_count, &here));
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(1, atomic_load(&here));
}

static void with_a_handler_that_makes_a_pool(void) {
    CHECK_EQ(0, atexit(make_another_pool));
    exit(CODE);
}

/* main's thread ends, the process goes on until another exits. */
static void *exit_after_main(void *arg) {
    (void)arg;
    while (!atomic_load(&life.is_leaving)) {
        sched_yield();
    }
    exit(CODE);
}

static void after_mains_thread_has_ended(void) {
    check_thread(exit_after_main, NULL);
    atomic_store(&life.is_leaving, true);
    pthread_exit(NULL);
}

static void takes_every_way_out(void) {
    static const struct {
        const char *name;
        void (*leave)(void);
    } ways[] = {
        {"from main", from_main},
        {"from another thread", from_another_thread},
        {"quick_exit", quickly},
        {"_exit", without_handlers},
        {"from a task", from_a_task},
        {"from an end", from_an_end},
        {"from a hook", from_a_hook},
        {"from a task, with a handler that destroys", from_a_task_with_a_handler_that_destroys},
        {"with a handler that uses a pool", with_a_handler_that_uses_a_pool},
        {"with a handler that makes a pool", with_a_handler_that_makes_a_pool},
        {"after main's thread has ended", after_mains_thread_has_ended},
    };
    unsigned long rounds = check_on_valgrind() ? 1 : check_rounds(10);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (unsigned long round = 0; round < rounds; round++) {
            pid_t child = check_fork();
            if (child == 0) {
                begin_life();
                ways[i].leave();
                _Exit(1);
            }
            int status = -1;
            CHECK_EQ(child, waitpid(child, &status, 0));
            if (status != CODE << 8) {
                printf("exits: %s, round %lu\n", ways[i].name, round);
            }
            CHECK_EQ(CODE << 8, status);
        }
        atomic_fetch_add(&check_passed, 1);
    }
}

int main(void) {
    check_begin("exits");
    CASE(takes_every_way_out);
    return check_end();
}
