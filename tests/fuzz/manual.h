/* SPDX-License-Identifier: MIT
 *
 * What a program on the manual pool has: its bytes, its objects, its callbacks, and the trace of what it sees.
 */
#ifndef FUZZ_MANUAL_H
#define FUZZ_MANUAL_H

#include "calls.h"

enum { GROUPS = 6, RESULTS = 3, WAITERS = 4, TRACE = 1 << 16, DEEP = 5, MOST_TASKS = 2000, BATCH = 6, FIGURES = 13 };

struct event {
    const char *what;
    int64_t value;
};

struct room_waiter {
    wp_waiter waiter;
    unsigned index;
};

/* A task's argument; freed by its `end`, or with the program if it has none. */
struct payload {
    struct payload *next;
    wp_group *group;
    unsigned number, ends, runs;
    bool is_accepted, has_end;
};

static struct event trace[TRACE];
static size_t traced, compared;
static bool is_library;
static const struct calls *api;
static const uint8_t *program;
static size_t program_size, program_at;
static wp_pool *pool;
static wp_group *groups[GROUPS];
static wp_results *results[RESULTS];
static struct room_waiter waiters[WAITERS];
static struct payload *payloads;
static unsigned tasks_made, depth, groups_left, results_left;
static uint64_t open_tasks;
static int64_t figures_seen[FIGURES];

static unsigned next_byte(void) {
    return program_at < program_size ? program[program_at++] : 0;
}

static const char *const LABELS[] = {NULL, "short", "a label that is longer than thirty-one bytes"};

/* The model's run says what happens; the library's must say the same. */
static void see(const char *what, int64_t value) {
    static uint64_t last;
    if (!is_library) {
        CHECK(traced < TRACE);
        trace[traced++] = (struct event){what, value};
        uint64_t now = (uint64_t)(uintptr_t)what + (uint64_t)(value > 8 ? 8 : value) * 31 + depth * 1031;
        fuzz_feature(last * 65537 ^ now);
        last = now;
        return;
    }
    bool is_same = compared < traced && trace[compared].what == what && trace[compared].value == value;
    if (!is_same) {
        size_t from = compared > 30 ? compared - 30 : 0;
        for (size_t i = from; i < compared; i++) {
            printf("  %s %lld\n", trace[i].what, (long long)trace[i].value);
        }
        if (compared < traced) {
            printf("the model:   %s %lld\n", trace[compared].what, (long long)trace[compared].value);
        } else {
            printf("the model:   the end\n");
        }
        printf("the library: %s %lld\n", what, (long long)value);
        check_case = what;
        CHECK(!"the library does what the model does");
    }
    compared++;
    atomic_store_explicit(&fuzz_shared->at[0].call, what, memory_order_relaxed);
}

static void some_calls(wp_context *context);

/* ---- callbacks ---- */

static void free_payload(struct payload *payload) {
    for (struct payload **each = &payloads; *each != NULL; each = &(*each)->next) {
        if (*each == payload) {
            *each = payload->next;
            break;
        }
    }
    free(payload);
}

static int run_task(wp_context *context, void *arg) {
    struct payload *payload = arg;
    see("run", payload->number);
    CHECK_EQ(0, payload->runs++);
    see("group is its own", api->context_group(context) == payload->group);
    see("worker", api->worker_index(context));
    see("label", api->label(context) != NULL);
    see("time left", (int64_t)api->time_left(context));
    see("stop", api->stop_reason(context));
    some_calls(context);
    unsigned status = next_byte();
    return status % 4 == 3 ? (int)status : 0;
}

static void run_plain(void *arg) {
    struct payload *payload = arg;
    see("run plain", payload->number);
    CHECK_EQ(0, payload->runs++);
    some_calls(NULL);
}

static void end_task(const wp_outcome *outcome, void *arg) {
    struct payload *payload = arg;
    see("end", payload->number);
    see("fate", outcome->fate);
    see("status", outcome->status);
    see("outcome's worker", outcome->worker);
    see("outcome's label", outcome->label != NULL);
    CHECK_EQ(0, payload->ends++);
    CHECK_EQ(outcome->fate == WP_FATE_RAN, payload->runs);
    some_calls(NULL);
    free_payload(payload);
    open_tasks--;
}

static void notify(void *arg) {
    struct room_waiter *waiter = arg;
    see("notify", waiter->index);
    some_calls(NULL);
}

#endif
