/* SPDX-License-Identifier: MIT
 *
 * What the C tests share. Each tests/c/NAME.c is one program: run without arguments it exits with 0 (passed), 77 (skipped)
 * or 1 (failed, with file:line, what was expected and what was got), and its last line is `NAME: N passed, 0 failed`.
 * N counts cases, and in a table its rows.
 *
 * Environment:
 *   WP_ROUNDS=n   how many rounds the repeated parts run (each file says what a round is). Unset: the short form, a few
 *                 seconds; 1000 is the long form everywhere.
 *   WP_SEED=n     the seed of a random test; unset: a new one. It is printed, so that a failure can be run again.
 *
 * Nothing here waits by the clock where there is an event to wait for; await() polls what has no event, and gives up
 * with a failure. A program that hangs is ended by its own alarm, with the name of the case.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <workerpool.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CHECK_SANITIZED 1
#endif
#endif
#ifndef CHECK_SANITIZED
#define CHECK_SANITIZED 0
#endif
#ifdef __SANITIZE_THREAD__
#define CHECK_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHECK_THREAD_SANITIZED 1
#endif
#endif
#ifndef CHECK_THREAD_SANITIZED
#define CHECK_THREAD_SANITIZED 0
#endif

#define UNUSED __attribute__((unused))
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

static const char *check_name = "?";
static const char *volatile check_case = "start";
static atomic_ulong check_passed;
static atomic_ulong check_failed;
static int check_slowness = 1;

/* The end of a failed program: no destructors, since threads may still use what they would destroy. */
static _Noreturn UNUSED void check_abandon(void) {
    printf("%s: %lu passed, %lu failed\n", check_name, atomic_load(&check_passed), atomic_load(&check_failed));
    fflush(stdout);
    _Exit(1);
}

static UNUSED void check_report(const char *file, int line, const char *what, long long expected, long long got) {
    atomic_fetch_add(&check_failed, 1);
    printf("%s:%d: in %s: %s: expected %lld, got %lld\n", file, line, check_case, what, expected, got);
    fflush(stdout);
}

/* Ends the program unless `got` is `expected`. */
#define CHECK_EQ(expected, got)                                                   \
    do {                                                                          \
        long long check_e = (long long)(expected), check_g = (long long)(got);    \
        if (check_e != check_g) {                                                 \
            check_report(__FILE__, __LINE__, #got, check_e, check_g);             \
            check_abandon();                                                      \
        }                                                                         \
    } while (0)

#define CHECK(condition) CHECK_EQ(1, !!(condition))

#define CHECK_AT_MOST(limit, got)                                                                       \
    do {                                                                                                \
        long long check_l = (long long)(limit), check_g = (long long)(got);                             \
        if (check_g > check_l) {                                                                        \
            check_report(__FILE__, __LINE__, #got " (expected is the upper limit)", check_l, check_g);  \
            check_abandon();                                                                            \
        }                                                                                               \
    } while (0)

#define CHECK_AT_LEAST(limit, got)                                                                      \
    do {                                                                                                \
        long long check_l = (long long)(limit), check_g = (long long)(got);                             \
        if (check_g < check_l) {                                                                        \
            check_report(__FILE__, __LINE__, #got " (expected is the lower limit)", check_l, check_g);  \
            check_abandon();                                                                            \
        }                                                                                               \
    } while (0)

/* A row of a table: counted, and a wrong one does not keep the others from being looked at. */
#define ROW(expected, call)                                                       \
    do {                                                                          \
        long long check_e = (long long)(expected), check_g = (long long)(call);   \
        if (check_e != check_g) {                                                 \
            check_report(__FILE__, __LINE__, #call, check_e, check_g);            \
        } else {                                                                  \
            atomic_fetch_add(&check_passed, 1);                                   \
        }                                                                         \
    } while (0)

/* A case: a function without arguments. It has passed if it returns and none of its rows was wrong. */
#define CASE(function)                                                    \
    do {                                                                  \
        unsigned long check_before = atomic_load(&check_failed);          \
        check_case = #function;                                           \
        function();                                                       \
        if (atomic_load(&check_failed) == check_before) {                 \
            atomic_fetch_add(&check_passed, 1);                           \
        }                                                                 \
    } while (0)

static UNUSED bool check_on_valgrind(void) {
    static int known = -1;
    if (known < 0) {
        char line[512];
        FILE *maps = fopen("/proc/self/maps", "r");
        known = 0;
        while (maps != NULL && known == 0 && fgets(line, sizeof line, maps) != NULL) {
            known = strstr(line, "vgpreload") != NULL;
        }
        if (maps != NULL) {
            fclose(maps);
        }
    }
    return known != 0;
}

static UNUSED void check_hung(int signal_number) {
    (void)signal_number;
    static const char text[] = ": hung in ";
    const char *parts[] = {check_name, text, check_case, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (write(STDOUT_FILENO, parts[i], strlen(parts[i])) < 0) {
            break;
        }
    }
    _exit(1);
}

/* The number of rounds: WP_ROUNDS, or the file's short form. */
static UNUSED unsigned long check_rounds(unsigned long short_form) {
    const char *text = getenv("WP_ROUNDS");
    unsigned long rounds = text != NULL ? strtoul(text, NULL, 10) : 0;
    return rounds != 0 ? rounds : short_form;
}

static UNUSED void check_begin(const char *name) {
    check_name = name;
    static char buffer[BUFSIZ]; /* Not the heap's, whose use some tests count. */
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    check_slowness = check_on_valgrind() ? 20 : CHECK_SANITIZED ? 5 : 1;
    signal(SIGALRM, check_hung);
    alarm((unsigned)(60 * check_slowness + 2 * (int)check_rounds(0)));
}

static UNUSED int check_end(void) {
    unsigned long failed = atomic_load(&check_failed);
    alarm(0);
    printf("%s: %lu passed, %lu failed\n", check_name, atomic_load(&check_passed), failed);
    return failed == 0 ? 0 : 1;
}

static _Noreturn UNUSED void check_skip(const char *why) {
    printf("%s: skipped: %s\n", check_name, why);
    exit(77);
}

static UNUSED uint64_t check_seed(void) {
    const char *text = getenv("WP_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0)
                                 : (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec + (uint64_t)getpid();
    printf("%s: WP_SEED=%llu\n", check_name, (unsigned long long)seed);
    return seed;
}

/* splitmix64. */
static UNUSED uint64_t check_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static UNUSED uint64_t check_clock(clockid_t which) {
    struct timespec now;
    CHECK_EQ(0, clock_gettime(which, &now));
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static UNUSED uint64_t check_now(void) {
    return check_clock(CLOCK_MONOTONIC);
}

/* Polls what has no event of its own, letting others run; a failure when it does not come true in 20 seconds. */
#define AWAIT(condition)                                                                         \
    do {                                                                                         \
        uint64_t check_until = check_now() + 20 * (uint64_t)check_slowness * NS_PER_S;           \
        while (!(condition)) {                                                                   \
            if (check_now() > check_until) {                                                     \
                check_report(__FILE__, __LINE__, "never came true: " #condition, 1, 0);          \
                check_abandon();                                                                 \
            }                                                                                    \
            sched_yield();                                                                       \
        }                                                                                        \
    } while (0)

static UNUSED void check_wait(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
        CHECK_EQ(EINTR, errno);
    }
}

static UNUSED void check_wait_times(sem_t *semaphore, unsigned times) {
    while (times-- > 0) {
        check_wait(semaphore);
    }
}

static UNUSED void check_post(sem_t *semaphore) {
    CHECK_EQ(0, sem_post(semaphore));
}

static UNUSED void check_post_times(sem_t *semaphore, unsigned times) {
    while (times-- > 0) {
        check_post(semaphore);
    }
}

static UNUSED pthread_t check_thread(void *(*body)(void *), void *arg) {
    pthread_t thread;
    CHECK_EQ(0, pthread_create(&thread, NULL, body, arg));
    return thread;
}

static UNUSED void check_join(pthread_t thread) {
    CHECK_EQ(0, pthread_join(thread, NULL));
}

/* fork(), with the child under an alarm of its own, since that is not inherited. Flushes first, or text would come twice. */
static UNUSED pid_t check_fork(void) {
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm((unsigned)(30 * check_slowness));
    }
    return child;
}

/* How many threads this process has, by the kernel's word. A thread that was joined may still be listed for a moment. */
static UNUSED unsigned check_threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(tasks);
#if CHECK_THREAD_SANITIZED
    count -= count > 1; /* The sanitizer's own, which it starts beside the first other thread. */
#endif
    return count;
}

static UNUSED wp_pool *check_pool(uint32_t workers, uint32_t capacity) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.workers = workers;
    options.capacity = capacity;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    CHECK(pool != NULL);
    return pool;
}

static UNUSED wp_stats check_stats(const wp_pool *pool) {
    wp_stats stats = WP_STATS_INIT;
    CHECK_EQ(WP_OK, wp_stats_get(pool, &stats));
    return stats;
}

/* A task that tells that it has begun, then holds its worker until it is let go. */
struct gate {
    sem_t begun;
    sem_t open;
};

static UNUSED void gate_init(struct gate *gate) {
    CHECK_EQ(0, sem_init(&gate->begun, 0, 0));
    CHECK_EQ(0, sem_init(&gate->open, 0, 0));
}

static UNUSED void gate_task(void *arg) {
    struct gate *gate = arg;
    check_post(&gate->begun);
    check_wait(&gate->open);
}

/* Occupies all workers: each is inside a gate_task when this returns. */
static UNUSED void gate_shut(struct gate *gate, wp_pool *pool, uint32_t workers) {
    for (uint32_t i = 0; i < workers; i++) {
        CHECK_EQ(WP_OK, wp_submit(pool, gate_task, gate));
        check_wait(&gate->begun);
    }
}

static UNUSED void check_nothing(void *arg) {
    (void)arg;
}

static UNUSED void must_not_run(void *arg) {
    (void)arg;
    CHECK(!"a task ran that must not");
}

static UNUSED int must_not_run_task(wp_context *context, void *arg) {
    (void)context;
    must_not_run(arg);
    return 0;
}

static UNUSED void check_count(void *arg) {
    atomic_fetch_add_explicit((atomic_uint *)arg, 1, memory_order_relaxed);
}

/* Fills the queue of a pool whose workers are all held. */
static UNUSED void check_fill(wp_pool *pool, uint32_t capacity) {
    for (uint32_t i = 0; i < capacity; i++) {
        CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
    }
    CHECK_EQ(WP_EFULL, wp_try_submit(pool, check_nothing, NULL));
}

#endif
