/* SPDX-License-Identifier: MIT
 *
 * The promise: a task that has not started by its own deadline, its group's, or one above never runs; in a pool with a timer it ends
 * at that very time, whatever the workers do. By hand with the virtual clock, exactly; on threads as an event, with the measured
 * lateness printed.
 */
#include "groups.h"

static uint64_t seed;

enum { TASKS = 1000 };

struct late {
    wp_pool *pool;
    uint64_t deadline, ended_at;
    uint32_t fate;
    atomic_uint ends;
};

static struct late lates[TASKS];

static int run_in_time(wp_context *context, void *arg) {
    struct late *late = arg;
    CHECK(wp_now(late->pool) < late->deadline); /* None runs late. */
    CHECK_EQ(late->deadline - wp_now(late->pool), wp_time_left(context));
    return 0;
}

static void note_end(const wp_outcome *outcome, void *arg) {
    struct late *late = arg;
    late->ended_at = wp_now(late->pool);
    late->fate = outcome->fate;
    CHECK_EQ(0, atomic_fetch_add(&late->ends, 1));
}

static wp_task due(struct late *late, wp_pool *pool, wp_group *group, uint64_t deadline) {
    wp_task task = WP_TASK_INIT;
    memset(late, 0, sizeof *late);
    late->pool = pool;
    late->deadline = deadline;
    task.run = run_in_time;
    task.end = note_end;
    task.arg = late;
    task.group = group;
    task.deadline = deadline;
    return task;
}

/* Deadlines from 10 to 500 ms, in no order; half of them in limited groups, so in lanes. */
static void submit_all(wp_pool *pool, wp_group *const groups[2]) {
    uint64_t now = wp_now(pool);
    for (unsigned i = 0; i < TASKS; i++) {
        uint64_t after = (10 + check_random(&seed) % 491) * NS_PER_MS;
        wp_task task = due(&lates[i], pool, i % 4 < 2 ? groups[i % 4] : NULL, now + after);
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
}

static unsigned count_due(uint64_t now) {
    unsigned count = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        count += lates[i].deadline <= now;
    }
    return count;
}

static void without_a_timer_none_runs_late(void) {
    wp_pool *pool = manual_pool(TASKS, 0);
    wp_group *groups[] = {group_in(pool, NULL), group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1)};
    submit_all(pool, groups);
    uint64_t ran = 0;
    for (unsigned turn = 0; turn < 50; turn++) { /* 10 ms and a few tasks at a time. */
        CHECK_EQ(WP_OK, wp_clock_advance(pool, 10 * NS_PER_MS));
        ran += step(pool, 10);
        check_sum(pool);
    }
    ran += step(pool, UINT64_MAX);
    wp_stats stats = check_sum(pool);
    CHECK_EQ(TASKS, stats.ran + stats.expired);
    CHECK_EQ(ran, stats.ran);
    CHECK(stats.ran > 100 && stats.expired > 100);
    for (unsigned i = 0; i < TASKS; i++) {
        CHECK_EQ(1, atomic_load(&lates[i].ends));
        CHECK_EQ(lates[i].ended_at < lates[i].deadline ? WP_FATE_RAN : WP_FATE_EXPIRED, lates[i].fate);
    }
    CHECK_EQ(stats.ran + stats.expired, TASKS);
    CHECK_EQ(TASKS / 2, status_of(groups[0]).ran + status_of(groups[0]).expired + status_of(groups[1]).ran + status_of(groups[1]).expired);
    release(groups[0]);
    release(groups[1]);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void with_a_timer_each_ends_at_its_deadline(void) {
    wp_pool *pool = manual_pool(TASKS, 1);
    wp_group *groups[] = {group_in(pool, NULL), group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1)};
    submit_all(pool, groups);
    unsigned ran = (unsigned)step(pool, 100);
    CHECK_EQ(100, ran);
    unsigned ended_before = 0;
    for (uint64_t end = wp_now(pool) + 600 * NS_PER_MS; wp_now(pool) < end;) {
        CHECK_EQ(WP_OK, wp_clock_advance(pool, 1 + check_random(&seed) % (20 * NS_PER_MS)));
        wp_stats stats = check_sum(pool);
        unsigned ended = 0, due_by_now = count_due(wp_now(pool));
        for (unsigned i = 0; i < TASKS; i++) {
            ended += atomic_load(&lates[i].ends);
        }
        CHECK_EQ(ended, stats.ran + stats.expired);
        CHECK(ended >= due_by_now && ended <= due_by_now + ran && ended >= ended_before);
        ended_before = ended;
    }
    for (unsigned i = 0; i < TASKS; i++) {
        CHECK_EQ(1, atomic_load(&lates[i].ends));
        if (lates[i].fate != WP_FATE_RAN) {
            CHECK_EQ(WP_FATE_EXPIRED, lates[i].fate);
            CHECK_EQ(lates[i].deadline, lates[i].ended_at);
        }
    }
    CHECK_EQ(TASKS - ran, check_stats(pool).expired);
    CHECK_EQ(0, step(pool, UINT64_MAX));
    CHECK_EQ(0, check_sum(pool).passed_over);
    release(groups[0]);
    release(groups[1]);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void the_groups_deadline_counts_too(void) {
    wp_pool *pool = manual_pool(8, 1);
    uint64_t now = wp_now(pool);
    wp_group *top = group_with(pool, NULL, now + 300, WP_ON_ERROR_GO_ON, 0), *group = group_with(pool, top, now + 900, 0, 0);
    wp_group *early = group_with(pool, top, now + 100, WP_ON_ERROR_GO_ON, 1), *passed = group_with(pool, NULL, now, 0, 0);
    struct late mine[6];
    wp_group *of[] = {top, group, group, early, early, NULL};
    uint64_t own[] = {0, 0, 200, 0, 500, 700}, expected[] = {300, 300, 200, 100, 100, 700};
    for (unsigned i = 0; i < 6; i++) {
        wp_task task = due(&mine[i], pool, of[i], own[i] == 0 ? 0 : now + own[i]);
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    CHECK_EQ(WP_OK, wp_clock_advance(pool, 99));
    CHECK_EQ(0, check_stats(pool).expired);
    CHECK_EQ(WP_OK, wp_clock_advance(pool, NS_PER_S));
    for (unsigned i = 0; i < 6; i++) {
        CHECK_EQ(now + expected[i], mine[i].ended_at);
        CHECK_EQ(WP_FATE_EXPIRED, mine[i].fate);
    }
    CHECK_EQ(5, status_of(top).expired);
    CHECK_EQ(2, status_of(early).expired);
    CHECK_EQ(WP_STOP_DEADLINE, status_of(early).stop);
    CHECK_EQ(WP_OK, wp_group_wait(top, 0));

    /* What comes too late is accepted, and ends as the rest does. */
    wp_task task = due(&mine[0], pool, passed, 0);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_clock_advance(pool, 0));
    CHECK_EQ(WP_FATE_EXPIRED, mine[0].fate);
    task = due(&mine[1], pool, NULL, 1);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(0, step(pool, UINT64_MAX));
    CHECK_EQ(WP_FATE_EXPIRED, mine[1].fate);
    release(top);
    release(group);
    release(early);
    release(passed);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* An `end` at a deadline may submit and cancel: what that brings about is in time, too. */
struct chained {
    struct late late;
    struct chained *next;
    wp_group *cancels;
};

static void submit_next(const wp_outcome *outcome, void *arg);

static void submit_chained(wp_pool *pool, struct chained *chained, uint64_t deadline) {
    wp_task task = due(&chained->late, pool, NULL, deadline);
    task.end = submit_next;
    task.arg = chained;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
}

static void submit_next(const wp_outcome *outcome, void *arg) {
    struct chained *chained = arg;
    note_end(outcome, &chained->late);
    if (chained->next != NULL) {
        submit_chained(chained->late.pool, chained->next, wp_now(chained->late.pool) + 5);
    }
    if (chained->cancels != NULL) {
        CHECK_EQ(WP_OK, wp_group_cancel(chained->cancels));
    }
}

static void an_end_at_a_deadline_may_submit_and_cancel(void) {
    wp_pool *pool = manual_pool(8, 1);
    wp_group *group = group_in(pool, NULL);
    struct chained third = {.cancels = group}, second = {.next = &third}, first = {.next = &second};
    struct late member;
    uint64_t now = wp_now(pool);
    submit_chained(pool, &first, now + 10);
    wp_task task = due(&member, pool, group, now + 21);
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_clock_advance(pool, 100));
    CHECK_EQ(now + 10, first.late.ended_at);
    CHECK_EQ(now + 15, second.late.ended_at);
    CHECK_EQ(now + 20, third.late.ended_at);
    CHECK_EQ(now + 20, member.ended_at);
    CHECK_EQ(WP_FATE_CANCELLED, member.fate);
    CHECK_EQ(now + 100, wp_now(pool));
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- on threads ---- */

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void the_timer_needs_no_worker(void) {
    enum { MANY = 500 };
    static uint64_t lateness[MANY];
    struct gate gate;
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    gate_init(&gate);
    options.workers = 2;
    options.capacity = MANY;
    options.timers = 1;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    CHECK_EQ(4, check_threads());
    wp_group *groups[] = {group_in(pool, NULL), group_with(pool, NULL, 0, WP_ON_ERROR_GO_ON, 1)};
    gate_shut(&gate, pool, 2);
    for (unsigned i = 0; i < MANY; i++) {
        wp_task task = due(&lates[i], pool, groups[i % 2], wp_now(pool) + NS_PER_MS + check_random(&seed) % (200 * NS_PER_MS));
        task.run = must_not_run_task;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    /* The workers are still held. */
    CHECK_EQ(WP_OK, wp_group_wait(groups[0], WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_wait(groups[1], WP_FOREVER));
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_EQ(1, atomic_load(&lates[i].ends));
        CHECK_EQ(WP_FATE_EXPIRED, lates[i].fate);
        CHECK_AT_LEAST(lates[i].deadline, lates[i].ended_at);
        lateness[i] = lates[i].ended_at - lates[i].deadline;
    }
    wp_stats stats = check_sum(pool);
    CHECK(stats.expired == MANY && stats.queued == 0 && stats.running == 2 && stats.passed_over == MANY / 2);
    CHECK_EQ(MANY / 2, status_of(groups[0]).expired);
    CHECK_EQ(MANY / 2, status_of(groups[1]).expired);
    qsort(lateness, MANY, sizeof *lateness, compare);
    printf("deadlines: lateness of %u with all workers busy: median %.1f us, p99 %.1f us, most %.1f us\n", MANY,
           (double)lateness[MANY / 2] / 1000, (double)lateness[MANY * 99 / 100] / 1000, (double)lateness[MANY - 1] / 1000);
    check_post_times(&gate.open, 2);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    release(groups[0]);
    release(groups[1]);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* Two deadlines of which the later is submitted first, and one that lies before that the timer waits for. */
static void an_earlier_deadline_wakes_the_timer(void) {
    struct gate gate;
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    gate_init(&gate);
    options.workers = 1;
    options.timers = 1;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    wp_group *far_off = group_in(pool, NULL), *soon = group_in(pool, NULL);
    gate_shut(&gate, pool, 1);
    struct late late[2];
    wp_task task = due(&late[0], pool, far_off, wp_now(pool) + 3600 * NS_PER_S);
    task.run = must_not_run_task;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    task = due(&late[1], pool, soon, wp_now(pool) + NS_PER_MS);
    task.run = must_not_run_task;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_group_wait(soon, WP_FOREVER));
    CHECK_EQ(WP_FATE_EXPIRED, late[1].fate);
    CHECK_EQ(0, atomic_load(&late[0].ends));
    CHECK_EQ(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
    CHECK_EQ(WP_FATE_DISCARDED, late[0].fate);
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool)); /* The timer waits for nothing any more. */
    release(far_off);
    release(soon);
}

int main(void) {
    check_begin("deadlines");
    seed = check_seed();
    CASE(without_a_timer_none_runs_late);
    CASE(with_a_timer_each_ends_at_its_deadline);
    CASE(the_groups_deadline_counts_too);
    CASE(an_end_at_a_deadline_may_submit_and_cancel);
    CASE(the_timer_needs_no_worker);
    CASE(an_earlier_deadline_wakes_the_timer);
    return check_end();
}
