/* SPDX-License-Identifier: MIT
 *
 * The promise: a group counts its tasks and those of the groups inside it, is cancelled with all of them and for good, keeps its first
 * failure, and is there for as long as somebody needs it. Most of it on pools that are stepped by hand. Waiting: groups_wait.c.
 */
#include "groups.h"

/* ---- joining and being counted ---- */

static int ask_group(wp_context *context, void *arg) {
    *(wp_group **)arg = wp_context_group(context);
    return 0;
}

static void check_stop(uint32_t reason, const wp_group *group) {
    CHECK_EQ(reason, status_of(group).stop);
    CHECK_EQ(reason, wp_group_stop_reason(group));
}

static void a_task_joins_a_group_and_knows_it(void) {
    wp_pool *pool = manual_pool(4, 0);
    wp_group *group = group_in(pool, NULL), *asked = NULL;
    wp_task task = WP_TASK_INIT;
    task.run = ask_group;
    task.arg = &asked;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(1, status_of(group).queued);
    CHECK_EQ(1, step(pool, 1));
    CHECK(asked == group);
    task.group = NULL;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(1, step(pool, 1));
    CHECK(asked == NULL);
    CHECK(wp_context_group(NULL) == NULL);
    wp_group_status status = status_of(group);
    CHECK(status.queued == 0 && status.running == 0 && status.ran == 1 && status.stop == WP_STOP_NONE);
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

enum { DEEP = 3 };

struct looking {
    wp_group *groups[DEEP];
    unsigned depth;
};

/* Inside a task of the group at `depth`: it and those above count the task as running. */
static int look_up(wp_context *context, void *arg) {
    struct looking *looking = arg;
    CHECK(wp_context_group(context) == looking->groups[looking->depth]);
    for (unsigned i = 0; i < DEEP; i++) {
        CHECK_EQ(i <= looking->depth, status_of(looking->groups[i]).running);
    }
    return (int)looking->depth;
}

static void each_level_counts_what_is_below(void) {
    wp_pool *pool = manual_pool(16, 0);
    struct looking looking[DEEP];
    wp_group *groups[DEEP];
    for (unsigned i = 0; i < DEEP; i++) {
        groups[i] = group_in(pool, i > 0 ? groups[i - 1] : NULL);
    }
    for (unsigned i = 0; i < DEEP; i++) {
        wp_task task = WP_TASK_INIT;
        memcpy(looking[i].groups, groups, sizeof groups);
        looking[i].depth = i;
        task.run = look_up;
        task.arg = &looking[i];
        task.group = groups[i];
        for (int twice = 0; twice < 2; twice++) {
            CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        }
    }
    for (unsigned i = 0; i < DEEP; i++) {
        CHECK_EQ(2 * (DEEP - i), status_of(groups[i]).queued);
    }
    CHECK_EQ(2 * DEEP, step(pool, UINT64_MAX));
    for (unsigned i = 0; i < DEEP; i++) {
        wp_group_status status = status_of(groups[i]);
        CHECK_EQ(0, status.queued + status.running);
        CHECK_EQ(2 * (DEEP - i), status.ran);
        CHECK_EQ(i == 0 ? 4 : 2 * (DEEP - i), status.failed); /* all but the tasks of depth 0 */
        CHECK_EQ(i == 2 ? 2 : 1, status.first_status);
        release(groups[i]); /* The parents first: the children keep them. */
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- cancelling ---- */

static void a_cancel_ends_what_is_queued_before_it_returns(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_group *group = group_in(pool, NULL);
    struct mark marks[4], others[2];
    memset(marks, 0, sizeof marks);
    memset(others, 0, sizeof others);
    submit_marked(pool, group, &marks[0]);
    submit_marked(pool, NULL, &others[0]);
    submit_marked(pool, group, &marks[1]);
    submit_marked(pool, group, &marks[2]);
    submit_marked(pool, NULL, &others[1]);
    CHECK_EQ(1, step(pool, 1));
    CHECK_EQ(WP_OK, wp_group_cancel(group));
    check_mark(&marks[0], WP_FATE_RAN);
    for (int i = 1; i < 3; i++) {
        check_mark(&marks[i], WP_FATE_CANCELLED);
        CHECK(pthread_equal(marks[i].ended_by, pthread_self()));
    }
    check_untouched(&others[0]);
    wp_group_status status = status_of(group);
    CHECK(status.queued == 0 && status.running == 0 && status.ran == 1 && status.cancelled == 2);
    CHECK_EQ(WP_STOP_CANCELLED, status.stop);

    /* The places come back when a worker comes to them. */
    wp_stats stats = check_sum(pool);
    CHECK(stats.exact);
    CHECK_EQ(2, stats.queued);
    CHECK_EQ(2, stats.passed_over);
    CHECK_EQ(2, stats.cancelled);

    CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, group, 0));
    CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, group, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_cancel(group));
    CHECK_EQ(2, step(pool, UINT64_MAX));
    check_mark(&others[0], WP_FATE_RAN);
    check_mark(&others[1], WP_FATE_RAN);
    stats = check_sum(pool);
    CHECK(stats.queued == 0 && stats.passed_over == 0 && stats.accepted == 5 && stats.ran == 3);
    CHECK_EQ(WP_OK, wp_group_wait(group, 0));
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_full_queue_without_tasks_explains_itself(void) {
    wp_pool *pool = manual_pool(3, 0);
    wp_group *group = group_in(pool, NULL);
    struct mark marks[4];
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 3; i++) {
        submit_marked(pool, group, &marks[i]);
    }
    CHECK_EQ(WP_OK, wp_group_cancel(group));
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, must_not_run, NULL));
    wp_stats stats = check_sum(pool);
    CHECK(stats.queued == 0 && stats.running == 0 && stats.passed_over == 3 && stats.cancelled == 3);
    CHECK_EQ(0, step(pool, 1));
    CHECK_EQ(0, check_sum(pool).passed_over);
    submit_marked(pool, NULL, &marks[3]);
    CHECK_EQ(1, step(pool, 1));
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void a_child_is_cancelled_alone_and_a_parent_with_its_children(void) {
    wp_pool *pool = manual_pool(16, 0);
    wp_group *top = group_in(pool, NULL), *left = group_in(pool, top), *right = group_in(pool, top);
    wp_group *below = group_in(pool, left), *stranger = group_in(pool, NULL);
    struct mark marks[5];
    wp_group *of[] = {top, left, right, below, stranger};
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 5; i++) {
        submit_marked(pool, of[i], &marks[i]);
    }
    CHECK_EQ(WP_OK, wp_group_cancel(left));
    check_mark(&marks[1], WP_FATE_CANCELLED);
    check_mark(&marks[3], WP_FATE_CANCELLED);
    check_untouched(&marks[0]);
    check_untouched(&marks[2]);
    check_untouched(&marks[4]);
    check_stop(WP_STOP_CANCELLED, below);
    check_stop(WP_STOP_NONE, top);
    check_stop(WP_STOP_NONE, right);
    CHECK_EQ(2, status_of(top).cancelled);
    CHECK_EQ(2, status_of(top).queued);
    CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, below, 0));
    CHECK_EQ(2, status_of(top).queued); /* The refused one left no trace above. */

    CHECK_EQ(WP_OK, wp_group_cancel(top));
    check_mark(&marks[0], WP_FATE_CANCELLED);
    check_mark(&marks[2], WP_FATE_CANCELLED);
    CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, right, 0));
    wp_group *late = group_in(pool, right);
    check_stop(WP_STOP_CANCELLED, late);
    CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, late, 0));
    CHECK_EQ(1, step(pool, UINT64_MAX));
    check_mark(&marks[4], WP_FATE_RAN);
    CHECK_EQ(0, check_stats(pool).refused); /* ECANCELLED is no want of room. */
    for (int i = 0; i < 5; i++) {
        release(of[i]);
    }
    release(late);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void one_task_is_cancelled_alone_by_a_group_of_its_own(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_group *all = group_in(pool, NULL), *own[4];
    struct mark marks[4];
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 4; i++) {
        own[i] = group_in(pool, all);
        submit_marked(pool, own[i], &marks[i]);
    }
    CHECK_EQ(WP_OK, wp_group_cancel(own[2]));
    check_mark(&marks[2], WP_FATE_CANCELLED);
    CHECK_EQ(WP_OK, wp_group_wait(all, WP_FOREVER));
    for (int i = 0; i < 4; i++) {
        check_mark(&marks[i], i == 2 ? WP_FATE_CANCELLED : WP_FATE_RAN);
        release(own[i]);
    }
    wp_group_status status = status_of(all);
    CHECK(status.ran == 3 && status.cancelled == 1);
    release(all);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

struct self {
    wp_group *group;
    struct mark *later;
    unsigned later_count;
};

static int cancel_own_group(wp_context *context, void *arg) {
    struct self *self = arg;
    CHECK_EQ(0, wp_should_stop(context));
    CHECK_EQ(WP_OK, wp_group_cancel(wp_context_group(context)));
    CHECK_EQ(1, wp_should_stop(context));
    CHECK_EQ(WP_STOP_CANCELLED, wp_stop_reason(context));
    for (unsigned i = 0; i < self->later_count; i++) {
        check_mark(&self->later[i], WP_FATE_CANCELLED);
    }
    return 5;
}

static void a_task_cancels_its_own_group(void) {
    wp_pool *pool = manual_pool(8, 0);
    wp_group *group = group_in(pool, NULL);
    struct mark marks[2];
    struct self self = {group, marks, 2};
    wp_task task = WP_TASK_INIT;
    memset(marks, 0, sizeof marks);
    task.run = cancel_own_group;
    task.arg = &self;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    submit_marked(pool, group, &marks[0]);
    submit_marked(pool, group, &marks[1]);
    CHECK_EQ(1, step(pool, UINT64_MAX));
    wp_group_status status = status_of(group);
    CHECK(status.ran == 1 && status.failed == 1 && status.cancelled == 2 && status.first_status == 5);
    CHECK_EQ(WP_STOP_CANCELLED, status.stop);
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- failures ---- */

static void the_first_failure_stays(void) {
    static const char label[] = "0123456789012345678901234567890123456789";
    wp_pool *pool = manual_pool(8, 0);
    wp_group *top = group_in(pool, NULL), *group = group_in(pool, top);
    struct mark marks[4] = {{.returns = 0}, {.returns = -9}, {.returns = 4}, {.returns = 0}};
    for (int i = 0; i < 4; i++) {
        wp_task task = marked(i == 2 ? top : group, &marks[i]);
        char *copy = strdup(label);
        task.label = i == 1 ? copy : "another";
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
        CHECK_EQ(1, step(pool, 1));
        free(copy); /* It need not live longer than the task. */
    }
    wp_group_status status = status_of(group);
    CHECK(status.ran == 3 && status.failed == 1 && status.first_status == -9 && status.stop == WP_STOP_NONE);
    CHECK_EQ(0, strncmp(label, status.first_label, WP_LABEL_BYTES - 1));
    CHECK_EQ(0, status.first_label[WP_LABEL_BYTES - 1]);
    status = status_of(top);
    CHECK(status.ran == 4 && status.failed == 2 && status.first_status == -9);
    release(group);
    wp_group *plain = group_in(pool, NULL);
    CHECK_EQ(0, status_of(plain).first_label[0]);
    CHECK_EQ(0, status_of(plain).first_status);
    struct mark unlabelled = {.returns = 8};
    submit_marked(pool, plain, &unlabelled);
    CHECK_EQ(1, step(pool, 1));
    CHECK_EQ(0, status_of(plain).first_label[0]);
    CHECK_EQ(8, status_of(plain).first_status);
    release(plain);
    release(top);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static atomic_uint ends_before_the_cancel;

static void end_before_the_cancel(const wp_outcome *outcome, void *arg) {
    struct mark *next = arg;
    CHECK_EQ(WP_FATE_RAN, outcome->fate);
    check_untouched(next); /* The group is cancelled after this. */
    atomic_fetch_add(&ends_before_the_cancel, 1);
}

static int fail(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 3;
}

static void a_failure_cancels_the_groups_that_want_it(void) {
    wp_pool *pool = manual_pool(16, 0);
    wp_group *top = group_with(pool, NULL, 0, WP_ON_ERROR_CANCEL, 0);
    wp_group *goes_on = group_in(pool, top), *beside = group_in(pool, top), *stranger = group_in(pool, NULL);
    struct mark marks[4];
    wp_group *of[] = {goes_on, beside, top, stranger};
    wp_task task = WP_TASK_INIT;
    memset(marks, 0, sizeof marks);
    atomic_store(&ends_before_the_cancel, 0);
    task.run = fail;
    task.end = end_before_the_cancel;
    task.arg = &marks[0];
    task.group = goes_on;
    task.label = "failed";
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    for (int i = 0; i < 4; i++) {
        submit_marked(pool, of[i], &marks[i]);
    }
    CHECK_EQ(1, step(pool, 1));
    CHECK_EQ(1, atomic_load(&ends_before_the_cancel));
    for (int i = 0; i < 3; i++) {
        check_mark(&marks[i], WP_FATE_CANCELLED);
        check_stop(WP_STOP_FAILED, of[i]);
        CHECK_EQ(WP_ECANCELLED, submit_refused_to(pool, of[i], 0));
    }
    CHECK_EQ(WP_OK, wp_group_cancel(top));
    check_stop(WP_STOP_FAILED, top); /* Why it was cancelled first. */
    CHECK_EQ(0, strcmp("failed", status_of(top).first_label));
    CHECK_EQ(1, step(pool, UINT64_MAX));
    check_mark(&marks[3], WP_FATE_RAN);
    for (int i = 0; i < 4; i++) {
        release(of[i]);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- why a task should stop ---- */

struct asked {
    wp_pool *pool;
    wp_group *cancels;
    uint64_t advances;
    uint32_t reason, before;
    uint64_t time_left;
};

static int ask_to_stop(wp_context *context, void *arg) {
    struct asked *asked = arg;
    asked->before = wp_stop_reason(context);
    CHECK_EQ(asked->before != WP_STOP_NONE, wp_should_stop(context));
    if (asked->cancels != NULL) {
        CHECK_EQ(WP_OK, wp_group_cancel(asked->cancels));
    }
    CHECK_EQ(WP_OK, wp_clock_advance(asked->pool, asked->advances));
    asked->reason = wp_stop_reason(context);
    CHECK_EQ(asked->reason != WP_STOP_NONE, wp_should_stop(context));
    asked->time_left = wp_time_left(context);
    return 0;
}

static struct asked ask(wp_pool *pool, wp_group *group, uint64_t deadline, wp_group *cancels, uint64_t advances) {
    struct asked asked = {pool, cancels, advances, 77, 77, 77};
    wp_task task = WP_TASK_INIT;
    task.run = ask_to_stop;
    task.arg = &asked;
    task.group = group;
    task.deadline = deadline;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(1, step(pool, 1));
    return asked;
}

static void a_running_task_is_told_why_it_should_stop(void) {
    wp_pool *pool = manual_pool(4, 0);
    uint64_t now = wp_now(pool);
    wp_group *top = group_with(pool, NULL, now + 1000, WP_ON_ERROR_GO_ON, 0), *group = group_with(pool, top, now + 5000, 0, 0);
    struct asked asked = ask(pool, NULL, 0, NULL, 0);
    CHECK(asked.reason == WP_STOP_NONE && asked.time_left == WP_FOREVER);
    asked = ask(pool, NULL, now + 100, NULL, 99);
    CHECK(asked.reason == WP_STOP_NONE && asked.time_left == 1);
    asked = ask(pool, NULL, now + 100, NULL, 0);
    CHECK(asked.before == WP_STOP_NONE && asked.time_left == 1);
    asked = ask(pool, NULL, now + 100, NULL, 1);
    CHECK(asked.before == WP_STOP_NONE && asked.reason == WP_STOP_DEADLINE && asked.time_left == 0);
    asked = ask(pool, group, 0, NULL, 0); /* The nearest of its own, its group's and those above. */
    CHECK(asked.reason == WP_STOP_NONE && asked.time_left == 900);
    asked = ask(pool, group, now + 500, NULL, 0);
    CHECK(asked.reason == WP_STOP_NONE && asked.time_left == 400);
    asked = ask(pool, group, now + 9000, NULL, 900);
    CHECK(asked.reason == WP_STOP_DEADLINE && asked.time_left == 0);
    check_stop(WP_STOP_DEADLINE, group);
    check_stop(WP_STOP_DEADLINE, top);
    release(group);
    release(top);

    top = group_in(pool, NULL);
    group = group_in(pool, top);
    asked = ask(pool, group, wp_now(pool) + 10, top, 20);
    CHECK(asked.before == WP_STOP_NONE && asked.reason == WP_STOP_CANCELLED); /* A cancel goes before a deadline. */
    release(group);
    release(top);
    CHECK_EQ(0, wp_should_stop(NULL));
    CHECK_EQ(WP_STOP_NONE, wp_stop_reason(NULL));
    CHECK_EQ(WP_STOP_NONE, wp_group_stop_reason(NULL));
    CHECK(wp_time_left(NULL) == WP_FOREVER);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static int tell_shutdown(wp_context *context, void *arg) {
    struct gate *gate = arg;
    check_post(&gate->begun);
    AWAIT(wp_should_stop(context));
    return (int)wp_stop_reason(context);
}

static void a_cancelling_shutdown_is_a_reason_too(void) {
    wp_pool *pool = check_pool(1, 4);
    struct gate gate;
    struct mark mark;
    wp_group *group = group_in(pool, NULL);
    wp_task task = WP_TASK_INIT;
    memset(&mark, 0, sizeof mark);
    gate_init(&gate);
    task.run = tell_shutdown;
    task.arg = &gate;
    task.group = group;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    check_wait(&gate.begun);
    submit_marked(pool, group, &mark);
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, NULL));
    check_mark(&mark, WP_FATE_DISCARDED);
    wp_group_status status = status_of(group);
    CHECK(status.first_status == WP_STOP_SHUTDOWN && status.stop == WP_STOP_NONE);
    CHECK(status.ran == 1 && status.discarded == 1);
    release(group);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("groups");
    CASE(a_task_joins_a_group_and_knows_it);
    CASE(each_level_counts_what_is_below);
    CASE(a_cancel_ends_what_is_queued_before_it_returns);
    CASE(a_full_queue_without_tasks_explains_itself);
    CASE(a_child_is_cancelled_alone_and_a_parent_with_its_children);
    CASE(one_task_is_cancelled_alone_by_a_group_of_its_own);
    CASE(a_task_cancels_its_own_group);
    CASE(the_first_failure_stays);
    CASE(a_failure_cancels_the_groups_that_want_it);
    CASE(a_running_task_is_told_why_it_should_stop);
    CASE(a_cancelling_shutdown_is_a_reason_too);
    return check_end();
}
