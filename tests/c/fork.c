/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a fork leaves the pool in the parent, whatever state it is in. In the child each call on it is
 * answered at once, nothing of it runs or ends there, its memory can be freed, and new pools work; the parent notices
 * nothing.
 */
#include "fates.h"

#include <sys/wait.h>

static void the_child_of_a_fork(wp_pool *pool, const struct fates *fates) {
    wp_task task = WP_TASK_INIT;
    wp_stats stats = WP_STATS_INIT, untouched = WP_STATS_INIT;
    wp_shutdown_report report = WP_SHUTDOWN_REPORT_INIT;
    unsigned ran = atomic_load(&fates->ran), hooked = atomic_load(&fates->hooked);
    task.run = full;
    task.end = count_fate;
    task.arg = (void *)(uintptr_t)fates;
    CHECK_EQ(WP_EFORKED, wp_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, wp_try_submit(pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, wp_submit_for(pool, must_not_run, NULL, 0));
    CHECK_EQ(WP_EFORKED, wp_submit_for(pool, must_not_run, NULL, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_submit_task(pool, &task, WP_FOREVER));
    size_t accepted = 12345;
    CHECK_EQ(WP_EFORKED, wp_submit_batch(pool, &task, 1, sizeof task, WP_FOREVER, &accepted));
    CHECK_EQ(0, accepted);
    CHECK_EQ(WP_EFORKED, wp_submit_batch(pool, &task, 1, sizeof task, 0, NULL));
    CHECK_EQ(WP_EFORKED, wp_submit_batch(pool, NULL, 0, sizeof task, 0, NULL));
    CHECK_EQ(0, wp_is_inside(pool));
    CHECK_EQ(WP_EFORKED, wp_wait_idle(pool, 0));
    CHECK_EQ(WP_EFORKED, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_shutdown(pool));
    CHECK_EQ(WP_EFORKED, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, WP_FOREVER, &report));
    CHECK_EQ(WP_EFORKED, wp_stats_get(pool, &stats));
    CHECK_EQ(0, memcmp(&stats, &untouched, sizeof stats));
    wp_executor executor = WP_EXECUTOR_INIT;
    CHECK_EQ(WP_EFORKED, wp_pool_executor(pool, &executor));
    CHECK(executor.self == NULL && executor.submit_task == NULL);
    CHECK(wp_now(pool) > 0);
    CHECK_EQ(1, check_threads());

    /* A pool of the child's own works, while the old one is still there and after it is gone. */
    for (int twice = 0; twice < 2; twice++) {
        atomic_uint runs = 0;
        wp_pool *own = check_pool(2, 4);
        for (int i = 0; i < 100; i++) {
            CHECK_EQ(WP_OK, wp_submit(own, check_count, &runs));
        }
        if (twice == 0) {
            CHECK_EQ(WP_EFORKED, wp_submit(pool, must_not_run, NULL)); /* also now that this process has a pool */
            CHECK_EQ(WP_EFORKED, wp_shutdown(pool));
            CHECK_EQ(WP_OK, wp_destroy(pool));
        }
        CHECK_EQ(WP_OK, wp_shutdown(own));
        CHECK_EQ(100, atomic_load(&runs));
        if (twice == 1) {
            pid_t grandchild = check_fork();
            if (grandchild == 0) {
                CHECK_EQ(WP_EFORKED, wp_submit(own, must_not_run, NULL));
                wp_pool *third = check_pool(1, 1);
                CHECK_EQ(WP_EFORKED, wp_submit(own, must_not_run, NULL));
                CHECK_EQ(WP_OK, wp_destroy(third));
                CHECK_EQ(WP_OK, wp_destroy(own));
                _Exit(0);
            }
            int status = -1;
            CHECK_EQ(grandchild, waitpid(grandchild, &status, 0));
            CHECK_EQ(0, status);
        }
        CHECK_EQ(WP_OK, wp_destroy(own));
    }
    CHECK_EQ(ran, atomic_load(&fates->ran));
    CHECK_EQ(0, atomic_load(&fates->discarded));
    CHECK_EQ(hooked, atomic_load(&fates->hooked));
}

/* In each state that a pool can be in when the process forks: idle; busy, with a full queue and a blocked submitter; shut. */
static void *submit_one(void *arg) {
    CHECK_EQ(WP_OK, wp_submit(arg, check_nothing, NULL));
    return NULL;
}

static void fork_and_check(wp_pool *pool, const struct fates *fates) {
    pid_t child = check_fork();
    if (child == 0) {
        the_child_of_a_fork(pool, fates);
        fflush(stdout);
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

static void a_forked_child_is_told_at_once_and_the_parent_goes_on(void) {
    struct gate gate;
    struct fates fates;
    wp_pool *pool = busy_pool(&gate, 2, 10, &fates);
    CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL)); /* 11 of 11: full */
    pthread_t submitter = check_thread(submit_one, pool);
    AWAIT(check_stats(pool).waiting == 1);
    fork_and_check(pool, &fates);
    check_post_times(&gate.open, 2);
    check_join(submitter);
    CHECK_EQ(WP_OK, wp_wait_idle(pool, WP_FOREVER));
    CHECK_EQ(10, atomic_load(&fates.ran));
    fork_and_check(pool, &fates); /* idle */
    CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(15, check_stats(pool).ran);
    fork_and_check(pool, &fates); /* shut down */
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* ---- groups ---- */

static void ends_in_the_parent(const wp_outcome *outcome, void *arg) {
    CHECK_EQ(WP_FATE_RAN, outcome->fate);
    CHECK_EQ(*(pid_t *)arg, getpid());
}

static void the_child_with_groups(wp_pool *pool, wp_group *open, wp_group *empty, wp_group *below) {
    wp_group_status status = WP_GROUP_STATUS_INIT, untouched = WP_GROUP_STATUS_INIT;
    wp_group *made = NULL;
    wp_task task = WP_TASK_INIT;
    task.run = must_not_run_task;
    task.group = open;
    CHECK_EQ(WP_EFORKED, wp_submit_task(pool, &task, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_submit_batch(pool, &task, 1, sizeof task, 0, NULL));
    wp_group *all[] = {open, empty, below};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(WP_EFORKED, wp_group_wait(all[i], 0));
        CHECK_EQ(WP_EFORKED, wp_group_wait(all[i], WP_FOREVER));
        CHECK_EQ(WP_EFORKED, wp_group_cancel(all[i]));
        CHECK_EQ(WP_EFORKED, wp_group_retain(all[i]));
        CHECK_EQ(WP_EFORKED, wp_group_status_get(all[i], &status));
        CHECK_EQ(0, memcmp(&status, &untouched, sizeof status));
        CHECK_EQ(WP_STOP_NONE, wp_group_stop_reason(all[i]));
    }
    CHECK_EQ(WP_EFORKED, wp_group_create(pool, NULL, &made));
    CHECK(made == NULL);

    /* Groups of the child's own, beside what it inherited. */
    wp_pool *own = check_pool(1, 4);
    CHECK_EQ(WP_OK, wp_group_create(own, NULL, &made));
    task.group = open;
    CHECK_EQ(WP_EINVAL, wp_submit_task(own, &task, 0));
    task.run = full;
    task.group = made;
    CHECK_EQ(WP_OK, wp_submit_task(own, &task, 0));
    CHECK_EQ(WP_OK, wp_group_wait(made, WP_FOREVER));
    CHECK_EQ(WP_OK, wp_group_release(empty)); /* Before the pool, */
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_EFORKED, wp_group_cancel(below));
    CHECK_EQ(WP_OK, wp_group_release(below)); /* and after it. */
    CHECK_EQ(WP_OK, wp_group_release(open));
    CHECK_EQ(WP_OK, wp_group_release(made));
    CHECK_EQ(WP_OK, wp_destroy(own));
}

static void *wait_for_group(void *arg) {
    CHECK_EQ(WP_OK, wp_group_wait(arg, WP_FOREVER));
    return NULL;
}

static void the_groups_stay_in_the_parent(void) {
    struct gate gate;
    pid_t parent = getpid();
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    gate_init(&gate);
    options.workers = 1;
    options.timers = 1;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    wp_group_options below_options = WP_GROUP_OPTIONS_INIT;
    wp_group *open = NULL, *empty = NULL, *below = NULL;
    CHECK_EQ(WP_OK, wp_group_create(pool, NULL, &open));
    CHECK_EQ(WP_OK, wp_group_create(pool, NULL, &empty));
    below_options.parent = open;
    below_options.max_running = 1;
    CHECK_EQ(WP_OK, wp_group_create(pool, &below_options, &below));
    gate_shut(&gate, pool, 1);
    wp_task task = WP_TASK_INIT;
    task.run = full;
    task.end = ends_in_the_parent;
    task.arg = &parent;
    for (int i = 0; i < 4; i++) {
        task.group = i % 2 ? open : below;
        task.deadline = i == 3 ? wp_now(pool) + 3600 * NS_PER_S : 0;
        CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    }
    pthread_t waiter = check_thread(wait_for_group, open);
    CHECK_EQ(WP_ETIMEDOUT, wp_group_wait(open, NS_PER_MS)); /* The other one probably waits, too. */
    pid_t child = check_fork();
    if (child == 0) {
        the_child_with_groups(pool, open, empty, below);
        fflush(stdout);
        _Exit(0);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
    check_post(&gate.open);
    check_join(waiter);
    wp_group_status figures = WP_GROUP_STATUS_INIT;
    CHECK_EQ(WP_OK, wp_group_status_get(open, &figures));
    CHECK_EQ(4, figures.ran);
    CHECK_EQ(WP_OK, wp_group_release(open));
    CHECK_EQ(WP_OK, wp_group_release(empty));
    CHECK_EQ(WP_OK, wp_group_release(below));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void fork_and_exit(void *arg) {
    pid_t child = check_fork();
    if (child == 0) {
        _Exit(7);
    }
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(7, WEXITSTATUS(status));
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void a_task_may_fork_and_exit(void) {
    atomic_uint forks = 0;
    wp_pool *pool = check_pool(2, 4);
    fflush(stdout);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, fork_and_exit, &forks));
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(4, atomic_load(&forks));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("fork");
    CASE(a_forked_child_is_told_at_once_and_the_parent_goes_on);
    CASE(the_groups_stay_in_the_parent);
    CASE(a_task_may_fork_and_exit);
    return check_end();
}
