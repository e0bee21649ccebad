/* SPDX-License-Identifier: MIT
 *
 * 8. Retry: who reads the results decides what becomes of a failure, in one place.
 *
 * Workers only try and say how it went. The reader knows how often, and when: a failure that may pass is tried again, after
 * 1 ms, 2 ms, 4 ms … (a program with many senders adds something random to each, so that they don't come back all at once);
 * one that can't pass is not; and a message that fails again and again is set aside as poison, so that it holds nobody up.
 * No worker and no thread sleeps meanwhile: the reader's wait for the next result ends when the next try is due.
 *
 * "Failed" may mean "done, but the answer was lost". So a task that may be tried again must be idempotent: twice is as once.
 * Here each message has a number, and the server knows which ones it has.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "workerpool.h"

#define MILLISECOND UINT64_C(1000000)
#define NEVER UINT64_MAX

enum { MESSAGES = 8, PLACES = 4, TRIES_MAX = 5, BACK_OFF_MAX_MS = 4 };
enum { DELIVERED = 0, NO_ANSWER, NO_SUCH_ADDRESS }; /* the statuses of a try */
enum { OPEN, DONE, REFUSED, POISON };               /* what has become of a message */

typedef struct message {
    const char *text;
    unsigned lost_before, lost_after; /* so often the way there, and then the way back, will fail */
    bool to_nowhere;
    unsigned tries;
    uint64_t due, waited_ms; /* `due`: when to try; NEVER while a try is under way, and when all is over */
    int state;
} message;

static message messages[MESSAGES] = {
    {.text = "plain"},
    {.text = "lost once", .lost_before = 1},
    {.text = "lost three times", .lost_before = 3},
    {.text = "to nowhere", .to_nowhere = true},
    {.text = "its answer lost twice", .lost_after = 2},
    {.text = "never arrives", .lost_before = 1000},
    {.text = "lost, and its answer too", .lost_before = 1, .lost_after = 1},
    {.text = "another plain one"},
};

static void check(const char *call, int code)
{
    if (code == WP_OK) return;
    fprintf(stderr, "%s: %s\n", call, wp_strerror(code));
    exit(1);
}

/* ---- the other side ---- */

static atomic_bool has[MESSAGES];       /* by number; two messages may come at once */
static atomic_uint taken_in, came_again;

static int send_message(wp_context *context, void *arg) /* runs on a worker */
{
    const message *m = arg;
    (void)context;
    if (m->to_nowhere) return NO_SUCH_ADDRESS;
    if (m->tries <= m->lost_before) return NO_ANSWER;
    /* Here it arrives. The server looks at its number before it does anything. */
    atomic_fetch_add(atomic_exchange(&has[m - messages], true) ? &came_again : &taken_in, 1);
    return m->tries <= m->lost_before + m->lost_after ? NO_ANSWER : DELIVERED;
}

/* ---- this side: the main thread alone ---- */

static unsigned open_messages = MESSAGES;

static void close_message(message *m, int state)
{
    m->state = state;
    open_messages--;
}

/* All failures arrive here, and here alone is decided. */
static void decide(const wp_pool *pool, const wp_record *record)
{
    message *m = record->arg;
    uint64_t back_off_ms = UINT64_C(1) << (m->tries - 1);
    if (back_off_ms > BACK_OFF_MAX_MS) back_off_ms = BACK_OFF_MAX_MS;

    if (record->fate != WP_FATE_RAN) exit(1); /* nothing here cancels or discards */
    if (record->status == DELIVERED) {
        close_message(m, DONE);
    } else if (record->status == NO_SUCH_ADDRESS) {
        close_message(m, REFUSED); /* it would be so each time */
    } else if (m->tries == TRIES_MAX) {
        close_message(m, POISON); /* for somebody to look at */
    } else {
        m->due = wp_now(pool) + back_off_ms * MILLISECOND;
        m->waited_ms += back_off_ms;
    }
}

static message *next_due(void)
{
    message *next = &messages[0];
    for (int i = 1; i < MESSAGES; i++)
        if (messages[i].due < next->due) next = &messages[i];
    return next;
}

int main(void)
{
    static const char *const STATES[] = {"open", "delivered", "refused", "set aside"};
    wp_results_options options = WP_RESULTS_OPTIONS_INIT;
    wp_task task = WP_TASK_INIT;
    wp_record record = WP_RECORD_INIT;
    wp_results *results;
    wp_pool *pool;

    check("wp_create", wp_create(NULL, &pool));
    options.capacity = PLACES;
    check("wp_results_create", wp_results_create(&options, &results));
    task.run = send_message;
    task.results = results;

    /* The first tries and all later ones go the same way: they are due at some time, the first ones at 0. */
    while (open_messages > 0) {
        message *next = next_due();
        uint64_t now = wp_now(pool), timeout = next->due == NEVER ? WP_FOREVER : next->due > now ? next->due - now : 0;
        int code;

        if (timeout == 0) {
            task.arg = next;
            next->tries++; /* before the submit: from then on the message is the worker's, until its record comes */
            code = wp_submit_task(pool, &task, WP_FOREVER);
            if (code == WP_OK) {
                next->due = NEVER;
                continue;
            }
            next->tries--; /* nothing was accepted: it is still ours */
            if (code != WP_ERESULTS) check("wp_submit_task", code);
            timeout = WP_FOREVER; /* all places are taken, so a record will come */
        }
        code = wp_results_next(results, &record, timeout);
        if (code == WP_OK) decide(pool, &record);
        else if (code != WP_ETIMEDOUT) check("wp_results_next", code);
    }

    for (int i = 0; i < MESSAGES; i++)
        printf("%-24s  %-9s  tries: %u, %" PRIu64 " ms between them\n", messages[i].text, STATES[messages[i].state],
               messages[i].tries, messages[i].waited_ms);
    printf("the server took in %u messages; %u came again, and changed nothing\n", taken_in, came_again);
    check("wp_destroy", wp_destroy(pool));
    check("wp_results_release", wp_results_release(results));
    return fflush(stdout) != 0;
}
