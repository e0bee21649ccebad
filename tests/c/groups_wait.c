/* SPDX-License-Identifier: MIT
 *
 * The promise (laws L5 and L6): when a wait for a group says WP_OK nothing of it runs; inside a callback such a wait runs that group's
 * own tasks and nobody else's, and never sleeps; and a cancel finds every task and every submitter of the group, also those that
 * wait for room, whatever others do at the same time.
 *
 * WP_ROUNDS: rounds of the races, 200 in the short form.
 */
#include "groups.h"
#include "results.h"

/* ---- by hand ---- */

static void a_wait_runs_the_pools_tasks_in_order(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_group *group = group_in(pool, NULL);
    struct mark marks[4];
    memset(marks, 0, sizeof marks);
    CHECK_EQ(WP_OK, wp_group_wait(group, 0));
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER));
    submit_marked(pool, NULL, &marks[0]);
    submit_marked(pool, group, &marks[1]);
    submit_marked(pool, NULL, &marks[2]);
    CHECK_EQ(WP_ETIMEDOUT, wp_group_wait(group, 0));
    check_untouched(&marks[0]);
    CHECK_EQ(WP_OK, wp_group_wait(group, 1)); /* No timeout but 0 passes on a manual pool. */
    check_mark(&marks[0], WP_FATE_RAN);
    check_mark(&marks[1], WP_FATE_RAN);
    check_untouched(&marks[2]);
    submit_marked(pool, group, &marks[3]);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    check_mark(&marks[2], WP_FATE_DISCARDED);
    check_mark(&marks[3], WP_FATE_DISCARDED);
    CHECK_EQ(WP_OK, wp_group_wait(group, 0));
    CHECK_EQ(1, status_of(group).discarded);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_group_wait(group, WP_FOREVER)); /* The group keeps what it needs. */
    CHECK_EQ(WP_OK, wp_group_cancel(group));
    CHECK_EQ(2, status_of(group).ran + status_of(group).discarded);
    release(group);
}

/* Inside a task of `own`, which stands in `above` and has `below` in it; `other` is none of these. */
struct family {
    wp_pool *pool;
    wp_group *above, *own, *below, *other, *serial;
    struct mark strange, related[2], others[3], late;
};

static int wait_inside(wp_context *context, void *arg) {
    struct family *family = arg;
    CHECK(wp_context_group(context) == family->own);
    ROW(WP_EDEADLK, wp_group_wait(family->own, WP_FOREVER));
    ROW(WP_EDEADLK, wp_group_wait(family->own, 0));
    ROW(WP_EDEADLK, wp_group_wait(family->above, WP_FOREVER));
    ROW(WP_EDEADLK, wp_group_wait(family->above, 0));
    ROW(WP_ETIMEDOUT, wp_group_wait(family->other, 0));
    check_untouched(&family->others[0]);
    submit_marked(family->pool, family->serial, &family->others[1]); /* Not before: lanes are served in turn with the queue. */
    ROW(WP_OK, wp_group_wait(family->other, WP_FOREVER));
    for (int i = 0; i < 3; i++) {
        check_mark(&family->others[i], WP_FATE_RAN);
        CHECK_EQ(wp_worker_index(context), family->others[i].worker);
    }
    check_untouched(&family->related[0]);
    ROW(WP_OK, wp_group_wait(family->below, WP_FOREVER));
    check_mark(&family->related[0], WP_FATE_RAN);
    check_untouched(&family->strange); /* Never a stranger's. */
    check_untouched(&family->related[1]);
    check_untouched(&family->late);
    wp_stats stats = check_sum(family->pool);
    CHECK(stats.exact);
    CHECK_EQ(3, stats.passed_over); /* The place of the one in a lane came back at once. */
    CHECK_EQ(3, stats.queued);
    CHECK_EQ(1, stats.running);
    ROW(WP_OK, wp_group_wait(family->below, 0));
    return 0;
}

static void a_wait_inside_runs_that_groups_tasks_and_no_others(void) {
    struct family family;
    memset(&family, 0, sizeof family);
    family.pool = manual_pool(16, 0);
    family.above = group_in(family.pool, NULL);
    family.own = group_in(family.pool, family.above);
    family.below = group_in(family.pool, family.own);
    family.other = group_in(family.pool, NULL);
    family.serial = group_with(family.pool, family.other, 0, WP_ON_ERROR_GO_ON, 1);
    wp_task task = WP_TASK_INIT;
    task.run = wait_inside;
    task.arg = &family;
    task.group = family.own;
    CHECK_EQ(WP_OK, wp_submit_task(family.pool, &task, 0));
    submit_marked(family.pool, NULL, &family.strange);
    submit_marked(family.pool, family.other, &family.others[0]);
    submit_marked(family.pool, family.below, &family.related[0]);
    submit_marked(family.pool, family.own, &family.related[1]);
    submit_marked(family.pool, family.other, &family.others[2]);
    submit_marked(family.pool, NULL, &family.late);
    CHECK_EQ(1, step(family.pool, 1));
    CHECK_EQ(3, step(family.pool, UINT64_MAX));
    check_mark(&family.strange, WP_FATE_RAN);
    wp_stats stats = check_sum(family.pool);
    CHECK(stats.ran == 8 && stats.passed_over == 0);
    release(family.serial);
    release(family.above);
    release(family.own);
    release(family.below);
    release(family.other);
    CHECK_EQ(WP_OK, wp_destroy(family.pool));
}

/* A limited group whose one place this very task takes: the wait would never end. */
static wp_group *inner;
static int wait_for_what_cannot_run(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    CHECK_EQ(WP_EDEADLK, wp_group_wait(inner, WP_FOREVER));
    return 0;
}

static void what_the_own_limit_holds_back_is_not_waited_for(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_group *serial = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1), *own = group_in(pool, serial);
    struct mark mark;
    memset(&mark, 0, sizeof mark);
    inner = group_in(pool, serial);
    wp_task task = WP_TASK_INIT;
    task.run = wait_for_what_cannot_run;
    task.group = own;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    submit_marked(pool, inner, &mark);
    CHECK_EQ(1, step(pool, 1));
    check_untouched(&mark);
    CHECK_EQ(1, step(pool, 1));
    check_mark(&mark, WP_FATE_RAN);
    release(own);
    release(inner);
    release(serial);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- inside an `end` on the thread that cancels ---- */

struct cancelling {
    wp_pool *pool;
    wp_group *own, *empty, *other;
    unsigned calls;
};

static void wait_inside_end(const wp_outcome *outcome, void *arg) {
    struct cancelling *cancelling = arg;
    CHECK_EQ(WP_FATE_CANCELLED, outcome->fate);
    cancelling->calls++;
    ROW(WP_EDEADLK, wp_group_wait(cancelling->own, WP_FOREVER));
    ROW(WP_EDEADLK, wp_group_wait(cancelling->own, 0));
    ROW(WP_OK, wp_group_wait(cancelling->empty, WP_FOREVER));
    ROW(WP_EDEADLK, wp_group_wait(cancelling->other, WP_FOREVER)); /* This thread is no worker. */
    ROW(WP_ETIMEDOUT, wp_group_wait(cancelling->other, 0));
    ROW(WP_EDEADLK, wp_wait_idle(cancelling->pool, WP_FOREVER));
    ROW(WP_EDEADLK, wp_shutdown(cancelling->pool));
    ROW(WP_EDEADLK, wp_submit(cancelling->pool, must_not_run, NULL)); /* The queue is full. */
    ROW(WP_EFULL, wp_try_submit(cancelling->pool, must_not_run, NULL));
    ROW(WP_ECANCELLED, submit_refused_to(cancelling->pool, cancelling->own, 0));
    ROW(WP_OK, wp_group_cancel(cancelling->own));
    wp_group *made = group_in(cancelling->pool, cancelling->own);
    release(made);
    CHECK_EQ(1, status_of(cancelling->own).running);
}

static void an_end_on_the_cancelling_thread_is_inside(void) {
    struct gate gate;
    gate_init(&gate);
    wp_pool *pool = check_pool(1, 3);
    struct cancelling cancelling = {pool, group_in(pool, NULL), group_in(pool, NULL), group_in(pool, NULL), 0};
    struct mark mark;
    memset(&mark, 0, sizeof mark);
    gate_shut(&gate, pool, 1);
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = wait_inside_end;
    task.arg = &cancelling;
    task.group = cancelling.own;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    submit_marked(pool, cancelling.other, &mark);
    CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    CHECK_EQ(WP_OK, wp_group_cancel(cancelling.own));
    CHECK_EQ(1, cancelling.calls);
    CHECK_EQ(WP_ETIMEDOUT, wp_wait_idle(pool, 0)); /* Not inside any more. */
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_group_wait(cancelling.other, WP_FOREVER));
    check_mark(&mark, WP_FATE_RAN);
    release(cancelling.own);
    release(cancelling.empty);
    release(cancelling.other);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- on threads ---- */

struct elsewhere {
    wp_group *group;
    struct gate *gate;
    sem_t answered;
    int code;
};

static void wait_for_what_runs_elsewhere(void *arg) {
    struct elsewhere *elsewhere = arg;
    elsewhere->code = wp_group_wait(elsewhere->group, WP_FOREVER);
    check_post(&elsewhere->answered);
}

static int hold(wp_context *context, void *arg) {
    (void)context;
    gate_task(arg);
    return 0;
}

static void a_wait_inside_says_so_when_it_would_have_to_sleep(void) {
    struct gate gate;
    gate_init(&gate);
    wp_pool *pool = check_pool(2, 4);
    struct elsewhere elsewhere = {.group = group_in(pool, NULL), .gate = &gate};
    CHECK_EQ(0, sem_init(&elsewhere.answered, 0, 0));
    wp_task task = WP_TASK_INIT;
    task.run = hold;
    task.arg = &gate;
    task.group = elsewhere.group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&gate.begun);
    CHECK_EQ(WP_OK, wp_submit(pool, wait_for_what_runs_elsewhere, &elsewhere));
    check_wait(&elsewhere.answered);
    CHECK_EQ(WP_EDEADLK, elsewhere.code);
    CHECK_EQ(WP_ETIMEDOUT, wp_group_wait(elsewhere.group, 0));
    CHECK_EQ(WP_ETIMEDOUT, wp_group_wait(elsewhere.group, NS_PER_MS));
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_group_wait(elsewhere.group, WP_FOREVER));
    release(elsewhere.group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* A shutdown that cancels stands in an `end` when a task waits for a group: what that has queued does not start any more. */
static void gated_end(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_DISCARDED, outcome->fate);
    gate_task(arg);
}

static void *shut_down_cancelling(void *arg) {
    CHECK_EQ(WP_OK, wp_shutdown_for(arg, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    return NULL;
}

struct late_wait {
    struct gate gate;
    wp_group *group;
};

static void wait_when_let_go(void *arg) {
    struct late_wait *late = arg;
    gate_task(&late->gate);
    CHECK_EQ(WP_OK, wp_group_wait(late->group, WP_FOREVER));
}

static void a_wait_inside_starts_nothing_that_a_shutdown_discards(void) {
    wp_pool *pool = check_pool(1, 4);
    struct late_wait late = {.group = group_in(pool, NULL)};
    struct gate ending;
    struct mark marks[2];
    wp_task task = WP_TASK_INIT;
    memset(marks, 0, sizeof marks);
    gate_init(&late.gate);
    gate_init(&ending);
    CHECK_EQ(WP_OK, wp_submit(pool, wait_when_let_go, &late));
    check_wait(&late.gate.begun);
    task.run = must_not_run_task;
    task.end = gated_end;
    task.arg = &ending;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    submit_marked(pool, late.group, &marks[0]);
    submit_marked(pool, late.group, &marks[1]);
    pthread_t other = check_thread(shut_down_cancelling, pool);
    check_wait(&ending.begun);
    check_post(&late.gate.open);
    CHECK_EQ(WP_OK, wp_group_wait(late.group, WP_FOREVER));
    check_mark(&marks[0], WP_FATE_DISCARDED);
    check_mark(&marks[1], WP_FATE_DISCARDED);
    check_post(&ending.open);
    check_join(other);
    release(late.group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Many threads wait for a group that is empty again and again: none returns before the tasks that were there are over. */
enum { WAITERS = 2 };

struct turns {
    wp_pool *pool;
    wp_group *group;
    atomic_bool is_over;
};

static int slow(wp_context *context, void *arg) {
    (void)context;
    for (int i = 0; i < 3; i++) {
        sched_yield();
    }
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

static void *wait_again_and_again(void *arg) {
    struct turns *turns = arg;
    while (!atomic_load(&turns->is_over)) {
        CHECK_EQ(WP_OK, wp_group_wait(turns->group, WP_FOREVER));
    }
    return NULL;
}

static void no_wait_is_ended_by_an_earlier_emptiness(void) {
    unsigned long count = check_rounds(200) * 100 / (check_on_valgrind() ? 10 : 1);
    struct turns turns = {.pool = check_pool(2, 4)};
    pthread_t waiters[WAITERS];
    turns.group = group_in(turns.pool, NULL);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = check_thread(wait_again_and_again, &turns);
    }
    for (unsigned long i = 0; i < count; i++) {
        atomic_bool is_done = false;
        wp_task task = WP_TASK_INIT;
        task.run = slow;
        task.arg = &is_done;
        task.group = turns.group;
        CHECK_EQ(WP_OK, wp_submit_task(turns.pool, &task, WP_FOREVER));
        CHECK_EQ(WP_OK, wp_group_wait(turns.group, WP_FOREVER));
        CHECK(atomic_load(&is_done));
    }
    atomic_store(&turns.is_over, true);
    for (int i = 0; i < WAITERS; i++) {
        check_join(waiters[i]);
    }
    release(turns.group);
    CHECK_EQ(WP_OK, wp_destroy(turns.pool));
}

/* ---- a cancel finds everybody ---- */

struct blocked {
    wp_pool *pool;
    wp_group *group;
    wp_results *results;
    size_t accepted;
    int code;
};

static void *submit_blocked(void *arg) {
    struct blocked *me = arg;
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    task.group = me->group;
    task.results = me->results;
    me->code = wp_submit_task(me->pool, &task, WP_FOREVER);
    return NULL;
}

static void *submit_blocked_batch(void *arg) {
    struct blocked *me = arg;
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.end = must_not_end;
    task.group = me->group;
    wp_task batch[] = {task, task};
    me->code = wp_submit_batch(me->pool, batch, 2, sizeof task, WP_FOREVER, &me->accepted);
    return NULL;
}

static void blocked_submitters_of_a_cancelled_group_are_refused(void) {
    struct gate gate;
    gate_init(&gate);
    wp_pool *pool = check_pool(1, 1);
    wp_group *top = group_in(pool, NULL), *group = group_in(pool, top), *stranger = group_in(pool, NULL);
    struct blocked first = {.pool = pool, .group = stranger}, members[3];
    pthread_t threads[3];
    gate_shut(&gate, pool, 1);
    check_fill(pool, 1);
    pthread_t waits_first = check_thread(submit_blocked, &first);
    AWAIT(check_stats(pool).waiting == 1);
    for (unsigned i = 0; i < 3; i++) {
        members[i] = (struct blocked){.pool = pool, .group = i == 1 ? top : group, .accepted = 77};
        threads[i] = check_thread(i == 2 ? submit_blocked_batch : submit_blocked, &members[i]);
    }
    AWAIT(check_stats(pool).waiting == 4);
    CHECK_EQ(WP_OK, wp_group_cancel(top));
    for (unsigned i = 0; i < 3; i++) {
        check_join(threads[i]);
        CHECK_EQ(WP_ECANCELLED, members[i].code);
    }
    CHECK_EQ(0, members[2].accepted);
    CHECK_EQ(1, check_stats(pool).waiting); /* The stranger's. */
    CHECK_EQ(0, status_of(top).queued);
    CHECK_EQ(WP_OK, wp_group_cancel(stranger));
    check_join(waits_first);
    CHECK_EQ(WP_ECANCELLED, first.code);
    check_post(&gate.open);
    release(group);
    release(top);
    release(stranger);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* A submitter that is about to stand in line, behind one that stays there, when its group is cancelled. */
static pthread_barrier_t start_line;

static void *submit_at_the_line(void *arg) {
    pthread_barrier_wait(&start_line);
    return submit_blocked(arg);
}

static void a_submitter_that_is_about_to_wait_is_refused(void) {
    unsigned long rounds = check_rounds(200) * (check_on_valgrind() ? 1 : 10);
    uint64_t random = check_seed();
    struct gate gate;
    gate_init(&gate);
    wp_pool *pool = check_pool(1, 1);
    struct blocked first = {.pool = pool, .group = group_in(pool, NULL)};
    CHECK_EQ(0, pthread_barrier_init(&start_line, NULL, 2));
    gate_shut(&gate, pool, 1);
    check_fill(pool, 1);
    pthread_t waits_first = check_thread(submit_blocked, &first);
    AWAIT(check_stats(pool).waiting == 1);
    for (unsigned long round = 0; round < rounds; round++) {
        struct blocked late = {.pool = pool, .group = group_in(pool, NULL)};
        pthread_t thread = check_thread(submit_at_the_line, &late);
        pthread_barrier_wait(&start_line);
        for (unsigned spins = (unsigned)(check_random(&random) % 300); spins > 0; spins--) {
            (void)wp_version_number();
        }
        CHECK_EQ(WP_OK, wp_group_cancel(late.group));
        check_join(thread);
        CHECK_EQ(WP_ECANCELLED, late.code);
        release(late.group);
    }
    CHECK_EQ(WP_OK, wp_group_cancel(first.group));
    check_join(waits_first);
    check_post(&gate.open);
    release(first.group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(0, pthread_barrier_destroy(&start_line));
}

static void one_that_waits_for_a_place_in_results_is_refused(void) {
    wp_pool *pool = check_pool(1, 4);
    wp_results *results = check_results(1, WP_RESULTS_WAIT);
    wp_group *top = group_in(pool, NULL), *group = group_in(pool, top);
    struct blocked blocked = {.pool = pool, .group = group, .results = results};
    wp_task task = recorded(results, 1);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    pthread_t thread = check_thread(submit_blocked, &blocked);
    AWAIT(check_stats(pool).waiting == 1);
    CHECK_EQ(WP_OK, wp_group_cancel(top));
    check_join(thread);
    CHECK_EQ(WP_ECANCELLED, blocked.code);
    (void)check_next(results, WP_FOREVER);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    task.group = group;
    CHECK_EQ(WP_ECANCELLED, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(1, free_places(pool, results)); /* The refused one's place came back. */
    release(group);
    release(top);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_release(results));
}

/* Two groups are cancelled at once while nobody runs anything: each cancel ends all tasks of its own group before it returns, though the
 * other looks at the same tasks. */
enum { MANY = 64 };

struct half {
    wp_group *group;
    struct mark marks[MANY];
    pthread_barrier_t *line;
};

static void *cancel_half(void *arg) {
    struct half *half = arg;
    pthread_barrier_wait(half->line);
    CHECK_EQ(WP_OK, wp_group_cancel(half->group));
    for (unsigned i = 0; i < MANY; i++) {
        check_mark(&half->marks[i], WP_FATE_CANCELLED);
    }
    return NULL;
}

static void a_cancel_misses_nothing_that_another_looks_at(void) {
    unsigned long rounds = check_rounds(200) * (check_on_valgrind() ? 1 : 5);
    pthread_barrier_t line;
    CHECK_EQ(0, pthread_barrier_init(&line, NULL, 2));
    static struct half halves[2];
    for (unsigned long round = 0; round < rounds; round++) {
        wp_pool *pool = manual_pool(2 * MANY, 0);
        uint32_t limit = round % 4 == 3; /* Also in lanes. */
        for (int h = 0; h < 2; h++) {
            memset(halves[h].marks, 0, sizeof halves[h].marks);
            halves[h].group = group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, limit);
            halves[h].line = &line;
        }
        for (int i = 0; i < MANY; i++) {
            submit_marked(pool, halves[0].group, &halves[0].marks[i]);
            submit_marked(pool, halves[1].group, &halves[1].marks[i]);
        }
        pthread_t other = check_thread(cancel_half, &halves[1]);
        cancel_half(&halves[0]);
        check_join(other);
        CHECK_EQ(0, step(pool, UINT64_MAX));
        release(halves[0].group);
        release(halves[1].group);
        CHECK_EQ(WP_OK, wp_destroy(pool));
    }
    CHECK_EQ(0, pthread_barrier_destroy(&line));
}

int main(void) {
    check_begin("groups_wait");
    CASE(a_wait_runs_the_pools_tasks_in_order);
    CASE(a_wait_inside_runs_that_groups_tasks_and_no_others);
    CASE(what_the_own_limit_holds_back_is_not_waited_for);
    CASE(an_end_on_the_cancelling_thread_is_inside);
    CASE(a_wait_inside_says_so_when_it_would_have_to_sleep);
    CASE(a_wait_inside_starts_nothing_that_a_shutdown_discards);
    CASE(no_wait_is_ended_by_an_earlier_emptiness);
    CASE(blocked_submitters_of_a_cancelled_group_are_refused);
    CASE(a_submitter_that_is_about_to_wait_is_refused);
    CASE(one_that_waits_for_a_place_in_results_is_refused);
    CASE(a_cancel_misses_nothing_that_another_looks_at);
    return check_end();
}
