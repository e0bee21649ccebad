/* SPDX-License-Identifier: MIT
 *
 * The promise: time is the monotonic clock's. The wall clock may jump to any year, forwards and backwards: no wait ends early, none
 * goes on, and wp_now() does not move. Nothing here asks for the wall clock, nor asks the kernel to.
 *
 * This program takes the place of what tells the time, and of syscall(), through which the kernel is asked to sleep.
 */
#include "check.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* ---- the wall clock, gone mad ---- */

static atomic_uint asked_for_wall_clock, asked_for_monotonic, sleeps, sleeps_by_wall_clock;
static atomic_long years; /* The wall clock is so far off. */

int clock_gettime(clockid_t which, struct timespec *now) {
    if (which != CLOCK_MONOTONIC) {
        atomic_fetch_add(&asked_for_wall_clock, 1);
    } else {
        atomic_fetch_add(&asked_for_monotonic, 1);
    }
    int result = 0;
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    result = real(which, now);
    if (which == CLOCK_REALTIME) {
        now->tv_sec += atomic_load(&years) * 31556952;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now != NULL) {
        *now = exact.tv_sec;
    }
    return exact.tv_sec;
}

long syscall(long number, ...) {
    static long (*real)(long, ...);
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_futex) {
        int operation = (int)arguments[1] & FUTEX_CMD_MASK;
        bool is_sleep = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
        atomic_fetch_add(&sleeps, is_sleep);
        atomic_fetch_add(&sleeps_by_wall_clock, is_sleep && ((int)arguments[1] & FUTEX_CLOCK_REALTIME) != 0);
    }
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    }
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

static atomic_bool is_over;

static void *jump(void *arg) {
    static const long jumps[] = {0, 50, -30, 200, -3000, 1, -1, 10000};
    (void)arg;
    for (size_t i = 0; !atomic_load(&is_over); i++) {
        atomic_store(&years, jumps[i % 8]);
        sched_yield();
    }
    return NULL;
}

/* ---- the waits ---- */

enum { LIMIT_MS = 40 };

static uint64_t took(int expected, int code, uint64_t began) {
    CHECK_EQ(expected, code);
    return check_now() - began;
}

static int nothing_in_full(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

/* Each call with a timeout, which passes: not before its time, and not long after. */
static void timeouts_are_what_they_say(void) {
    uint64_t limit = LIMIT_MS * NS_PER_MS;
    struct gate gate;
    wp_task task = WP_TASK_INIT;
    wp_record record = WP_RECORD_INIT;
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_results *results = NULL;
    wp_pool *pool = check_pool(1, 2);
    options.capacity = 1;
    options.flags = WP_RESULTS_WAIT;
    CHECK_EQ(WP_OK, wp_results_create(&options, &results));
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    task.run = nothing_in_full;
    task.results = results;
    CHECK_EQ(WP_OK, wp_submit_task(pool, &task, 0));
    CHECK_EQ(WP_OK, wp_try_submit(pool, check_nothing, NULL));
    uint64_t times[6];
    for (int call = 0; call < 6; call++) {
        uint64_t began = check_now();
        int code;
        switch (call) {
        case 0: code = wp_submit_for(pool, must_not_run, NULL, limit); break;
        case 1: code = wp_submit_task(pool, &task, limit); break; /* for a place in the results */
        case 2: code = wp_wait_idle(pool, limit); break;
        case 3: code = wp_results_next(results, &record, limit); break;
        case 4: code = wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, limit, NULL); break;
        default: code = wp_wait_idle(pool, limit); break;
        }
        times[call] = took(WP_ETIMEDOUT, code, began);
        ROW(true, times[call] >= limit);
        CHECK_AT_MOST(limit + 10 * (uint64_t)check_slowness * NS_PER_S, times[call]);
    }
    check_post(&gate.open);
    CHECK_EQ(WP_OK, wp_destroy(pool));
    CHECK_EQ(WP_OK, wp_results_next(results, &record, 0));
    CHECK_AT_LEAST(6 * limit, record.queued_ns);
    CHECK_AT_MOST(NS_PER_S * 3600, record.queued_ns);
    CHECK_AT_MOST(NS_PER_S * 3600, record.running_ns);
    CHECK_EQ(WP_OK, wp_results_release(results));
}

static void the_pools_clock_only_goes_on(void) {
    wp_pool *pool = check_pool(1, 1);
    uint64_t last = wp_now(pool), first = last;
    for (int i = 0; i < 100000; i++) {
        uint64_t now = wp_now(pool);
        CHECK(now >= last && now - last < 3600 * NS_PER_S);
        last = now;
    }
    CHECK(last > first);
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

static void waits_that_end_by_themselves(void) {
    wp_pool *pool = check_pool(2, 2);
    atomic_uint runs = 0;
    for (int i = 0; i < 2000; i++) {
        CHECK_EQ(WP_OK, wp_submit_for(pool, check_count, &runs, 3600 * NS_PER_S));
    }
    CHECK_EQ(WP_OK, wp_wait_idle(pool, 3600 * NS_PER_S));
    CHECK_EQ(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 3600 * NS_PER_S, NULL));
    CHECK_EQ(2000, atomic_load(&runs));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("clock");
    if (CHECK_SANITIZED) {
        check_skip("a sanitizer stands in front of the clock");
    }
    struct timespec now;
    CHECK_EQ(0, clock_gettime(CLOCK_REALTIME, &now)); /* The counting counts. */
    CHECK_EQ(1, atomic_exchange(&asked_for_wall_clock, 0));
    pthread_t jumper = check_thread(jump, NULL);
    CASE(timeouts_are_what_they_say);
    CASE(the_pools_clock_only_goes_on);
    CASE(waits_that_end_by_themselves);
    atomic_store(&is_over, true);
    check_join(jumper);
    ROW(0, atomic_load(&asked_for_wall_clock));
    ROW(0, atomic_load(&sleeps_by_wall_clock));
    CHECK_AT_LEAST(6, atomic_load(&asked_for_monotonic));
    CHECK_AT_LEAST(6, atomic_load(&sleeps));
    return check_end();
}
