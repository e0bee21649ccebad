/* SPDX-License-Identifier: MIT
 *
 * The promise: wp_room_fd() is readable while a submit that does not wait may succeed, or is refused for good; a refusal makes it
 * unreadable, and the first place that comes free, whichever, readable again. A loop that waits for it loses no wake-up, and has
 * an empty one only where others were quicker.
 *
 * WP_ROUNDS: from 1000 on the loops submit 10 million tasks instead of one.
 */
#include "room.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>

static void it_is_readable_unless_a_submit_was_refused(void) {
    for (int early = 0; early < 2; early++) {
        wp_pool *pool = check_manual_pool(2);
        int fd = early ? wp_room_fd(pool) : -1;
        check_fill(pool, 2);
        fd = early ? fd : wp_room_fd(pool);
        CHECK(fd >= 0);
        ROW(fd, wp_room_fd(pool));
        ROW(false, is_readable(fd)); /* By a refusal, or made while the queue was full. */
        ROW(WP_OK, wp_run(pool, 1, NULL));
        ROW(true, is_readable(fd)); /* Any place. */
        ROW(WP_OK, wp_try_submit(pool, check_nothing, NULL));
        ROW(true, is_readable(fd)); /* Full, but nobody was refused: one empty wake-up, */
        ROW(WP_EFULL, wp_submit_for(pool, check_nothing, NULL, 0));
        ROW(false, is_readable(fd)); /* which is the last. */
        ROW(WP_EFULL, wp_try_submit(pool, check_nothing, NULL));
        ROW(false, is_readable(fd));
        ROW(WP_OK, wp_submit(pool, check_nothing, NULL)); /* Makes its own room, and takes it. */
        ROW(WP_OK, wp_run(pool, UINT64_MAX, NULL));
        ROW(true, is_readable(fd));
        check_fill(pool, 2);
        ROW(false, is_readable(fd));
        ROW(WP_ETIMEDOUT, wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, 0, NULL));
        ROW(true, is_readable(fd)); /* To be told that it is closed. */
        ROW(WP_ECLOSED, wp_try_submit(pool, check_nothing, NULL));
        ROW(true, is_readable(fd));
        ROW(WP_OK, wp_shutdown_for(pool, WP_SHUTDOWN_CANCEL, 0, NULL));
        ROW(true, is_readable(fd));
        ROW(fd, wp_room_fd(pool));
        ROW(WP_OK, wp_destroy(pool));
        ROW(-1, fcntl(fd, F_GETFD)); /* Closed with it. */
    }
    ROW(WP_EINVAL, wp_room_fd(NULL));
}

/* A group keeps the pool's memory for longer. */
static void it_is_closed_with_the_pool_not_with_its_memory(void) {
    wp_pool *pool = check_manual_pool(1);
    wp_group *group = NULL;
    int fd = wp_room_fd(pool);
    CHECK(fd >= 0);
    ROW(WP_OK, wp_group_create(pool, NULL, &group));
    ROW(WP_OK, wp_destroy(pool));
    ROW(-1, fcntl(fd, F_GETFD));
    ROW(WP_OK, wp_group_cancel(group));
    ROW(WP_OK, wp_group_release(group));
}

static void a_batch_that_is_refused_in_part_counts_too(void) {
    wp_pool *pool = check_manual_pool(2);
    wp_task task = WP_TASK_INIT;
    size_t accepted = 0;
    int fd = wp_room_fd(pool);
    task.run = do_nothing_task;
    wp_task batch[] = {task, task, task};
    ROW(WP_OK, wp_submit_batch(pool, batch, 2, sizeof *batch, 0, &accepted));
    ROW(true, is_readable(fd));
    ROW(WP_OK, wp_run(pool, 1, NULL));
    ROW(WP_EFULL, wp_submit_batch(pool, batch, 3, sizeof *batch, 0, &accepted));
    ROW(1, accepted);
    ROW(false, is_readable(fd));
    ROW(WP_OK, wp_destroy(pool));
}

static void no_descriptor_left_is_an_error(void) {
    struct rlimit before, none = {0, 0};
    wp_pool *pool = check_manual_pool(2);
    CHECK_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    none.rlim_max = before.rlim_max;
    CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    ROW(WP_ENOMEM, wp_room_fd(pool));
    CHECK_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
    ROW(true, wp_room_fd(pool) >= 0);
    ROW(WP_OK, wp_destroy(pool));
}

/* ---- event loops ---- */

struct loop {
    wp_pool *pool;
    uint32_t events;
    unsigned long count;
    atomic_uint *runs;
    unsigned long refused, wake_ups, empty;
};

static void *submit_all(void *arg) {
    struct loop *loop = arg;
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = wp_room_fd(loop->pool);
    struct epoll_event event = {.events = loop->events, .data = {.fd = fd}};
    CHECK(epoll >= 0 && fd >= 0);
    CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    for (unsigned long submitted = 0; submitted < loop->count;) {
        unsigned long before = submitted;
        int code = WP_OK;
        while (submitted < loop->count && (code = wp_try_submit(loop->pool, check_count, loop->runs)) == WP_OK) {
            submitted++;
        }
        loop->empty += loop->wake_ups > 0 && submitted == before;
        if (code != WP_OK) {
            CHECK_EQ(WP_EFULL, code);
            loop->refused++;
            int ready = epoll_wait(epoll, &event, 1, -1);
            CHECK(ready == 1 || (ready < 0 && errno == EINTR));
            loop->wake_ups++;
        }
    }
    CHECK_EQ(0, close(epoll));
    return NULL;
}

static unsigned long tasks_to_submit(void) {
    return check_on_valgrind() ? 20000 : check_rounds(1) >= 1000 ? 10000000 : 1000000;
}

/* One lost wake-up, and the loop sleeps for ever. */
static void loops_submit(unsigned loops, uint32_t events, uint32_t capacity, unsigned long count) {
    enum { MOST = 2 };
    struct loop loop[MOST];
    pthread_t threads[MOST];
    atomic_uint runs = 0;
    wp_pool *pool = check_pool(2, capacity);
    CHECK(loops <= MOST);
    for (unsigned i = 0; i < loops; i++) {
        loop[i] = (struct loop){pool, EPOLLIN | events, count / loops, &runs, 0, 0, 0};
        threads[i] = check_thread(submit_all, &loop[i]);
    }
    unsigned long refused = 0, wake_ups = 0, empty = 0;
    for (unsigned i = 0; i < loops; i++) {
        check_join(threads[i]);
        refused += loop[i].refused;
        wake_ups += loop[i].wake_ups;
        empty += loop[i].empty;
    }
    ROW(WP_OK, wp_destroy(pool));
    ROW(count, atomic_load(&runs));
    printf("room_fd: %lu tasks by %u epoll loop%s (%s), %u places: refused %lu times, %lu wake-ups, %lu of them empty\n", count,
           loops, loops == 1 ? "" : "s", events ? "edges" : "levels", capacity, refused, wake_ups, empty);
    if (loops == 1) {
        CHECK_EQ(0, empty); /* Nobody else can have taken the place. */
    }
    CHECK_AT_MOST(refused, wake_ups);
}

static void a_loop_by_levels_submits_all(void) {
    loops_submit(1, 0, 8, tasks_to_submit());
}

static void a_loop_by_edges_submits_all(void) {
    loops_submit(1, (uint32_t)EPOLLET, 8, tasks_to_submit() / 4);
}

static void a_loop_submits_all_through_one_place(void) {
    loops_submit(1, 0, 1, tasks_to_submit() / 10);
}

static void a_loop_with_a_large_queue_submits_all(void) {
    loops_submit(1, 0, 256, tasks_to_submit() / 4);
}

static void two_loops_submit_all(void) {
    loops_submit(2, 0, 4, tasks_to_submit() / 4);
}

/* The wait is the measurement. */
static void a_loop_sleeps_while_the_queue_is_full(void) {
    wp_pool *pool = check_pool(1, 4);
    struct gate gate;
    struct pollfd poll_fd = {.fd = wp_room_fd(pool), .events = POLLIN, .revents = 0};
    gate_init(&gate);
    gate_shut(&gate, pool, 1);
    check_fill(pool, 4);
    uint64_t cpu = check_clock(CLOCK_PROCESS_CPUTIME_ID);
    CHECK_EQ(0, poll(&poll_fd, 1, 300));
    cpu = check_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("room_fd: a full queue: no wake-up in 300 ms, %llu us of CPU\n", (unsigned long long)cpu / 1000);
    check_post(&gate.open);
    CHECK_EQ(1, poll(&poll_fd, 1, -1));
    CHECK_EQ(WP_OK, wp_destroy(pool));
}

int main(void) {
    check_begin("room_fd");
    CASE(it_is_readable_unless_a_submit_was_refused);
    CASE(it_is_closed_with_the_pool_not_with_its_memory);
    CASE(a_batch_that_is_refused_in_part_counts_too);
    CASE(no_descriptor_left_is_an_error);
    CASE(a_loop_by_levels_submits_all);
    CASE(a_loop_by_edges_submits_all);
    CASE(a_loop_submits_all_through_one_place);
    CASE(a_loop_with_a_large_queue_submits_all);
    CASE(two_loops_submit_all);
    CASE(a_loop_sleeps_while_the_queue_is_full);
    return check_end();
}
