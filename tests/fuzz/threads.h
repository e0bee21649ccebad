/* SPDX-License-Identifier: MIT
 *
 * What the programs on a pool with threads share: what becomes of each task, who covers what, which answers are allowed.
 */
#ifndef FUZZ_THREADS_H
#define FUZZ_THREADS_H

#include "engine.h"

enum { THREADS = 3, GROUPS = 4, RESULTS = 2, MOST = 600, BATCH = 5, ALIVE = 0x11223344, SCRIPT = 8 };

enum verdict { UNSEEN, ACCEPTED, REFUSED };

/* What became of a task; it outlives the task's argument. */
struct entry {
    _Atomic unsigned runs, ends, records, fate;
    enum verdict verdict;
    bool has_end, is_recorded, was_late, is_joined, is_plain;
    int32_t status;
};

/* A group, how many of its tasks run, and the arguments that a wait for it covers. */
struct scope {
    wp_group *group;
    struct scope *above;
    unsigned limit;
    _Atomic unsigned running;
    struct payload *_Atomic payloads;
};

struct payload {
    uint32_t alive;
    uint32_t touched;
    struct entry *entry;
    struct scope *scope; /* NULL: only the pool's end covers it. */
    struct payload *next;
    uint8_t script[SCRIPT];
};

struct actor {
    unsigned index;
    const uint8_t *bytes;
    size_t size, at;
    struct scope *scope; /* Its own: nobody else submits to it but the tasks in it. */
    bool is_cancelled;
    wp_stats last;
    wp_waiter waiter;
    _Atomic unsigned told;
    unsigned armed, forgotten;
    unsigned own[MOST], owned;
};

static wp_pool *pool;
static wp_options options;
static struct scope shared[GROUPS];
static wp_results *results[RESULTS];
static bool results_wait[RESULTS];
static struct entry entries[MOST];
static atomic_uint entries_used;
static struct payload *_Atomic loose;
static struct actor actors[THREADS];
static unsigned actor_count;
static atomic_bool has_closed;
static _Thread_local unsigned inside;
static _Thread_local unsigned place;

static void here(const char *call) {
    fuzz_at(place, call);
}

/* One of these answers, which are the header's. */
#define ANSWER(call, ...)                                                                                    \
    do {                                                                                                     \
        static const int answers[] = {__VA_ARGS__};                                                          \
        check_answer(__FILE__, __LINE__, #call, call, answers, sizeof answers / sizeof answers[0]);                    \
    } while (0)

static int check_answer(const char *file, int line, const char *what, int code, const int *answers, size_t count) {
    static _Thread_local uint64_t last;
    uint64_t now = (uint64_t)line * 64 + (uint64_t)(-code) * 2 + (inside != 0);
    fuzz_feature(last * 65537 ^ now);
    last = now;
    for (size_t i = 0; i < count; i++) {
        if (answers[i] == code) {
            return code;
        }
    }
    printf("%s:%d: %s: %d (%s)%s, which the header does not have\n", file, line, what, code, wp_strerror(code),
           inside != 0 ? " inside a callback" : "");
    check_abandon();
}

static void push_payload(struct payload *_Atomic *list, struct payload *payload) {
    payload->next = atomic_load(list);
    while (!atomic_compare_exchange_weak(list, &payload->next, payload)) {
    }
}

static void free_payloads(struct payload *_Atomic *list) {
    struct payload *payload = atomic_exchange(list, NULL);
    while (payload != NULL) {
        struct payload *next = payload->next;
        CHECK_EQ(ALIVE, payload->alive);
        memset(payload, 0xdd, sizeof *payload);
        free(payload);
        payload = next;
    }
}

#endif
