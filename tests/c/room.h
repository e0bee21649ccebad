/* SPDX-License-Identifier: MIT
 *
 * What the tests about room share.
 */
#ifndef ROOM_H
#define ROOM_H

#include "check.h"

#include <poll.h>

/* A waiter that counts how often it was told, and by whom. */
struct told {
    wp_waiter waiter;
    wp_pool *pool;
    atomic_uint times;
    pthread_t by;
};

static UNUSED void count_told(void *arg) {
    struct told *told = arg;
    told->by = pthread_self();
    atomic_fetch_add(&told->times, 1);
}

static UNUSED void told_init(struct told *told, wp_pool *pool, wp_room_fn notify) {
    memset(told, 0, sizeof *told);
    CHECK_EQ(WP_OK, wp_waiter_init(&told->waiter, sizeof told->waiter));
    told->waiter.notify = notify;
    told->waiter.arg = told;
    told->pool = pool;
}

static UNUSED bool is_readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN, .revents = 0};
    int ready = poll(&poll_fd, 1, 0);
    CHECK(ready >= 0);
    return ready == 1 && (poll_fd.revents & POLLIN) != 0;
}

static UNUSED wp_pool *check_manual_pool(uint32_t capacity) {
    wp_options options = WP_OPTIONS_INIT;
    wp_pool *pool = NULL;
    options.mode = WP_MODE_MANUAL;
    options.capacity = capacity;
    CHECK_EQ(WP_OK, wp_create(&options, &pool));
    return pool;
}

static UNUSED int do_nothing_task(wp_context *context, void *arg) {
    (void)context;
    (void)arg;
    return 0;
}

#endif
