/* SPDX-License-Identifier: MIT
 *
 * 7. Serial queues: in order where it matters, side by side where it does not, and no lock.
 *
 * The bookings of one account must be made one after the other, in the order in which they came: whether one is refused depends
 * on all before it. Those of different accounts have nothing to do with each other. So each account has a group with
 * max_running = 1: its tasks run in the order of their submits, never two at once, on whichever worker is free, and what one
 * has written the next one sees. Waiting tasks occupy no worker, only their places in the queue.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

enum { ACCOUNTS = 4, BOOKINGS = 2000, REFUSED = 1 };

typedef struct account {
    wp_group *serial;
    int64_t balance; /* plain fields: no lock, and nothing atomic */
    unsigned last, out_of_order;
} account;

typedef struct booking {
    account *account;
    int64_t amount;
    unsigned number; /* 1, 2, 3 … within its account */
} booking;

static account accounts[ACCOUNTS];
static booking bookings[BOOKINGS][ACCOUNTS];
static pthread_barrier_t all_at_once;

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

/* The whole rule: nobody gets more than is there. */
static bool apply(int64_t *balance, int64_t amount)
{
    if (*balance + amount < 0) return false;
    *balance += amount;
    return true;
}

static int book(wp_context *context, void *arg)
{
    const booking *b = arg;
    account *a = b->account;
    (void)context;
    a->out_of_order += b->number != a->last + 1;
    a->last = b->number;
    /* Only to prove it: this returns when a booking of each account stands here, each on a worker of its own. */
    if (b->number == 1) pthread_barrier_wait(&all_at_once);
    return apply(&a->balance, b->amount) ? 0 : REFUSED;
}

int main(void)
{
    wp_options options = WP_OPTIONS_INIT;
    wp_group_options serial = WP_GROUP_OPTIONS_INIT;
    wp_group_status status = WP_GROUP_STATUS_INIT;
    wp_task task = WP_TASK_INIT;
    wp_pool *pool;
    uint32_t seed = 1;

    if (pthread_barrier_init(&all_at_once, NULL, ACCOUNTS) != 0) return 1;
    options.workers = ACCOUNTS;
    options.capacity = 64; /* far fewer than there are bookings: the submits are held back as ever */
    check("wp_create", wp_create(&options, &pool));
    serial.max_running = 1;
    for (int a = 0; a < ACCOUNTS; a++) check("wp_group_create", wp_group_create(pool, &serial, &accounts[a].serial));

    task.run = book;
    for (unsigned i = 0; i < BOOKINGS; i++) {
        for (int a = 0; a < ACCOUNTS; a++) {
            seed = seed * 1664525 + 1013904223;
            bookings[i][a] = (booking){&accounts[a], (int64_t)(seed >> 16) % 201 - 105, i + 1}; /* -105 to 95 */
            task.arg = &bookings[i][a];
            task.group = accounts[a].serial;
            check("wp_submit_task", wp_submit_task(pool, &task, WP_FOREVER));
        }
    }

    for (int a = 0; a < ACCOUNTS; a++) {
        /* A wait for one account is not held up by the others; after it the balance is ours to read. */
        check("wp_group_wait", wp_group_wait(accounts[a].serial, WP_FOREVER));
        check("wp_group_status_get", wp_group_status_get(accounts[a].serial, &status));

        /* What one thread alone would have made of it. */
        int64_t balance = 0;
        uint64_t refused = 0;
        for (unsigned i = 0; i < BOOKINGS; i++) refused += !apply(&balance, bookings[i][a].amount);

        bool same = balance == accounts[a].balance && refused == status.failed;
        printf("account %d: %" PRIu64 " bookings, %" PRIu64 " refused, balance %" PRId64 "; ", a, status.ran, status.failed,
               accounts[a].balance);
        printf("out of order: %u; as one by one: %s\n", accounts[a].out_of_order, same ? "true" : "false");
        check("wp_group_release", wp_group_release(accounts[a].serial));
    }
    printf("and %d accounts were booked side by side\n", ACCOUNTS);
    check("wp_destroy", wp_destroy(pool));
    return pthread_barrier_destroy(&all_at_once) != 0 || fflush(stdout) != 0;
}
