/* SPDX-License-Identifier: MIT
 *
 * The promise (law L7): a fork at any instant, whatever other threads do with the pool just then, leaves a child in which nothing
 * hangs and a parent that notices nothing. So do posix_spawn(), system(), vfork() and a raw clone, of which no fork handler hears.
 *
 * Named after libuv's #4443 (the child aborts in the library's destructor), ovis-hpc/ldms's #2367 (a join in a fork handler hangs) and
 * pytorch's #54895 (the child leaks the pool so as not to crash).
 *
 * WP_ROUNDS: forks; 1,000 in the short form too.
 */
#include "check.h"

#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

struct storm {
    wp_pool *pool;
    atomic_bool is_over;
    atomic_uint runs;
    atomic_uint accepted;
    atomic_uint made;
};

static void *submit_all_the_time(void *arg) {
    struct storm *storm = arg;
    while (!atomic_load(&storm->is_over)) {
        CHECK_EQ(WP_OK, wp_submit(storm->pool, check_count, &storm->runs));
        atomic_fetch_add(&storm->accepted, 1);
    }
    return NULL;
}

static void *make_pools_all_the_time(void *arg) {
    struct storm *storm = arg;
    while (!atomic_load(&storm->is_over)) {
        CHECK_EQ(WP_OK, wp_destroy(check_pool(1, 1)));
        atomic_fetch_add(&storm->made, 1);
    }
    return NULL;
}

static void check_child(pid_t child) {
    int status = -1;
    CHECK_EQ(child, waitpid(child, &status, 0));
    CHECK_EQ(0, status);
}

static void in_the_child(struct storm *storm, unsigned long round) {
    CHECK_EQ(WP_EFORKED, wp_submit(storm->pool, must_not_run, NULL));
    CHECK_EQ(WP_EFORKED, wp_wait_idle(storm->pool, WP_FOREVER));
    CHECK_EQ(WP_EFORKED, wp_shutdown(storm->pool));
    if (round % 2 == 0) {
        CHECK_EQ(WP_OK, wp_destroy(storm->pool));
    }
    if (round % 10 == 0) {
        atomic_uint runs = 0;
        wp_pool *own = check_pool(2, 4);
        for (int i = 0; i < 10; i++) {
            CHECK_EQ(WP_OK, wp_submit(own, check_count, &runs));
        }
        CHECK_EQ(WP_OK, wp_shutdown(own));
        CHECK_EQ(10, atomic_load(&runs));
        CHECK_EQ(WP_OK, wp_destroy(own));
    }
    CHECK_EQ(1, check_threads());
    _Exit(0);
}

static void forks_while_other_threads_submit_and_create(void) {
    unsigned long rounds = check_on_valgrind() ? 20 : check_rounds(1000);
    struct storm storm;
    pthread_t threads[3];
    memset(&storm, 0, sizeof storm);
    storm.pool = check_pool(2, 8);
    threads[0] = check_thread(submit_all_the_time, &storm);
    threads[1] = check_thread(submit_all_the_time, &storm);
    threads[2] = check_thread(make_pools_all_the_time, &storm);
    AWAIT(atomic_load(&storm.accepted) > 0 && atomic_load(&storm.made) > 0);
    for (unsigned long round = 0; round < rounds; round++) {
        pid_t child = check_fork();
        if (child == 0) {
            in_the_child(&storm, round);
        }
        check_child(child);
    }
    atomic_store(&storm.is_over, true);
    for (size_t i = 0; i < 3; i++) {
        check_join(threads[i]);
    }
    CHECK_EQ(WP_OK, wp_shutdown(storm.pool));
    CHECK_EQ(atomic_load(&storm.accepted), atomic_load(&storm.runs));
    CHECK_EQ(atomic_load(&storm.accepted), check_stats(storm.pool).ran);
    CHECK_EQ(WP_OK, wp_destroy(storm.pool));
    printf("fork_storm: %lu forks beside %u submits and %u creates\n", rounds, atomic_load(&storm.accepted),
           atomic_load(&storm.made));
}

/* Without the C library: no fork handler runs, and only the kernel can tell. */
static void a_raw_clone_is_a_fork_too(void) {
#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv)
    wp_pool *pool = check_pool(2, 4);
    fflush(stdout);
    for (int round = 0; round < 20; round++) {
        long child = syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, NULL);
        CHECK(child >= 0);
        if (child == 0) {
            int is_told = wp_submit(pool, must_not_run, NULL) == WP_EFORKED && wp_try_submit(pool, must_not_run, NULL) == WP_EFORKED &&
                          wp_wait_idle(pool, WP_FOREVER) == WP_EFORKED && wp_shutdown(pool) == WP_EFORKED;
            syscall(SYS_exit_group, is_told ? 0 : 1);
        }
        CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
        check_child((pid_t)child);
    }
    CHECK_EQ(WP_OK, wp_destroy(pool));
#endif
}

/* Children that share the parent's memory until they exec: the parent must not be taken for a child. */
static void spawned_children_change_nothing(void) {
    char *const arguments[] = {"true", NULL};
    wp_pool *pool = check_pool(2, 4);
    struct storm storm;
    memset(&storm, 0, sizeof storm);
    storm.pool = pool;
    pthread_t submitter = check_thread(submit_all_the_time, &storm);
    for (int round = 0; round < 50; round++) {
        pid_t child;
        CHECK_EQ(0, posix_spawnp(&child, "true", NULL, NULL, arguments, environ));
        check_child(child);
        CHECK_EQ(0, system("true"));
        child = vfork();
        CHECK(child >= 0);
        if (child == 0) {
            execvp("true", arguments);
            _exit(127);
        }
        check_child(child);
        CHECK_EQ(WP_OK, wp_submit(pool, check_nothing, NULL));
    }
    atomic_store(&storm.is_over, true);
    check_join(submitter);
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(atomic_load(&storm.accepted), atomic_load(&storm.runs));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

/* A task that forks: the child is told, and execs or exits. */
static void fork_inside(void *arg) {
    wp_pool *pool = arg;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(30);
        if (wp_submit(pool, must_not_run, NULL) != WP_EFORKED || wp_shutdown(pool) != WP_EFORKED) {
            _exit(1);
        }
        execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    check_child(child);
    CHECK_EQ(0, system("true"));
}

static void tasks_that_fork_do_no_harm(void) {
    wp_pool *pool = check_pool(2, 4);
    fflush(stdout);
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, fork_inside, pool));
    }
    CHECK_EQ(WP_OK, wp_shutdown(pool));
    CHECK_EQ(40, check_stats(pool).ran);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("fork_storm");
    if (!CHECK_SANITIZED) { /* gcc 12's allocates under a lock of its own, which a fork may leave locked in the child. */
        CASE(forks_while_other_threads_submit_and_create);
    }
    CASE(a_raw_clone_is_a_fork_too);
    CASE(spawned_children_change_nothing);
    CASE(tasks_that_fork_do_no_harm);
    return check_end();
}
